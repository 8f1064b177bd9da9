//! Secrets on their way to a target and back.

use super::target::{RawTarget, Target};
use super::{KEY, config, executor, failed, wish};
use tidegate::decision::HttpRequest;
use tidegate::effect::secret::{NamedSecret, SecretGrants, SecretName};
use tidegate::effect::{Effect, EffectLimits, Grants};
use tidegate::executor::secret::{SecretValue, Secrets};
use tidegate::executor::{Again, ExecutorConfig};
use url::{Position, Url};

/// A value with all that forms of it differ in.
const VALUE: &str = "hush \"hush\"/1?";

fn secrets(host: &str) -> Secrets {
    let name = SecretName::new("jira").expect("a name");
    let named = NamedSecret { name, hosts: vec![host.parse().expect("a host")] };
    Secrets::new(vec![(named, SecretValue::new(VALUE).expect("a value"))])
}

/// A wish that names the secret wherever it can, granted where it goes to this host.
fn marked(url: &str, host: &str) -> Effect {
    let mark = "{{secret:jira}}";
    let wish = HttpRequest {
        headers: vec![("authorization".to_owned(), format!("Bearer {mark}"))],
        body: Some(format!("{{\"key\":\"{mark}\"}}").into_bytes()),
        reply_tag: Some("t".to_owned()),
        ..wish(&format!("{url}/echo/{mark}/x?key={mark}&y=1"))
    };
    let url = Url::parse(url).expect("a URL");
    let hosts = vec![url[Position::BeforeHost..Position::AfterPort].parse().expect("a host")];
    let asked = vec![SecretName::new("jira").expect("a name")];
    let grants = Grants { hosts, secrets: SecretGrants { named: secrets(host).named(), asked } };
    Effect::grant(&wish, &grants, KEY.parse().expect("a key"), &EffectLimits::default()).expect("granted")
}

#[tokio::test]
async fn a_secret_is_put_in_at_the_last_moment_and_taken_out_of_what_comes_back() {
    let target = Target::start().await;
    let executor = executor(ExecutorConfig { secrets: secrets("127.0.0.1"), ..config() });
    let effect = marked(&target.url(""), "127.0.0.1");
    let attempt = executor.perform(&effect).await;
    let seen = &target.seen()[0];
    let encoded = "hush%20%22hush%22%2F1%3F";
    assert_eq!(seen.uri.to_string(), format!("/echo/{encoded}/x?key={encoded}&y=1"));
    assert_eq!(seen.header("authorization"), format!("Bearer {VALUE}"));
    assert_eq!(seen.body, format!("{{\"key\":\"{VALUE}\"}}"));

    let answer = attempt.answer.clone().expect("wanted");
    let body = String::from_utf8(answer.body).expect("text");
    assert!(body.contains("/echo/[secret]/x?key=[secret]&y=1") && body.contains("Bearer [secret]"), "{body}");
    for shown in [body, format!("{attempt:?} {executor:?} {effect:?}"), effect.to_record()] {
        assert!(!shown.contains("hush"), "{shown}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_secret_at_a_cut_is_taken_out_too() {
    let target = Target::start().await;
    for response_bytes_max in 0..200 {
        let secrets = secrets("127.0.0.1");
        let executor = executor(ExecutorConfig { response_bytes_max, secrets, ..config() });
        let attempt = executor.perform(&marked(&target.url(""), "127.0.0.1")).await;
        let answer = attempt.answer.expect("wanted");
        let body = String::from_utf8(answer.body).expect("text");
        assert!(answer.is_cut && !body.contains("hu"), "{response_bytes_max}: {body}");
    }
}

#[tokio::test]
async fn a_secret_that_was_taken_from_a_host_is_not_sent_there_any_more() {
    let target = Target::start().await;
    let effect = marked(&target.url(""), "127.0.0.1");
    for (now, part) in [
        (secrets("a.example"), "does not go to host"),
        (Secrets::default(), "no secret `jira` is named in `[[secrets]]` of tidegate.toml (named: none)"),
    ] {
        let executor = executor(ExecutorConfig { secrets: now, ..config() });
        let (what, again) = failed(executor.perform(&effect).await);
        assert_eq!(again, Again::Never);
        assert!(what.contains(part), "{what}");
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn a_secret_is_in_no_error_though_it_is_in_the_url() {
    let closed = RawTarget::start(b"").await.close().await;
    let garbage = RawTarget::start(b"SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    for url in [closed, garbage.url()] {
        let executor = executor(ExecutorConfig { secrets: secrets("127.0.0.1"), ..config() });
        let (what, _) = failed(executor.perform(&marked(url.trim_end_matches('/'), "127.0.0.1")).await);
        assert!(!what.contains("hush"), "{what}");
    }
}
