//! What a URL asks for: only the exact one is live.

use tidegate_source::Sources;
use tidegate_worker::route::Route;

const LIVE: &str = "/in/amj/correct-horse-battery-staple";
const RECEIPT: &str = "01KAVNQXYZ0000000000000000";

fn sources() -> Sources {
    Sources::parse(
        r#"{"amj":["correct-horse-battery-staple","previous-horse-battery-staple"],"other":["other-horse-battery-staple"]}"#,
    )
    .expect("the test's sources are right")
}

fn kind(path: &str) -> &'static str {
    match Route::of(&format!("https://events.example{path}"), &sources()) {
        Route::Source(_) => "source",
        Route::Health => "health",
        Route::Status => "status",
        Route::Body { .. } => "body",
        Route::Nothing => "nothing",
    }
}

#[test]
fn only_the_exact_url_is_live() {
    for path in [
        LIVE,
        "/in/amj/previous-horse-battery-staple",
        "/in/other/other-horse-battery-staple",
        "/in/amj/correct-horse-battery-staple?query=x",
        "/in/amj/correct-horse-battery-staple#fragment",
    ] {
        assert_eq!(kind(path), "source", "{path}");
    }
    let long = format!("/in/amj/{}", "a".repeat(1 << 20));
    for path in [
        "",
        "/",
        "/in",
        "/in/",
        "/in/amj",
        "/in/amj/",
        "/in//correct-horse-battery-staple",
        "//in/amj/correct-horse-battery-staple",
        "/in//amj/correct-horse-battery-staple",
        "/in/amj//correct-horse-battery-staple",
        "/in/amj/correct-horse-battery-staple/",
        "/in/amj/correct-horse-battery-staple/x",
        "/in/amj/correct-horse-battery-stapl",
        "/in/amj/correct-horse-battery-staplee",
        "/in/amj/orrect-horse-battery-staple",
        "/in/amj/CORRECT-horse-battery-staple",
        "/in/amj/correct-horse-battery-staple%00",
        "/in/amj/correct-horse-battery-staple%2f",
        "/in/%61mj/correct-horse-battery-staple",
        "/IN/amj/correct-horse-battery-staple",
        "/in/amj/../amj/correct-horse-battery-staple",
        "/in/amj/other-horse-battery-staple",
        "/in/other/correct-horse-battery-staple",
        "/in/amj\u{0}/correct-horse-battery-staple",
        "/in/ämj/correct-horse-battery-staple",
        "/in/nobody/correct-horse-battery-staple",
        "/in/amj?/correct-horse-battery-staple",
        "/healthz/",
        "/healthz2",
        "/status/",
        "/statuss",
        &long,
    ] {
        assert_eq!(kind(path), "nothing", "{path:.60}");
    }
}

#[test]
fn which_source_and_which_of_its_tokens_it_was() {
    let sources = sources();
    for (url, name, token) in [
        ("http://x/in/amj/correct-horse-battery-staple", "amj", 1),
        ("http://x/in/amj/previous-horse-battery-staple", "amj", 2),
        ("http://x/in/other/other-horse-battery-staple", "other", 1),
    ] {
        let Route::Source(found) = Route::of(url, &sources) else { panic!("{url}") };
        assert_eq!((found.source.name.as_str(), found.token), (name, token));
    }
}

#[test]
fn the_hosts_paths_are_exact_as_well() {
    for (path, expected) in [
        ("/healthz", "health"),
        ("/healthz?now", "health"),
        ("/status", "status"),
        ("/status?x", "status"),
        (&format!("/vault/amj/{RECEIPT}"), "body"),
        (&format!("/vault/gone/{RECEIPT}"), "body"),
        (&format!("/vault/amj/{RECEIPT}/"), "nothing"),
        (&format!("/vault/amj/{}", RECEIPT.to_lowercase()), "nothing"),
        (&format!("/vault/Amj/{RECEIPT}"), "nothing"),
        (&format!("/vault/../amj/{RECEIPT}"), "nothing"),
        ("/vault/amj", "nothing"),
        ("/vault", "nothing"),
    ] {
        assert_eq!(kind(path), expected, "{path}");
    }
}

#[test]
fn any_text_at_all_asks_for_something() {
    let sources = sources();
    for url in ["", "/", "://", "http://", "http://x", "x:/in/", "\u{0}", "http://x/in/\u{1F600}/\u{1F600}"] {
        assert!(matches!(Route::of(url, &sources), Route::Nothing), "{url:?}");
    }
}
