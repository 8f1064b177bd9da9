//! The outbox with a real store, a real executor and real targets on this machine.

use super::home::Home;
use super::target::{RawTarget, Target};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tidegate::decision::HttpRequest;
use tidegate::effect::secret::{NamedSecret, SecretName};
use tidegate::effect::{Effect, EffectKey, EffectLimits};
use tidegate::event::Event;
use tidegate::executor::secret::{SecretValue, Secrets};
use tidegate::executor::{Executor, ExecutorConfig};
use tidegate::holding::Holding;
use tidegate::log::Log;
use tidegate::outbox::{self, Outbox, TargetRules};
use tidegate::partition::Partitions;
use tidegate::plan::{Basis, Decided, Plan, Verdict};
use tidegate::plugin::{Manifest, Version};
use tidegate::retry::RetryPolicy;
use tidegate::store::keeping::{Keeping as _, Look};
use tidegate::store::sql::SqlStore;
use tidegate::store::versions::{NewVersion, Provenance};
use tidegate::store::{Batch, EffectRow, Recorded, Store, SubjectChange};
use tidegate::target::TargetLimits;
use tidegate_envelope::{Body, Digest, Envelope, Receipt, SourceName};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// The secret that must be found nowhere.
const VALUE: &str = "hush-hush-hush";

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(since.as_millis()).expect("a small number")
}

/// The policy of a test: soon again, and few times.
const RETRY: RetryPolicy = RetryPolicy { attempts_max: 4, first_ms: 20, factor: 1, cap_ms: 20 };

fn manifest() -> Manifest {
    Manifest::parse("name = \"notice\"\nkinds = [\"*\"]\nhosts = [\"127.0.0.1\"]\nsecrets = [\"jira\"]\n")
        .expect("a valid manifest")
}

fn secrets() -> Secrets {
    let name = SecretName::new("jira").expect("a name");
    let named = NamedSecret { name, hosts: vec!["127.0.0.1".parse().expect("a host")] };
    Secrets::new(vec![(named, SecretValue::new(VALUE).expect("a value"))])
}

/// A host without its front: what was decided is put into the store, and performed.
struct Back {
    store: SqlStore,
    recorded: Arc<Notify>,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Back {
    async fn start(home: &Home, targets: TargetRules, in_flight_max: usize) -> Self {
        let store = home.open().expect("opens");
        let version = Version::of(b"component", &manifest());
        let new = NewVersion {
            version,
            manifest: manifest(),
            component: b"component".to_vec(),
            provenance: Provenance::default(),
            made_at_ms: 1,
        };
        store.commit(Batch { versions: vec![new], ..Batch::default() }).await.expect("commits");
        let config = ExecutorConfig {
            allow_loopback: true,
            deadline_ms: 1_500,
            secrets: secrets(),
            ..ExecutorConfig::default()
        };
        let recorded = Arc::new(Notify::new());
        let outbox = Outbox {
            store: store.clone(),
            executor: Executor::new(config).expect("TLS can be set up"),
            retry: RETRY,
            in_flight_max,
            targets,
            now_ms,
            chance: || 0.5,
            recorded: Arc::clone(&recorded),
            holding: Holding::new(Partitions::ALL),
            signals: Arc::default(),
        };
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(outbox::run(outbox, stopped));
        Self { store, recorded, stop, running }
    }

    async fn decide(&self, events: impl IntoIterator<Item = (u64, String, Option<&str>)>) {
        let events = events.into_iter().map(|(n, url, reply_tag)| recorded(n, &url, reply_tag)).collect();
        self.store.commit(Batch { events, ..Batch::default() }).await.expect("commits");
        self.recorded.notify_waiters();
    }

    async fn effect(&self, n: u64) -> EffectRow {
        let row = self.store.event(receipt(n)).await.expect("reads").expect("is there");
        row.effects.into_iter().next().expect("one effect")
    }

    /// The effect, once this holds of it.
    async fn effect_when(&self, n: u64, holds: impl Fn(&EffectRow) -> bool) -> EffectRow {
        for _ in 0..1_000 {
            let effect = self.effect(n).await;
            if holds(&effect) {
                return effect;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it never was: {:?}", self.effect(n).await);
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.running.await.expect("it ends");
    }
}

fn receipt(n: u64) -> Receipt {
    Receipt::new(1_700_000_000_000 + n, n.into())
}

fn event(n: u64) -> Event {
    let body = format!("{{\"event_type\":\"asset.update\",\"id\":{n}}}").into_bytes();
    let envelope = Envelope {
        receipt: receipt(n),
        source: SourceName::new("amj").expect("a valid name"),
        received_at_ms: 1_700_000_000_000 + n,
        method: "POST".into(),
        profile: None,
        headers: vec![],
        content_type: Some("application/json".into()),
        sha256: Digest::of(&body),
        body: Body::Inline(vec![]),
    };
    tidegate::read::read_fetched(envelope, body)
}

/// An event about which one request with a secret in it was decided.
fn recorded(n: u64, url: &str, reply_tag: Option<&str>) -> Recorded {
    let request = HttpRequest {
        method: "POST".into(),
        url: url.to_owned(),
        headers: vec![("authorization".into(), "Bearer {{secret:jira}}".into())],
        body: Some(b"{{secret:jira}}".to_vec()),
        timeout_ms: None,
        reply_tag: reply_tag.map(str::to_owned),
    };
    let grants = manifest().grants(&secrets().named()).expect("hosts");
    let key = EffectKey::new(receipt(n), &manifest().name, 0);
    let effect = Effect::grant(&request, &grants, key, &EffectLimits::default()).expect("granted");
    let plan = Plan {
        plugin: manifest().name,
        version: Version::of(b"component", &manifest()),
        attempt: 1,
        asked_us: 1,
        log: Log::default(),
        verdict: Verdict::Decided(Decided { effects: vec![effect], ..Decided::default() }),
        basis: Basis::default(),
    };
    Recorded {
        event: event(n),
        queued_at_ms: 1,
        pulled_at_ms: 1,
        decided_at_ms: now_ms(),
        plans: vec![plan],
        subject: SubjectChange::default(),
        came: None,
    }
}

fn is_over(effect: &EffectRow) -> bool {
    effect.state != "waiting"
}

const USUAL: TargetLimits = TargetLimits {
    in_flight_max: 100,
    requests_per_second: 0,
    failures_max: 1_000,
    pause_ms: 100,
    pause_ms_max: 60_000,
};

fn rules(usual: TargetLimits) -> TargetRules {
    TargetRules { usual, known: vec![] }
}

#[tokio::test]
async fn a_flood_for_a_target_that_never_answers_does_not_starve_the_others() {
    let dir = Home::new();
    let (slow, fast) = (RawTarget::start(b"").await, Target::start().await);
    let back = Back::start(&dir, rules(USUAL), 8).await;
    back.decide((1..=500).map(|n| (n, slow.url(), None))).await;
    // The slow one has what it may have before the fast one's first effect is there.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = tokio::time::Instant::now();
    back.decide((501..=530).map(|n| (n, fast.url("/status/200"), None))).await;
    for n in 501..=530 {
        back.effect_when(n, is_over).await;
    }
    // The first attempts at the slow one end after 1.5 s.
    assert!(began.elapsed() < Duration::from_millis(1_200), "{:?}", began.elapsed());
    let waiting = back.effect_when(1, |effect| effect.attempts > 0).await;
    assert_eq!(waiting.what.as_deref(), Some("unknown: no answer within 1500 ms"));
    back.stop().await;
}

#[tokio::test]
async fn a_failing_target_is_left_alone_and_its_effects_wait_without_using_up_attempts() {
    let dir = Home::new();
    let target = Target::start().await;
    let limits = TargetLimits { in_flight_max: 1, failures_max: 3, pause_ms: 60_000, ..USUAL };
    let back = Back::start(&dir, rules(limits), 8).await;
    back.decide((1..=20).map(|n| (n, target.url("/status/503"), None))).await;
    back.effect_when(20, |effect| effect.paused.is_some()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(target.seen().len(), 3, "nobody asks after the third failure");
    let mut attempts = 0;
    for n in 1..=20 {
        let effect = back.effect(n).await;
        assert_eq!(effect.state, "waiting");
        let paused = effect.paused.expect("it says why");
        assert!(paused.why.contains("answered 503 Service Unavailable"), "{paused:?}");
        attempts += effect.attempts;
    }
    assert_eq!(attempts, 3);
    back.stop().await;

    // Another start does not ask sooner.
    let back = Back::start(&dir, rules(limits), 8).await;
    back.recorded.notify_waiters();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(target.seen().len(), 3);
    back.stop().await;
}

#[tokio::test]
async fn a_target_that_works_again_is_found_out_by_one_effect_and_then_gets_the_rest() {
    let dir = Home::new();
    let target = Target::start().await;
    let limits = TargetLimits { in_flight_max: 2, failures_max: 2, ..USUAL };
    let back = Back::start(&dir, rules(limits), 8).await;
    target.fail_next(3);
    back.decide((1..=20).map(|n| (n, target.url("/status/200"), None))).await;
    for n in 1..=20 {
        assert_eq!(back.effect_when(n, is_over).await.state, "done");
    }
    let effect = back.effect(1).await;
    assert_eq!(effect.paused, None);
    let tries: Vec<_> = effect.tries.iter().map(|tried| (tried.attempt, tried.what.as_str())).collect();
    assert_eq!(tries[0], (1, "answered 500 Internal Server Error"));
    assert!(tries.len() >= 2 && tries.last().expect("some").1.starts_with("200 in "), "{tries:?}");
    assert_eq!(target.seen().len(), 23, "three failures, twenty that were done, nothing twice");
    back.stop().await;
}

#[tokio::test]
async fn a_target_is_not_asked_faster_than_the_operator_says() {
    let dir = Home::new();
    let target = Target::start().await;
    let back = Back::start(&dir, rules(TargetLimits { requests_per_second: 20, ..USUAL }), 8).await;
    let began = tokio::time::Instant::now();
    back.decide((1..=12).map(|n| (n, target.url("/status/200"), None))).await;
    for n in 1..=12 {
        back.effect_when(n, is_over).await;
    }
    // Two at once, ten more at 20 in a second.
    assert!(began.elapsed() >= Duration::from_millis(480), "{:?}", began.elapsed());
    back.stop().await;
}

#[tokio::test]
async fn a_response_comes_back_as_an_event_for_the_plugin_that_asked() {
    let dir = Home::new();
    let target = Target::start().await;
    let back = Back::start(&dir, rules(USUAL), 8).await;
    let paths = ["/retry-after/200/0", "/retry-after/404/0", "/retry-after/503/0"];
    back.decide((1..).zip(paths).map(|(n, path)| (n, target.url(path), Some("answer")))).await;
    for n in 1..=3 {
        back.effect_when(n, is_over).await;
    }
    let mut replies = back.store.upcoming_due(now_ms(), 10, Partitions::ALL).await.expect("reads");
    replies.sort_by_key(|due| due.upcoming.cause.receipt);
    for (due, (n, status)) in replies.iter().zip([(1, "200"), (2, "404"), (3, "503")]) {
        let (reply, receipt) = (&due.upcoming, receipt(n));
        assert_eq!((reply.kind.as_str(), reply.subject.clone()), ("tidegate.reply", n.to_string()));
        assert_eq!((reply.source.as_str(), reply.body.as_slice()), ("amj", &b"later"[..]));
        assert_eq!((reply.cause.receipt, reply.cause.depth), (receipt, 1));
        assert_eq!(reply.cause.audience, Some(manifest().name));
        let attribute = |name: &str| {
            reply.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
        };
        assert_eq!((attribute("tag"), attribute("status")), (Some("answer"), Some(status)));
        assert_eq!(attribute("effect"), Some(format!("{receipt}/notice/0").as_str()));
        assert_eq!(attribute("error").is_some(), status != "200", "{reply:?}");
    }
    assert_eq!(replies.len(), 3, "one each, however often it was tried");
    back.stop().await;
}

/// Where the log goes while a test looks for what must not be in it.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panics while holding it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_secret_is_in_no_file_and_in_no_log() {
    let log = Captured::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    // One thread does all of it, so this hears all of it.
    let _guard = tracing::subscriber::set_default(subscriber);
    let dir = Home::new();
    let (target, closed) = (Target::start().await, RawTarget::start(b"").await.close().await);
    let back = Back::start(&dir, rules(USUAL), 8).await;
    let urls = [
        target.url("/echo/{{secret:jira}}?key={{secret:jira}}"),
        target.url("/status/503?key={{secret:jira}}"),
        format!("{closed}{{{{secret:jira}}}}"),
    ];
    back.decide((1..).zip(urls).map(|(n, url)| (n, url, Some("t")))).await;
    for n in 1..=3 {
        back.effect_when(n, is_over).await;
    }
    let seen = &target.seen()[0];
    assert_eq!(seen.header("authorization"), format!("Bearer {VALUE}"), "it was sent");
    let replies = back.store.upcoming_due(now_ms(), 10, Partitions::ALL).await.expect("reads");
    let body = |at: usize| String::from_utf8_lossy(&replies[at].upcoming.body).into_owned();
    assert!((0..replies.len()).any(|at| body(at).contains("Bearer [secret]")), "and came back");
    let store = back.store.clone();
    back.stop().await;

    let places = |text: &'static str| -> Look {
        Arc::new(move |bytes| {
            let parts = bytes.windows(text.len()).enumerate();
            parts.filter(|(_, part)| *part == text.as_bytes()).map(|(at, _)| at).collect()
        })
    };
    let found = async |text| -> u64 {
        store.look(places(text), false).await.expect("looks").iter().map(|looked| looked.found).sum()
    };
    assert!(found("{{secret:jira}}").await > 0, "its name is in the store");
    assert_eq!(found(VALUE).await, 0, "the secret is in the store");
    let log = log.0.lock().expect("nobody panics while holding it").clone();
    assert!(String::from_utf8_lossy(&log).contains("parked an effect"), "the log was captured");
    assert_free(&log, "the log");
}

fn assert_free(bytes: &[u8], place: &str) {
    let found = bytes.windows(VALUE.len()).position(|part| part == VALUE.as_bytes());
    assert_eq!(found, None, "the secret is in {place}");
}
