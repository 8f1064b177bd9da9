//! What one version of a plugin may do that another may not. Pure.

use crate::limits::Limits;
use crate::plugin::Manifest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that two manifests ask for differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RightChange {
    /// The key in plugin.toml: `hosts`, `limits.fuel`.
    pub key: String,
    /// What the later version asks for, and the earlier does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// The other way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Whether it lets the later version do more, so that somebody must approve it.
    pub needs_approval: bool,
}

/// What `later` asks for that `earlier` does not, and the other way, under what the operator allows.
#[must_use]
pub fn compare(earlier: &Manifest, later: &Manifest, allowed: &Limits) -> Vec<RightChange> {
    let texts = |list: &[String]| list.to_vec();
    let words = |manifest: &Manifest| {
        let arrival = |arrival| serde_json::to_value(arrival).ok()?.as_str().map(str::to_owned);
        manifest.arrivals.iter().filter_map(arrival).collect()
    };
    let secrets = |manifest: &Manifest| manifest.secrets.iter().map(ToString::to_string).collect();
    // Settings and where it writes back to are no right: they change what it does, not what it may do.
    let settings = |manifest: &Manifest| {
        manifest.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect()
    };
    let lists = [
        ("kinds", texts(&earlier.kinds), texts(&later.kinds), true),
        ("hosts", texts(&earlier.hosts), texts(&later.hosts), true),
        ("secrets", secrets(earlier), secrets(later), true),
        ("emits", texts(&earlier.emits), texts(&later.emits), true),
        ("arrivals", words(earlier), words(later), true),
        ("writes_back_to", texts(&earlier.writes_back_to), texts(&later.writes_back_to), false),
        ("settings", settings(earlier), settings(later), false),
    ];
    let lists =
        lists.into_iter().filter_map(|(key, before, after, is_right)| list(key, &before, &after, is_right));
    lists.chain(limits(earlier, later, allowed)).collect()
}

fn list(key: &str, before: &[String], after: &[String], is_right: bool) -> Option<RightChange> {
    let beyond = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|it| !those.contains(it)).cloned().collect()
    };
    let (added, removed) = (beyond(after, before), beyond(before, after));
    let needs_approval = is_right && !added.is_empty();
    (!added.is_empty() || !removed.is_empty()).then(|| RightChange {
        key: key.to_owned(),
        added,
        removed,
        needs_approval,
    })
}

/// The limits that hold, side by side. A manifest that the operator does not allow has none: it is refused elsewhere.
fn limits(earlier: &Manifest, later: &Manifest, allowed: &Limits) -> Vec<RightChange> {
    let (Ok(before), Ok(after)) = (earlier.limits(allowed), later.limits(allowed)) else { return Vec::new() };
    let wide = |bytes_or_count: usize| u64::try_from(bytes_or_count).unwrap_or(u64::MAX);
    let pairs = [
        ("wall_time_ms", before.wall_time_ms, after.wall_time_ms),
        ("fuel", before.fuel, after.fuel),
        ("memory_bytes", wide(before.memory_bytes), wide(after.memory_bytes)),
        ("memory_growths", wide(before.memory_growths), wide(after.memory_growths)),
        ("table_elements", wide(before.table_elements), wide(after.table_elements)),
        ("result_bytes", wide(before.result_bytes), wide(after.result_bytes)),
        ("hostcall_bytes", wide(before.hostcall_bytes), wide(after.hostcall_bytes)),
        ("decisions", wide(before.decisions), wide(after.decisions)),
        ("log_bytes", wide(before.log_bytes), wide(after.log_bytes)),
    ];
    let changed = pairs.into_iter().filter(|(_, before, after)| before != after);
    let change = |(name, before, after): (&str, u64, u64)| {
        // No limit of fuel is more than any.
        let is_more = match name {
            "fuel" => after == 0 || (before > 0 && after > before),
            _ => after > before,
        };
        RightChange {
            key: format!("limits.{name}"),
            added: vec![after.to_string()],
            removed: vec![before.to_string()],
            needs_approval: is_more,
        }
    };
    changed.map(change).collect()
}

/// What to say about a version that asks for more than anybody approved.
#[must_use]
pub fn unapproved(changes: &[RightChange]) -> String {
    let more: Vec<_> = changes.iter().filter(|change| change.needs_approval).map(line).collect();
    format!(
        "this version asks for more than the active one:\n{}\nto approve it, deploy it with --approve",
        more.join("\n")
    )
}

/// One change in one line.
#[must_use]
pub fn line(change: &RightChange) -> String {
    let RightChange { key, added, removed, .. } = change;
    if key.starts_with("limits.") {
        return format!("  {key}: {} instead of {}", added.join(""), removed.join(""));
    }
    let signed =
        |sign: char, these: &[String]| these.iter().map(|it| format!(" {sign}{it}")).collect::<String>();
    format!("  {key}:{}{}", signed('+', added), signed('-', removed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(rest: &str) -> Manifest {
        Manifest::parse(&format!("name = \"notice\"\nkinds = [\"asset.update\"]\n{rest}"))
            .expect("a manifest")
    }

    fn between(earlier: &str, later: &str) -> Vec<RightChange> {
        compare(&manifest(earlier), &manifest(later), &Limits::default())
    }

    #[test]
    fn one_more_host_is_named_and_needs_approval() {
        let changes = between("hosts = [\"a.example\"]", "hosts = [\"a.example\", \"pay.example\"]");
        assert_eq!(
            unapproved(&changes),
            "this version asks for more than the active one:\n  hosts: +pay.example\nto approve it, deploy it with --approve"
        );
    }

    #[test]
    fn less_is_shown_and_needs_nobody() {
        let changes = between("hosts = [\"a.example\"]\n[limits]\ndecisions = 9", "[limits]\ndecisions = 2");
        assert!(changes.iter().all(|change| !change.needs_approval), "{changes:?}");
        let lines: Vec<_> = changes.iter().map(line).collect();
        assert_eq!(lines, ["  hosts: -a.example", "  limits.decisions: 2 instead of 9"]);
    }

    #[test]
    fn a_raised_limit_and_fuel_without_one_are_more() {
        assert!(between("[limits]\ndecisions = 2", "[limits]\ndecisions = 3")[0].needs_approval);
        assert!(between("[limits]\nfuel = 2", "")[0].needs_approval);
        assert!(!between("", "[limits]\nfuel = 2")[0].needs_approval);
    }

    #[test]
    fn a_setting_is_shown_and_is_no_right() {
        let changes = between("[settings]\nurl = \"a\"", "[settings]\nurl = \"b\"");
        assert_eq!((changes.len(), changes[0].needs_approval), (1, false));
        assert_eq!(line(&changes[0]), "  settings: +url = b -url = a");
    }

    #[test]
    fn nothing_differs_in_the_same() {
        assert_eq!(between("hosts = [\"a.example\"]", "hosts = [\"a.example\"]"), []);
    }
}
