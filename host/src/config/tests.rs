//! What an operator sets, where it is wrong, and what is said then.

use super::*;

fn load(text: &str, env: &[(&str, &str)]) -> anyhow::Result<Config> {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), text).expect("write it");
    Config::load(Some(file.path()), env.iter().map(|(name, value)| ((*name).into(), (*value).into())))
}

#[test]
fn nothing_set_gives_the_documented_defaults() {
    assert_eq!(load("", &[]).expect("loads"), Config::default());
    assert_eq!(load(DEFAULT_TOML, &[]).expect("loads"), Config::default());
}

#[test]
fn every_key_is_documented() {
    let documented: toml::Table = toml::from_str(DEFAULT_TOML).expect("well formed");
    let all = toml::Table::try_from(Config::default()).expect("plain data");
    assert_eq!(documented, all);
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[queue]\nbatch_max = 7\naccount_id = \"a\"\n";
    let config = load(text, &[("TIDEGATE_QUEUE_BATCH_MAX", "9"), ("HOME", "/")]).expect("loads");
    assert_eq!((config.queue.batch_max, config.queue.account_id.as_str()), (9, "a"));
}

#[test]
fn a_secret_travels_only_where_it_is_safe() {
    for (text, safe) in [
        ("https://edge.example", true),
        ("https://edge.example/hook?key=1", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080", true),
        ("http://localhost/x", true),
        ("http://edge.example", false),
        ("http://127.0.0.1.example", false),
        ("http://10.0.0.1", false),
        ("ftp://127.0.0.1", false),
        ("edge.example", false),
        ("", false),
    ] {
        assert_eq!(secure_url(text).is_ok(), safe, "{text}");
    }
}

#[test]
fn secrets_in_the_environment_are_no_keys() {
    let env = [("TIDEGATE_EDGE_TOKEN", "x"), ("TIDEGATE_ALERTS_SECRET", "x"), ("TIDEGATE_QUEUE_TOKEN", "x")];
    assert_eq!(load("", &env).expect("loads"), Config::default());
}

#[test]
fn a_wrong_key_or_value_has_an_address() {
    for (text, env, parts) in [
        ("[queue]\nbatch_max = 7\nbatch_maxx = 7\n", None, &["batch_maxx", "line 3"][..]),
        ("[queu]\n", None, &["queu", "line 1"]),
        ("[queue]\n\nbatch_max = \"x\"\n", None, &["batch_max", "line 3"]),
        ("[queue\n", None, &["line 1"]),
        ("[queue]\nbatch_max = 101\n", None, &["queue.batch_max", "1 to 100"]),
        ("[admin]\nlisten = \"0.0.0.0:1\"\n", None, &["admin.listen", "loopback"]),
        ("[alerts]\nurls = \"\"\n", None, &["urls", "line 2"]),
        ("[edge]\nurl = \"\"\npoll = 1\n", None, &["poll", "line 3"]),
        ("[edge]\npoll_ms = 99\n", None, &["edge.poll_ms", "100 to"]),
        ("", Some(("TIDEGATE_EDGE_URLS", "x")), &["TIDEGATE_EDGE_URLS"]),
        ("", Some(("TIDEGATE_QUEUE_BATCHES", "1")), &["TIDEGATE_QUEUE_BATCHES"]),
        ("", Some(("TIDEGATE_QUEUE_BATCH_MAX", "many")), &["TIDEGATE_QUEUE_BATCH_MAX", "many"]),
    ] {
        let error = format!("{:#}", load(text, env.as_slice()).expect_err(text));
        for part in parts {
            assert!(error.contains(part), "`{error}` should say `{part}`");
        }
    }
}
