//! A plugin's manifest: any text is one, or an error that says why not.

use std::sync::Arc;
use tidegate::limits::Limits;
use tidegate::plugin::{Manifest, Version};

/// Takes the text of a `plugin.toml`.
///
/// # Panics
/// When a manifest raises a limit, or is another once it was stored.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let manifest = match Manifest::parse(text) {
        Ok(manifest) => manifest,
        Err(error) => return drop(error.to_string()),
    };
    let grants = manifest.grants(&Arc::from([])).expect("its hosts were read before");
    assert_eq!(grants.hosts.len(), manifest.hosts.len());
    let stored = serde_json::to_string(&manifest).expect("a manifest is plain data");
    let again: Manifest = serde_json::from_str(&stored).expect("what was stored can be read");
    assert_eq!(Version::of(b"", &again), Version::of(b"", &manifest));
    let allowed = Limits::default();
    match manifest.limits(&allowed) {
        Ok(limits) => {
            assert!(
                limits.wall_time_ms <= allowed.wall_time_ms && limits.memory_bytes <= allowed.memory_bytes
            );
            assert!(limits.result_bytes <= allowed.result_bytes && limits.decisions <= allowed.decisions);
            assert!(limits.log_bytes <= allowed.log_bytes && limits.hostcall_bytes <= allowed.hostcall_bytes);
        }
        Err(error) => drop(error.to_string()),
    }
}
