//! The plan: whatever a plugin decides, only what was granted is done, all of it or nothing.

use crate::event::read_event;
use derive_arbitrary::Arbitrary;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;
use tidegate::account::Account;
use tidegate::decision::{Decision, HttpRequest, Refusal};
use tidegate::effect::{Effect, Grants, HostGrant};
use tidegate::limits::Limits;
use tidegate::log::Log;
use tidegate::plan::{Asked, Asking, Decided, PlanRules, Verdict, plan};
use tidegate::plugin::{Manifest, Version};
use tidegate::registry::Active;
use tidegate::sandbox::{Prepared, Sandbox, SandboxConfig};
use tidegate::upcoming::Upcoming;
use tidegate_envelope::Receipt;

/// A small component that is never run: the plan asks nothing of it. Compressed by xz.
const GUEST: &[u8] = include_bytes!("../../tests/fixtures/v1/c.wasm.xz");

/// Headers that no plugin sets: the contract names them.
const HEADERS_OF_THE_HOST: [&str; 5] =
    ["host", "content-length", "transfer-encoding", "connection", "idempotency-key"];

#[derive(Arbitrary, Debug)]
struct Wishes<'a> {
    receipt: u128,
    attempt: u32,
    now_ms: u64,
    jitter: f64,
    granted: Vec<&'a str>,
    refusal: Option<No<'a>>,
    decisions: Vec<Wish<'a>>,
}

#[derive(Arbitrary, Debug)]
enum No<'a> {
    Skip,
    RetryAfterMs(u64),
    Park(&'a str),
    Other(&'a str),
}

#[derive(Arbitrary, Debug)]
enum Wish<'a> {
    Http {
        method: Method<'a>,
        url: Address<'a>,
        headers: Vec<(&'a str, &'a str)>,
        body: Option<&'a [u8]>,
        timeout_ms: Option<u32>,
        reply_tag: Option<&'a str>,
    },
    Emit(&'a str, &'a str, &'a [u8]),
    Wake(u64, &'a str, &'a [u8]),
    Remember(Option<&'a [u8]>),
    Note(&'a str),
    Other(&'a str, &'a [u8]),
}

#[derive(Arbitrary, Debug)]
enum Method<'a> {
    Get,
    Put,
    Post,
    Any(&'a str),
}

/// A URL, or one of a host that was granted: few texts are either by chance.
#[derive(Arbitrary, Debug)]
enum Address<'a> {
    Any(&'a str),
    Granted { number: u8, is_plain: bool, path: &'a str },
}

/// Takes what was granted and what a plugin said.
///
/// # Panics
/// When something is done that was not granted, or half of what was decided.
pub fn check(bytes: &[u8]) {
    let Some(wishes) = crate::made_of::<Wishes<'_>>(bytes) else { return };
    let active = active(&wishes.granted);
    let decisions: Vec<_> = wishes.decisions.iter().map(|wish| wish.decision(&wishes.granted)).collect();
    let receipt = Receipt::new((wishes.now_ms) & ((1 << 48) - 1), wishes.receipt);
    let event = read_event(receipt, br#"{"event_type":"asset.update","id":675}"#);
    let rules = PlanRules::default();
    let asking = Asking { event: &event, active: &active, rules: &rules, now_ms: wishes.now_ms };
    let each: Vec<_> =
        (0..).zip(&decisions).map(|(position, decision)| asking.grant(position, decision)).collect();
    let forgotten = decisions.iter().filter(|it| matches!(it, Decision::Remember(_))).count();
    let is_refused = wishes.refusal.is_some();
    let planned = plan(
        Asked {
            event: &event,
            active: &active,
            attempt: wishes.attempt,
            memory: None,
            asked_us: 0,
            answer: Ok(wishes.refusal.map_or(Ok(decisions), |no| Err(no.refusal()))),
            log: Log::default(),
            now_ms: wishes.now_ms,
            jitter: wishes.jitter,
        },
        &rules,
    );
    match planned.verdict {
        Verdict::Decided(Decided { effects, upcoming, memory, notes }) => {
            assert!(!is_refused && each.iter().all(Result::is_ok), "all was granted");
            let done = effects.len() + upcoming.len() + notes.len();
            assert_eq!(done + forgotten, each.len(), "all is done");
            assert_eq!(memory.is_some(), forgotten > 0, "the last memory counts");
            for upcoming in &upcoming {
                assert!(upcoming.due_at_ms >= wishes.now_ms && upcoming.cause.receipt == event.receipt);
                assert_eq!(Upcoming::from_record(&upcoming.to_record()).expect("a record"), *upcoming);
            }
            let keys: BTreeSet<_> = effects.iter().map(Effect::key).collect();
            assert_eq!(keys.len(), effects.len(), "each effect has a key of its own");
            for effect in &effects {
                granted(effect, &active.grants);
            }
        }
        Verdict::Parked { .. } if !is_refused => {
            assert!(each.iter().any(Result::is_err), "what is granted is not parked");
        }
        Verdict::Waiting { due_at_ms, .. } => assert!(due_at_ms >= wishes.now_ms, "later, not sooner"),
        Verdict::Held => panic!("it was asked"),
        Verdict::Parked { .. } | Verdict::Skipped => assert!(is_refused, "decisions are decided"),
    }
}

/// The effect goes where a grant says, may be sent as it is, and is the same once it was stored.
fn granted(effect: &Effect, grants: &Grants) {
    harmless(effect);
    let url = effect.request().url();
    let host = url.host_str().expect("it has a host");
    let with_port = format!("{host}:{}", url.port_or_known_default().expect("http and https have one"));
    let is_granted = grants.hosts.iter().map(ToString::to_string).any(|it| it == host || it == with_port);
    assert!(is_granted, "{with_port} was not granted: {:?}", grants.hosts);
    let stored = effect.to_record();
    assert_eq!(Effect::from_record(&stored).expect("what was written can be read"), *effect);
}

/// What holds for any effect, whatever was granted when it was recorded.
pub(crate) fn harmless(effect: &Effect) {
    let request = effect.request();
    let url = request.url();
    assert!(["http", "https"].contains(&url.scheme()), "{url}");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{url}");
    assert!(["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&request.method().as_str()));
    for (name, value) in request.headers() {
        assert!(!HEADERS_OF_THE_HOST.contains(&name.as_str()), "{name} is the host's own");
        assert!(value.to_str().is_ok(), "{name} can be sent as it is");
    }
    assert_eq!(effect.key().to_header(), effect.key().as_str(), "the key is a header's value");
}

impl Wish<'_> {
    fn decision(&self, granted: &[&str]) -> Decision {
        match *self {
            Self::Http { ref method, ref url, ref headers, body, timeout_ms, reply_tag } => {
                let headers =
                    headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
                Decision::Http(HttpRequest {
                    method: method.name().to_owned(),
                    url: url.text(granted),
                    headers,
                    body: body.map(<[u8]>::to_vec),
                    timeout_ms,
                    reply_tag: reply_tag.map(str::to_owned),
                })
            }
            Self::Emit(kind, subject, body) => Decision::Emit {
                kind: kind.to_owned(),
                subject: subject.to_owned(),
                content_type: None,
                body: body.to_vec(),
            },
            Self::Wake(after_ms, tag, body) => {
                Decision::Wake { after_ms, tag: tag.to_owned(), body: body.to_vec() }
            }
            Self::Remember(bytes) => Decision::Remember(bytes.map(<[u8]>::to_vec)),
            Self::Note(text) => Decision::Note(text.to_owned()),
            Self::Other(kind, body) => Decision::Other { kind: kind.to_owned(), body: body.to_vec() },
        }
    }
}

impl No<'_> {
    fn refusal(&self) -> Refusal {
        match *self {
            Self::Skip => Refusal::Skip,
            Self::RetryAfterMs(ms) => Refusal::RetryAfterMs(ms),
            Self::Park(why) => Refusal::Park(why.to_owned()),
            Self::Other(why) => Refusal::Other(why.to_owned()),
        }
    }
}

impl Method<'_> {
    const fn name(&self) -> &str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Any(name) => name,
        }
    }
}

impl Address<'_> {
    fn text(&self, granted: &[&str]) -> String {
        match *self {
            Self::Any(text) => text.to_owned(),
            Self::Granted { number, is_plain, path } => {
                let host = granted.iter().cycle().nth(usize::from(number)).unwrap_or(&"a.example");
                format!("http{}://{host}/{path}", if is_plain { "" } else { "s" })
            }
        }
    }
}

/// A plugin that was granted these hosts, where they are hosts.
fn active(hosts: &[&str]) -> Active {
    static READY: OnceLock<(Sandbox, Prepared, Manifest)> = OnceLock::new();
    let (_, code, manifest) = READY.get_or_init(|| {
        let dir = TempDir::new().expect("a folder for compiled code");
        let mut config = SandboxConfig::new(dir.path().to_owned());
        (config.engines, config.instances_max) = (1, 1);
        let sandbox = Sandbox::new(config).expect("a sandbox");
        let mut component = Vec::new();
        lzma_rs::xz_decompress(&mut &*GUEST, &mut component).expect("a component");
        let code = sandbox.prepare(&component).expect("a plugin");
        let manifest =
            Manifest::parse("name = \"notify\"\nkinds = [\"*\"]\nemits = [\"*\"]").expect("a manifest");
        (sandbox, code, manifest)
    });
    let version = Version::from_stored("0");
    Active {
        account: Arc::new(Account::new(manifest.name.clone(), version.clone())),
        version,
        manifest: manifest.clone(),
        grants: Grants {
            hosts: hosts.iter().filter_map(|host| HostGrant::parse(host).ok()).collect(),
            ..Grants::default()
        },
        writes_back_to: vec![],
        settings: vec![],
        limits: Limits::default(),
        code: code.clone().into(),
    }
}
