//! What another configuration changes for a host that is at work. Pure.

use super::Config;

/// The keys that hold from now on when they are read anew; all others hold from the next start.
const AT_ONCE: [&str; 6] = [
    "alerts.waiting_ms_max",
    "alerts.parked_min",
    "alerts.disk_percent_max",
    "alerts.store_bytes_max",
    "alerts.backlog_max",
    "alerts.host_gone_ms_max",
];

/// The keys that two configurations differ in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Those that can be taken over at once.
    pub at_once: Vec<String>,
    /// Those that need another start.
    pub at_start: Vec<String>,
}

/// What is different in the new one. A list of tables counts as one key.
#[must_use]
pub fn changed(old: &Config, new: &Config) -> Changed {
    let tables = |config: &Config| toml::Table::try_from(config).expect("a configuration is plain data");
    let (old, new) = (tables(old), tables(new));
    let mut changed = Changed::default();
    for (section, value) in &new {
        let before = old.get(section);
        let keys = match (value.as_table(), before.and_then(toml::Value::as_table)) {
            (Some(table), Some(before)) => table
                .iter()
                .filter(|(key, value)| before.get(*key) != Some(value))
                .map(|(key, _)| format!("{section}.{key}"))
                .collect(),
            _ if before == Some(value) => Vec::new(),
            _ => vec![section.clone()],
        };
        for key in keys {
            let place =
                if AT_ONCE.contains(&key.as_str()) { &mut changed.at_once } else { &mut changed.at_start };
            place.push(key);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_at_once_and_what_from_the_next_start_is_told_apart() {
        let old = Config::default();
        let mut new = old.clone();
        assert_eq!(changed(&old, &new), Changed::default());
        new.alerts.backlog_max = 1;
        new.alerts.url = "https://alerts.example".into();
        new.queue.batch_max = 7;
        new.plugins.digests.push("x".into());
        let Changed { at_once, at_start } = changed(&old, &new);
        assert_eq!(at_once, ["alerts.backlog_max"]);
        assert_eq!(at_start, ["alerts.url", "plugins.digests", "queue.batch_max"]);
    }

    #[test]
    fn every_key_that_holds_at_once_is_one() {
        let known = toml::Table::try_from(Config::default()).expect("plain data");
        for key in AT_ONCE {
            let (section, name) = key.split_once('.').expect("it is in a section");
            assert!(known[section].get(name).is_some(), "{key}");
        }
    }
}
