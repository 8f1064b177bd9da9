//! Tables of wishes: which become effects, which are denied and in what words.

use super::secret::{NamedSecret, SecretGrants, SecretName};
use super::*;
use crate::plugin::PluginName;

const RECEIPT: &str = "01JD9Z7C5V0000000000000000";

fn key() -> EffectKey {
    let plugin = PluginName::new("notify").expect("a plugin's name");
    EffectKey::new(RECEIPT.parse().expect("a receipt"), &plugin, 0)
}

fn grants(hosts: &[&str]) -> Grants {
    let hosts = hosts.iter().map(|host| host.parse().expect("a host")).collect();
    Grants { hosts, ..Grants::default() }
}

fn wish(url: &str) -> decision::HttpRequest {
    decision::HttpRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![],
        body: None,
        timeout_ms: None,
        reply_tag: None,
    }
}

fn check(request: &decision::HttpRequest, hosts: &[&str]) -> Result<Effect, Denied> {
    Effect::grant(request, &grants(hosts), key(), &EffectLimits::default())
}

fn with_header(name: &str, value: &str) -> decision::HttpRequest {
    decision::HttpRequest { headers: vec![(name.to_owned(), value.to_owned())], ..wish("https://a.example/") }
}

#[test]
fn a_host_is_granted_exactly_however_it_is_spelled() {
    for (host, url, is_granted) in [
        ("a.example", "https://a.example/x", true),
        ("a.example", "http://a.example/x", true),
        ("A.Example.", "https://a.example/", true),
        ("a.example", "https://A.EXAMPLE./", true),
        ("a.example", "https://a.example../", false),
        ("a.example", "https://a.example.../", false),
        ("a.example", "https:../a.example", false),
        ("a.example", "https://a.example:443/", true),
        ("a.example:443", "https://a.example/", true),
        ("a.example:443", "http://a.example/", false),
        ("a.example", "https://a.example:8443/", true),
        ("a.example:8443", "https://a.example:8443/", true),
        ("a.example:8443", "https://a.example/", false),
        ("a.example", "https://b.a.example/", false),
        ("a.example", "https://a.example.evil.example/", false),
        ("a.example", r"https://evil.example\@a.example/", false),
        ("a.example", "https://evil.example#a.example", false),
        ("bücher.example", "https://xn--bcher-kva.example/", true),
        ("xn--bcher-kva.example", "https://BÜCHER.example/", true),
        ("127.0.0.1:8790", "http://127.0.0.1:8790/", true),
        ("127.0.0.1:8790", "http://2130706433:8790/", true),
        ("127.0.0.1", "http://127.1/", true),
        ("127.1", "http://127.0.0.1/", true),
        ("localhost", "http://127.0.0.1/", false),
        ("[::1]:80", "http://[0:0::1]/", true),
        ("[::1]:80", "https://[::1]/", false),
    ] {
        let result = check(&wish(url), &[host]);
        assert_eq!(result.is_ok(), is_granted, "grant {host}, url {url}: {result:?}");
    }
}

#[test]
fn a_name_is_dialled_as_it_was_compared() {
    let effect = check(&wish("https://A.Example.:8443/p?q=1#f"), &["a.example:8443"]).expect("granted");
    assert_eq!(effect.request().url().as_str(), "https://a.example:8443/p?q=1");
    let effect = check(&wish("http://0x7f.1/"), &["127.0.0.1"]).expect("granted");
    assert_eq!(effect.request().url().as_str(), "http://127.0.0.1/");
}

#[test]
fn a_grant_is_a_host_and_nothing_more() {
    for text in [
        "",
        "*",
        "*.example.com",
        "＊.example.com",
        "https://example.com",
        "example.com/path",
        "user@example.com",
        "example.com:",
        "example.com:0",
        "example.com:65536",
        "example.com:http",
        "exa mple.com",
        "::1",
        "[::1",
        "[::1]80",
        "..",
        "a..example",
        "256.1.1.1",
    ] {
        let error = HostGrant::parse(text).expect_err(text).to_string();
        assert!(error.contains("accepted: `example.com`"), "{text}: {error}");
    }
}

#[test]
fn a_denial_says_which_rule_and_what_would_have_been_accepted() {
    let post =
        |method: &str| decision::HttpRequest { method: method.to_owned(), ..wish("https://a.example/") };
    for (request, text) in [
        (
            wish("https://evil.example/"),
            "host `evil.example` is not granted (granted: a.example, b.example:8443)",
        ),
        (
            wish("https://b.example:9/"),
            "host `b.example:9` is not granted (granted: a.example, b.example:8443)",
        ),
        (
            wish("/relative"),
            "the URL cannot be read: relative URL without a base (accepted: an absolute http or https URL)",
        ),
        (wish("ftp://a.example/"), "scheme `ftp` is not allowed (accepted: http, https)"),
        (wish("file:///etc/passwd"), "scheme `file` is not allowed (accepted: http, https)"),
        (
            wish("https://user:pass@a.example/"),
            "the URL has user information before its host (accepted: none; send an authorization header)",
        ),
        (
            wish("https://user@a.example/"),
            "the URL has user information before its host (accepted: none; send an authorization header)",
        ),
        (
            post("CONNECT"),
            "method `CONNECT` is not in the contract (accepted: GET, POST, PUT, PATCH, DELETE)",
        ),
        (post("post"), "method `post` is not in the contract (accepted: GET, POST, PUT, PATCH, DELETE)"),
        (
            post("GET / HTTP/1.1\r\n"),
            "method `GET / HTTP/1.1\\r\\n` is not in the contract (accepted: GET, POST, PUT, PATCH, DELETE)",
        ),
    ] {
        let denied = check(&request, &["a.example", "b.example:8443"]).expect_err(text);
        assert_eq!(denied.to_string(), text);
    }
    let denied = check(&wish("https://a.example/"), &[]).expect_err("nothing granted");
    assert_eq!(denied.to_string(), "host `a.example` is not granted (granted: none)");
}

#[test]
fn a_header_cannot_start_another_header() {
    for value in ["a\r\nx-evil: 1", "a\nb", "a\rb", "a\0b", "\u{7f}", "bücher"] {
        let denied = check(&with_header("x-note", value), &["a.example"]).expect_err(value);
        assert_eq!(denied, Denied::HeaderValue("x-note".to_owned()));
    }
    for name in ["", "a b", "a:b", "a\r\nb", "bücher"] {
        let denied = check(&with_header(name, "1"), &["a.example"]).expect_err(name);
        assert!(matches!(denied, Denied::HeaderName(_)), "{name}: {denied}");
    }
}

/// `jira` goes to two hosts and was asked for, `slack` was not.
fn with_secrets() -> Grants {
    let named = |name: &str, hosts: &[&str]| NamedSecret {
        name: SecretName::new(name).expect("a name"),
        hosts: hosts.iter().map(|host| host.parse().expect("a host")).collect(),
    };
    let secrets = SecretGrants {
        named: [named("jira", &["a.example", "127.0.0.1:8790"]), named("slack", &["a.example"])].into(),
        asked: vec![SecretName::new("jira").expect("a name")],
    };
    Grants { secrets, ..grants(&["a.example", "b.example", "127.0.0.1"]) }
}

#[test]
fn a_secret_is_named_wherever_it_is_wanted_and_stays_a_mark() {
    let wishes = [
        wish("https://a.example/{{secret:jira}}/x?key={{secret:jira}}"),
        wish("https://a.example/%7b%7Bsecret:jira%7D%7d"),
        with_header("authorization", "Bearer {{secret:jira}}"),
        decision::HttpRequest { body: Some(b"{{secret:jira}}".to_vec()), ..wish("http://127.0.0.1:8790/") },
    ];
    for wish in wishes {
        let effect = Effect::grant(&wish, &with_secrets(), key(), &EffectLimits::default()).expect("granted");
        let record = effect.to_record();
        assert!(record.contains("secret:jira"), "{record}");
        assert_eq!(Effect::from_record(&record).expect("reads"), effect);
    }
}

#[test]
fn a_secret_goes_where_the_operator_says_and_nowhere_else() {
    let header = |value: &str, url: &str| decision::HttpRequest {
        headers: vec![("x".to_owned(), value.to_owned())],
        ..wish(url)
    };
    for (wish, text) in [
        (
            header("{{secret:jira}}", "https://b.example/"),
            "secret `jira` does not go to host `b.example` (accepted: a.example, 127.0.0.1:8790)",
        ),
        (
            header("{{secret:jira}}", "http://127.0.0.1:8791/"),
            "secret `jira` does not go to host `127.0.0.1:8791` (accepted: a.example, 127.0.0.1:8790)",
        ),
        (
            header("{{secret:jira}}", "http://a.example/"),
            "secret `jira` does not travel in clear (accepted: https, or http to this machine)",
        ),
        (
            header("{{secret:slack}}", "https://a.example/"),
            "secret `slack` was not asked for (asked for: jira); name it in `secrets` of plugin.toml",
        ),
        (
            wish("https://a.example/%7B%7Bsecret:other%7D%7D"),
            "no secret `other` is named in `[[secrets]]` of tidegate.toml (named: jira, slack)",
        ),
        (
            wish("https://a.example/?q={{secret:other}}"),
            "no secret `other` is named in `[[secrets]]` of tidegate.toml (named: jira, slack)",
        ),
        (
            header("{{secret:JIRA}}", "https://a.example/"),
            "`{{secret:` begins the mark of a secret, and what follows is none (accepted: `{{secret:NAME}}`)",
        ),
        (
            header(&"{{secret:jira}}".repeat(17), "https://a.example/"),
            "secret_marks_max: 17 is too many, the limit is 16",
        ),
    ] {
        let denied = Effect::grant(&wish, &with_secrets(), key(), &EffectLimits::default()).expect_err(text);
        assert_eq!(denied.to_string(), text);
    }
    let none = check(&with_header("x", "{{secret:jira}}"), &["a.example"]).expect_err("none is named");
    assert_eq!(none.to_string(), "no secret `jira` is named in `[[secrets]]` of tidegate.toml (named: none)");
}

#[test]
fn a_mark_in_the_host_the_port_or_before_them_is_no_url() {
    for url in [
        "https://{{secret:jira}}/",
        "https://{{secret:jira}}.a.example/",
        "https://a.example:{{secret:jira}}/",
        "https://{{secret:jira}}@a.example/",
        "{{secret:jira}}://a.example/",
    ] {
        let denied =
            Effect::grant(&wish(url), &with_secrets(), key(), &EffectLimits::default()).expect_err(url);
        assert!(matches!(denied, Denied::Url(_) | Denied::UserInformation), "{url}: {denied}");
    }
}

#[test]
fn the_hosts_own_headers_are_refused_in_any_case() {
    for name in ["Host", "content-LENGTH", "Transfer-Encoding", "Connection", "Idempotency-Key", "Upgrade"] {
        let denied = check(&with_header(name, "1"), &["a.example"]).expect_err(name);
        assert_eq!(denied, Denied::HeaderReserved(name.to_ascii_lowercase()));
    }
    check(&with_header("Authorization", "Bearer x"), &["a.example"]).expect("a plugin's header");
}

#[test]
fn every_part_has_a_limit() {
    let limits = EffectLimits { url_bytes_max: 30, headers_max: 2, header_bytes_max: 10, body_bytes_max: 4 };
    let header = |value: &str| ("x".to_owned(), value.to_owned());
    for (limit, request) in [
        ("url_bytes_max", wish(&format!("https://a.example/{}", "p".repeat(13)))),
        (
            "headers_max",
            decision::HttpRequest {
                headers: vec![header("1"), header("2"), header("3")],
                ..wish("https://a.example/")
            },
        ),
        (
            "header_bytes_max",
            decision::HttpRequest { headers: vec![header("0123456789")], ..wish("https://a.example/") },
        ),
        (
            "body_bytes_max",
            decision::HttpRequest { body: Some(b"12345".to_vec()), ..wish("https://a.example/") },
        ),
    ] {
        match Effect::grant(&request, &grants(&["a.example"]), key(), &limits) {
            Err(Denied::TooLarge { limit: broken, actual, max }) => {
                assert_eq!((broken, actual), (limit, max + 1));
            }
            other => panic!("{limit}: {other:?}"),
        }
    }
    let no_time = decision::HttpRequest { timeout_ms: Some(0), ..wish("https://a.example/") };
    assert_eq!(check(&no_time, &["a.example"]), Err(Denied::Timeout));
}

#[test]
fn a_record_is_the_golden_file_and_reads_back_the_same() {
    let text = decision::HttpRequest {
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-tag".to_owned(), "a \"quoted\" one".to_owned()),
            ("x-tag".to_owned(), "another".to_owned()),
        ],
        body: Some("{\"text\":\"Größe \\u00e9\"}".as_bytes().to_vec()),
        timeout_ms: Some(5_000),
        reply_tag: Some("t".to_owned()),
        ..wish(r"https://a.example/notify?x=\")
    };
    let bytes = decision::HttpRequest {
        method: "PUT".to_owned(),
        body: Some(vec![0, 159, 146, 150]),
        ..wish("https://a.example/")
    };
    let effects = [text, bytes, wish("https://a.example/")]
        .map(|request| check(&request, &["a.example"]).expect("granted"));
    let golden: Vec<&str> = include_str!("../../golden/effect-v1.json").lines().collect();
    assert_eq!(golden, effects.each_ref().map(Effect::to_record));
    for (effect, line) in effects.iter().zip(golden) {
        assert_eq!(&Effect::from_record(line).expect(line), effect);
    }
}

#[test]
fn a_damaged_record_is_not_an_effect() {
    let record = check(&wish("https://a.example/"), &["a.example"]).expect("granted").to_record();
    for (from, to, error) in [
        ("\"v\":1", "\"v\":2", "effect version 2 is not known here"),
        ("{\"v\":1", "{\"v\":7,\"new\":{}", "effect version 7 is not known here"),
        ("notify", "no tify", "is not an effect's key"),
        ("POST", "TRACE", "method `TRACE` is not in the contract"),
        ("https://", "ftp://", "scheme `ftp` is not allowed"),
        ("[]", "[[\"host\",\"evil\"]]", "header `host` is the host's own"),
        ("\"body\":null", "\"body\":{\"encoding\":\"base64\",\"content\":\"?\"}", "the body is not base64"),
        ("{", "", "not an effect"),
    ] {
        let damaged = record.replacen(from, to, 1);
        assert_ne!(damaged, record, "{from} is not in {record}");
        let found = Effect::from_record(&damaged).expect_err(&damaged).to_string();
        assert!(found.contains(error), "{damaged}: {found}");
    }
}

#[test]
fn a_key_names_receipt_plugin_and_position() {
    assert_eq!(key().as_str(), "01JD9Z7C5V0000000000000000/notify/0");
    assert_eq!(key().as_str().parse(), Ok(key()));
    let plugin = PluginName::new("notify").expect("a plugin's name");
    assert_eq!(key().parts(), (RECEIPT.parse().expect("a receipt"), plugin, 0));
    for text in ["p", "p/00", "p/-1", "p/0/0", "/0", "a b/0", "a\r\nb/0", "ü/0"] {
        format!("{RECEIPT}/{text}").parse::<EffectKey>().expect_err(text);
    }
    "x/p/0".parse::<EffectKey>().expect_err("x is no receipt");
}

#[test]
fn a_debug_line_keeps_secrets_to_itself() {
    let secret = decision::HttpRequest {
        headers: vec![("authorization".to_owned(), "hush".to_owned())],
        body: Some(b"hush".to_vec()),
        ..wish("https://a.example/hush?token=hush")
    };
    let shown = format!("{:?}", check(&secret, &["a.example"]).expect("granted"));
    assert!(shown.contains("a.example") && !shown.contains("hush"), "{shown}");
}

/// The last one is kept, and what is kept is never another's.
#[test]
fn a_url_is_read_as_if_none_had_been_read_before() {
    for url in [
        "https://a.example/x",
        "https://a.example/x",
        "https://a.example/y",
        "https://",
        "https://a.example/y",
        "ftp://a.example/y",
        "https://A.example./y#z",
        "https://A.example./y#z",
        "https://a.example/y",
    ] {
        assert_eq!(parse_url(url), parse_other_url(url), "{url}");
    }
}
