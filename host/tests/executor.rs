//! The executor against real listeners on this machine, and against addresses it must not dial.

mod home;
#[path = "executor/outbox.rs"]
mod outbox;
#[path = "executor/secret.rs"]
mod secret;
#[path = "executor/target.rs"]
mod target;
#[path = "executor/tls.rs"]
mod tls;

use std::time::Duration;
use target::{RawTarget, Target};
use tidegate::decision::HttpRequest;
use tidegate::effect::{Denied, Effect, EffectKey, EffectLimits, Grants};
use tidegate::executor::{Again, Attempt, Executor, ExecutorConfig, Outcome};
use tidegate::target::Health;
use url::{Position, Url};

const KEY: &str = "01JD9Z7C5V0000000000000000/notify/0";

/// Marks the process that `the_environments_proxies_are_not_used` starts with proxies in its environment.
const CHILD_URL: &str = "TIDEGATE_TEST_CHILD_URL";

fn config() -> ExecutorConfig {
    ExecutorConfig { allow_loopback: true, ..ExecutorConfig::default() }
}

fn executor(config: ExecutorConfig) -> Executor {
    Executor::new(config).expect("TLS can be set up")
}

fn wish(url: &str) -> HttpRequest {
    HttpRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: Some(b"{\"text\":\"hello\"}".to_vec()),
        timeout_ms: None,
        reply_tag: None,
    }
}

/// The effect of a wish whose host is granted as it stands in the URL.
fn granted(wish: &HttpRequest) -> Effect {
    let url = Url::parse(&wish.url).expect("an absolute URL");
    let authority = &url[Position::BeforeHost..Position::AfterPort];
    let grants = Grants { hosts: vec![authority.parse().expect("a host")], ..Grants::default() };
    let key: EffectKey = KEY.parse().expect("a key");
    Effect::grant(wish, &grants, key, &EffectLimits::default()).expect("the host is granted")
}

fn effect(url: &str) -> Effect {
    granted(&wish(url))
}

fn failed(attempt: Attempt) -> (String, Again) {
    match attempt.outcome {
        Outcome::Failed { what, again } => (what, again),
        done @ Outcome::Done { .. } => panic!("{done:?}"),
    }
}

#[tokio::test]
async fn a_target_sees_the_request_as_it_was_granted_with_its_key() {
    let target = Target::start().await;
    let executor = executor(config());
    let first = executor.perform(&effect(&target.url("/notify?x=1"))).await.outcome;
    assert!(matches!(first, Outcome::Done { status: 204, response_bytes: 0, .. }), "{first:?}");
    let seen = target.seen();
    let [request] = seen.as_slice() else {
        panic!("one attempt is one request: {seen:?}");
    };
    assert_eq!((request.method.as_str(), request.uri.to_string()), ("POST", "/notify?x=1".to_owned()));
    assert_eq!(request.body, "{\"text\":\"hello\"}");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("host"), format!("127.0.0.1:{}", target.port));
    assert_eq!(request.header("user-agent"), concat!("Tidegate/", env!("CARGO_PKG_VERSION")));
    assert_eq!(request.header("idempotency-key"), KEY);
}

#[tokio::test]
async fn a_repeat_carries_the_same_key_even_after_it_was_stored() {
    let target = Target::start().await;
    let effect = effect(&target.url("/status/503"));
    let stored = Effect::from_record(&effect.to_record()).expect("what was written can be read");
    for effect in [&effect, &effect, &stored] {
        failed(executor(config()).perform(effect).await);
    }
    let keys: Vec<_> = target.seen().iter().map(|request| request.header("idempotency-key")).collect();
    assert_eq!(keys, [KEY; 3]);
}

#[tokio::test]
async fn a_plugin_may_name_itself() {
    let target = Target::start().await;
    let mut wish = wish(&target.url("/"));
    wish.headers.push(("User-Agent".to_owned(), "notify/2".to_owned()));
    executor(config()).perform(&granted(&wish)).await;
    assert_eq!(target.seen()[0].header("user-agent"), "notify/2");
}

#[tokio::test]
async fn every_status_has_its_outcome() {
    let target = Target::start().await;
    let executor = executor(config());
    for (status, again) in [
        (200, None),
        (201, None),
        (204, None),
        (304, Some(Again::Never)),
        (400, Some(Again::Never)),
        (401, Some(Again::Never)),
        (404, Some(Again::Never)),
        (410, Some(Again::Never)),
        (422, Some(Again::Never)),
        (408, Some(Again::After(None))),
        (425, Some(Again::After(None))),
        (429, Some(Again::After(None))),
        (500, Some(Again::After(None))),
        (502, Some(Again::After(None))),
        (503, Some(Again::After(None))),
        (504, Some(Again::After(None))),
    ] {
        let outcome = executor.perform(&effect(&target.url(&format!("/status/{status}")))).await.outcome;
        match (again, outcome) {
            (None, Outcome::Done { status: found, .. }) => assert_eq!(found, status),
            (Some(again), Outcome::Failed { what, again: found }) => {
                assert!(what.contains(&status.to_string()), "{status}: {what}");
                assert_eq!(found, again, "{status}");
            }
            (_, outcome) => panic!("{status}: {outcome:?}"),
        }
    }
    let ports: std::collections::BTreeSet<_> =
        target.seen().iter().map(|request| request.peer_port).collect();
    assert_eq!(ports.len(), 1, "failures keep their connection too");
}

#[tokio::test]
async fn a_target_can_ask_to_be_left_alone_within_bounds() {
    let target = Target::start().await;
    let executor = executor(ExecutorConfig { retry_after_ms_max: 90_000, ..config() });
    for (path, again) in [
        ("/retry-after/429/7", Again::After(Some(7_000))),
        ("/retry-after/503/3600", Again::After(Some(90_000))),
        ("/retry-after/503/soon", Again::After(None)),
        ("/retry-after/503/Sun,%2006%20Nov%201994%2008:49:37%20GMT", Again::After(Some(0))),
        ("/retry-after/503/Fri,%2031%20Dec%209999%2023:59:59%20GMT", Again::After(Some(90_000))),
        ("/retry-after/404/7", Again::Never),
    ] {
        let (what, found) = failed(executor.perform(&effect(&target.url(path))).await);
        assert_eq!(found, again, "{path}: {what}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Target::start().await;
    let executor = executor(config());
    for status in [301, 302, 303, 307, 308] {
        let (what, again) =
            failed(executor.perform(&effect(&target.url(&format!("/redirect/{status}")))).await);
        assert_eq!(again, Again::Never);
        assert!(what.contains("redirects are not followed"), "{what}");
    }
    let paths: Vec<_> = target.seen().iter().map(|request| request.uri.path().to_owned()).collect();
    assert!(paths.iter().all(|path| path.starts_with("/redirect/")), "{paths:?}");
}

#[tokio::test]
async fn a_target_that_never_answers_hits_the_deadline() {
    let target = RawTarget::start(b"").await;
    let executor = executor(ExecutorConfig { deadline_ms: 150, ..config() });
    let (what, again) = failed(executor.perform(&effect(&target.url())).await);
    assert_eq!((what.as_str(), again), ("unknown: no answer within 150 ms", Again::After(None)));
}

#[tokio::test]
async fn a_plugin_may_ask_for_less_time_but_not_for_more() {
    let target = RawTarget::start(b"").await;
    let executor = executor(ExecutorConfig { deadline_ms: 150, ..config() });
    for (timeout_ms, expected) in
        [(50, "unknown: no answer within 50 ms"), (60_000, "unknown: no answer within 150 ms")]
    {
        let wish = HttpRequest { timeout_ms: Some(timeout_ms), ..wish(&target.url()) };
        assert_eq!(failed(executor.perform(&granted(&wish)).await).0, expected);
    }
}

#[tokio::test]
async fn a_response_that_never_ends_does_not_hold_the_executor_nor_change_the_outcome() {
    let target = RawTarget::start(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789").await;
    let executor = executor(ExecutorConfig { deadline_ms: 150, ..config() });
    match executor.perform(&effect(&target.url())).await.outcome {
        Outcome::Done { status: 200, response_bytes: 10, elapsed_ms } => assert!(elapsed_ms >= 150),
        other => panic!("the target said 200: {other:?}"),
    }
}

#[tokio::test]
async fn a_huge_response_is_cut() {
    let target = RawTarget::start_endless(b"HTTP/1.1 200 OK\r\n\r\n").await;
    let executor = executor(ExecutorConfig { response_bytes_max: 10_000, ..config() });
    let outcome = executor.perform(&effect(&target.url())).await.outcome;
    assert!(matches!(outcome, Outcome::Done { status: 200, response_bytes: 10_000, .. }), "{outcome:?}");
    // The writer ends only because the connection was closed on it; what it got rid of fits in socket buffers.
    let written = target.written().await;
    assert!(written < 32 << 20, "{written} bytes were taken from the target");
}

#[tokio::test]
async fn an_answer_that_is_no_http_and_a_port_nobody_listens_on_may_pass() {
    let garbage = RawTarget::start(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    let closed = RawTarget::start(b"").await.close().await;
    let executor = executor(config());
    for url in [garbage.url(), closed] {
        let (what, again) = failed(executor.perform(&effect(&format!("{url}hush"))).await);
        assert_eq!(again, Again::After(None), "{what}");
        assert!(!what.contains("hush"), "the URL may hold a secret: {what}");
    }
}

#[tokio::test]
async fn loopback_is_not_dialled_unless_the_setting_says_so() {
    let target = Target::start().await;
    let port = target.port;
    let closed = executor(ExecutorConfig::default());
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0x7f000001",
        "017700000001",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "127.0.0.1.",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::127.0.0.1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::1]",
        "localhost",
        "LOCALHOST.",
    ] {
        let (what, again) = failed(closed.perform(&effect(&format!("http://{host}:{port}/"))).await);
        assert_eq!(again, Again::Never, "{host}: {what}");
        assert!(what.contains("only public addresses are dialled"), "{host}: {what}");
    }
    assert_eq!(target.connections(), 0);

    let open = executor(config());
    for host in ["127.0.0.1", "127.1", "2130706433", "localhost"] {
        let outcome = open.perform(&effect(&format!("http://{host}:{port}/"))).await.outcome;
        assert!(matches!(outcome, Outcome::Done { .. }), "{host}: {outcome:?}");
    }
    // What only looks like loopback stays closed.
    for host in ["0", "[::ffff:127.0.0.1]", "[::127.0.0.1]"] {
        let (what, again) = failed(open.perform(&effect(&format!("http://{host}:{port}/"))).await);
        assert_eq!(again, Again::Never, "{host}: {what}");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_without_being_dialled() {
    // An attempt to connect would end in another error, which may pass.
    for executor in [executor(ExecutorConfig::default()), executor(config())] {
        for host in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "[fd00:ec2::254]",
            "[fe80::1]",
            "[2002:a00:1::]",
        ] {
            for scheme in ["http", "https"] {
                let (what, again) = failed(executor.perform(&effect(&format!("{scheme}://{host}/"))).await);
                assert_eq!(again, Again::Never, "{host}: {what}");
                assert!(what.contains("is private or special"), "{host}: {what}");
            }
        }
    }
}

#[test]
fn user_information_and_line_breaks_never_become_an_effect() {
    let grants = Grants { hosts: vec!["a.example".parse().expect("a host")], ..Grants::default() };
    let deny = |wish: &HttpRequest| {
        let key: EffectKey = KEY.parse().expect("a key");
        Effect::grant(wish, &grants, key, &EffectLimits::default()).expect_err("it breaks a rule")
    };
    assert_eq!(deny(&wish("https://user:pass@a.example/")), Denied::UserInformation);
    let mut split = wish("https://a.example/");
    split.headers.push(("x-note".to_owned(), "1\r\nhost: evil.example".to_owned()));
    assert_eq!(deny(&split), Denied::HeaderValue("x-note".to_owned()));
}

#[tokio::test]
async fn the_environments_proxies_are_not_used() {
    if let Ok(url) = std::env::var(CHILD_URL) {
        let outcome = executor(config()).perform(&effect(&url)).await.outcome;
        assert!(matches!(outcome, Outcome::Done { status: 204, .. }), "{outcome:?}");
        // The other way round: a client that does use them ends up at the proxy.
        let obedient = reqwest::Client::builder().build().expect("a client");
        let proxied = obedient.get(&url).send().await.expect("the proxy answers");
        assert_eq!(proxied.status(), 204);
        return;
    }
    let (target, proxy) = (Target::start().await, Target::start().await);
    let this_test = std::env::current_exe().expect("a test has a file");
    let mut child = tokio::process::Command::new(this_test);
    child.args(["--exact", "the_environments_proxies_are_not_used"]);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, proxy.url(""));
    }
    child.env_remove("no_proxy").env_remove("NO_PROXY").env_remove("REQUEST_METHOD");
    let run = child.env(CHILD_URL, target.url("/direct")).output();
    let output = tokio::time::timeout(Duration::from_secs(60), run)
        .await
        .expect("two requests take no minute")
        .expect("the test can be started again");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((target.seen().len(), proxy.seen().len()), (1, 1));
}

#[tokio::test]
async fn where_tidegate_itself_listens_no_effect_goes_even_where_loopback_is_open() {
    let (ours, theirs) = (Target::start().await, Target::start().await);
    let own = vec![std::net::SocketAddr::from(([127, 0, 0, 1], ours.port))];
    let executor = executor(ExecutorConfig { own, ..config() });
    for host in ["127.0.0.1", "127.1", "2130706433", "localhost", "LOCALHOST."] {
        let (what, again) = failed(executor.perform(&effect(&format!("http://{host}:{}/", ours.port))).await);
        assert_eq!(again, Again::Never, "{host}: {what}");
        assert!(what.contains("where Tidegate itself listens"), "{host}: {what}");
        let other = executor.perform(&effect(&format!("http://{host}:{}/", theirs.port))).await.outcome;
        assert!(matches!(other, Outcome::Done { .. }), "{host}: {other:?}");
    }
    assert_eq!(ours.connections(), 0);
}

#[tokio::test]
async fn a_failure_says_whether_it_is_the_targets() {
    let target = Target::start().await;
    let (silent, closed) = (RawTarget::start(b"").await, RawTarget::start(b"").await.close().await);
    let executor = executor(ExecutorConfig { deadline_ms: 1_200, ..config() });
    let in_ms = |url: String, timeout_ms| granted(&HttpRequest { timeout_ms, ..wish(&url) });
    for (effect, health) in [
        (effect(&target.url("/status/200")), Health::Answers),
        (effect(&target.url("/status/404")), Health::Answers),
        (effect(&target.url("/status/429")), Health::Answers),
        (effect(&target.url("/status/500")), Health::Fails),
        (effect(&closed), Health::Fails),
        (in_ms(silent.url(), None), Health::Fails),
        // A plugin that gives a target no time cannot have it left alone.
        (in_ms(silent.url(), Some(20)), Health::Unknown),
        (effect("http://10.0.0.1/"), Health::Unknown),
    ] {
        let url = effect.request().url().to_string();
        assert_eq!(executor.perform(&effect).await.health, health, "{url}");
    }
}

#[tokio::test]
async fn an_answer_is_kept_when_it_is_wanted_and_cut_where_it_is_too_long() {
    let target = Target::start().await;
    let executor = executor(ExecutorConfig { response_bytes_max: 3, ..config() });
    let wanted =
        |path: &str| granted(&HttpRequest { reply_tag: Some("t".to_owned()), ..wish(&target.url(path)) });
    let answer = executor.perform(&wanted("/retry-after/404/7")).await.answer.expect("wanted");
    assert_eq!((answer.status, answer.body.as_slice(), answer.is_cut), (404, &b"lat"[..], true));
    assert_eq!(answer.content_type.as_deref(), Some("text/plain; charset=utf-8"));
    let empty = executor.perform(&wanted("/status/204")).await.answer.expect("wanted");
    assert_eq!((empty.body.as_slice(), empty.is_cut), (&b""[..], false));
    assert_eq!(executor.perform(&effect(&target.url("/status/200"))).await.answer, None);
}
