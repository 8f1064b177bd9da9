use super::*;
use crate::deployment::Share;
use crate::store::SubjectChange;
use opentelemetry_proto::tonic::trace::v1::Span;

const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn receipt(n: u128) -> Receipt {
    Receipt::new(1_700_000_000_000, n)
}

#[test]
fn a_header_is_read_as_the_standard_has_it() {
    let parent = TraceParent::parse(HEADER).expect("the standard's own example");
    assert_eq!(
        Context::of(receipt(1), Some(&parent)).traceparent([0xab; 8]),
        HEADER.replace("00f067aa0ba902b7", &"ab".repeat(8))
    );
    assert_eq!(TraceParent::from_bytes(parent.to_bytes()), parent);
    for later in [
        format!(" {HEADER} "),
        HEADER.replacen("00", "cc", 1),
        format!("{}-more", HEADER.replacen("00", "01", 1)),
    ] {
        assert!(TraceParent::parse(&later).is_some(), "{later}");
    }
    for wrong in [
        "".to_owned(),
        "00".to_owned(),
        HEADER.to_uppercase(),
        format!("{HEADER}-more"),
        HEADER.replacen("00", "ff", 1),
        HEADER.replace("00f067aa0ba902b7", "0000000000000000"),
        HEADER.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
        HEADER.replace("4bf9", "4bg9"),
        HEADER.replace("-01", "-1"),
        HEADER.replace("-00f0", "-\u{e9}f0"),
    ] {
        assert_eq!(TraceParent::parse(&wrong), None, "{wrong}");
    }
}

#[test]
fn of_all_traces_the_share_is_told_and_always_the_same_ones() {
    let share = |percent: &str| Sampling(percent.parse::<Share>().expect("a share"));
    let mut random = fastrand::Rng::with_seed(7);
    let receipts: Vec<_> = (0..10_000).map(|_| receipt(random.u128(..))).collect();
    let taken = |sampling: Sampling| -> Vec<_> {
        receipts.iter().filter(|receipt| sampling.takes(**receipt, None)).collect()
    };
    assert_eq!(taken(share("100")).len(), 10_000);
    assert!(taken(share("0")).is_empty());
    let (few, more) = (taken(share("5")), taken(share("20")));
    assert!(
        (400..600).contains(&few.len()) && (1_800..2_200).contains(&more.len()),
        "{} {}",
        few.len(),
        more.len()
    );
    assert!(few.iter().all(|receipt| more.contains(receipt)), "whoever takes more takes the same ones, too");
    // A sender can ask for less, and not for more.
    let parent = TraceParent::parse(HEADER).expect("a header");
    let quiet = TraceParent::parse(&HEADER.replace("-01", "-00")).expect("a header");
    assert!(share("100").takes(receipt(1), Some(&parent)) && !share("100").takes(receipt(1), Some(&quiet)));
    assert!(!share("0").takes(receipt(1), Some(&parent)));
}

fn event(n: u128) -> Event {
    let envelope = tidegate_envelope::Envelope {
        receipt: receipt(n),
        source: SourceName::new("amj").expect("a source"),
        received_at_ms: 1_700_000_000_000,
        method: "POST".to_owned(),
        profile: None,
        headers: vec![tidegate_envelope::Header("traceparent".to_owned(), HEADER.to_owned())],
        content_type: None,
        sha256: tidegate_envelope::Digest::of(b"{}"),
        body: tidegate_envelope::Body::Inline(Vec::new()),
    };
    crate::read::read_fetched(envelope, br#"{"event_type":"asset.update","id":7,"name":"Ottokar"}"#.to_vec())
}

fn plan(plugin: &str, asked_us: u64, verdict: Verdict) -> Plan {
    let (name, version) = (PluginName::new(plugin).expect("a name"), Version::from_stored(&"7".repeat(64)));
    Plan { asked_us, ..Plan::unasked(name, version, 1, verdict) }
}

fn told(event: Event, plans: Vec<Plan>) -> Vec<Span> {
    let context = Context::of(event.receipt, event.trace.as_ref());
    let at_ms = |ms: u64| 1_700_000_000_000 + ms;
    let recorded = Recorded {
        event,
        queued_at_ms: at_ms(3),
        pulled_at_ms: at_ms(10),
        decided_at_ms: at_ms(20),
        plans,
        subject: SubjectChange::default(),
        came: None,
    };
    spans(&Told::Passage(Box::new(Passage::of(&recorded, context))).recorded(at_ms(25)))
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("there is no {name}"))
}

fn ms(span: &Span) -> (u64, u64) {
    let since = |at: u64| at / 1_000_000 - 1_700_000_000_000;
    (since(span.start_time_unix_nano), since(span.end_time_unix_nano))
}

#[test]
fn each_step_is_a_span_in_the_one_before() {
    let why = "wall_time_ms: Ottokar took too long".to_owned();
    let parked = Verdict::Parked { why, is_holding: true };
    let spans = told(event(1), vec![plan("a", 2_000, Verdict::Skipped), plan("b", 4_000, parked)]);
    let [edge, pull, decide, commit] = ["edge", "pull", "decide", "commit"].map(|name| named(&spans, name));
    assert_eq!([edge, pull, decide, commit].map(ms), [(0, 3), (3, 10), (10, 20), (20, 25)]);
    let parent = |span: &Span| span.parent_span_id.clone();
    assert_eq!(parent(edge), [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7], "the sender's");
    assert_eq!(
        [parent(pull), parent(decide), parent(commit)],
        [&edge.span_id, &pull.span_id, &decide.span_id].map(Clone::clone)
    );
    let asks: Vec<_> = spans.iter().filter(|span| span.name == "ask").collect();
    assert_eq!(
        asks.iter().map(|ask| ms(ask)).collect::<Vec<_>>(),
        [(16, 20), (14, 16)],
        "one after the other"
    );
    assert!(asks.iter().all(|ask| ask.parent_span_id == decide.span_id));
    assert_eq!(asks[0].status.as_ref().map(|status| status.message.as_str()), Some("wall_time_ms"));
    assert!(spans.iter().all(|span| span.trace_id == edge.trace_id && span.span_id.len() == 8));
    assert!(!format!("{spans:?}").contains("Ottokar"), "no word of a sender or a plugin: {spans:?}");
}

#[test]
fn what_comes_later_finds_its_place_by_the_receipt_alone() {
    let own = Event { trace: None, ..event(9) };
    let spans = told(own.clone(), vec![]);
    let (edge, decide) = (named(&spans, "edge"), named(&spans, "decide"));
    assert_eq!((&edge.trace_id[..], edge.parent_span_id.len()), (&receipt(9).to_bytes()[..], 0));
    let effect = crate::effect::Effect::from_record(&record(9)).expect("an effect");
    let attempt = |number| Attempt::begin(&effect, number, Context::of(receipt(9), None), 1_700_000_000_000);
    let outcome = Outcome::Done { status: 202, response_bytes: 0, elapsed_ms: 1 };
    let ended = |number| attempt(number).end(&outcome, EffectState::Done, 1_700_000_000_005);
    let [first, second] = [1, 2].map(|number| super::spans(&ended(number)).remove(0));
    for span in [&first, &second] {
        assert_eq!((&span.trace_id, &span.parent_span_id), (&decide.trace_id, &decide.span_id));
    }
    assert_ne!(first.span_id, second.span_id, "each attempt has its own");
    let header = TraceParent::parse(&attempt(1).traceparent()).expect("a header").to_bytes();
    assert_eq!([&header[..16], &header[16..24]], [&first.trace_id[..], &first.span_id[..]]);
    assert!(!format!("{first:?}").contains("who="), "no path and no query: {first:?}");
    // A plugin that wants another place says so.
    let traced = effect.traced(HEADER).traced("other");
    assert_eq!(traced.request().headers().get("traceparent").and_then(|it| it.to_str().ok()), Some(HEADER));
}

fn record(n: u128) -> String {
    let request = crate::decision::HttpRequest {
        method: "POST".to_owned(),
        url: "https://a.example:8443/x?who=Ottokar".to_owned(),
        headers: vec![],
        body: None,
        timeout_ms: None,
        reply_tag: None,
    };
    let plugin = PluginName::new("a").expect("a name");
    let grants = crate::effect::Grants {
        hosts: vec!["a.example:8443".parse().expect("a host")],
        ..Default::default()
    };
    let key = EffectKey::new(receipt(n), &plugin, 0);
    Effect::grant(&request, &grants, key, &crate::effect::EffectLimits::default())
        .expect("granted")
        .to_record()
}
