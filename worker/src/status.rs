//! What the host is told: the counts the shell gathered, with what their profiles make of them. Pure.

use serde::Deserialize;
use std::collections::HashMap;
use tidegate_source::status::{SourceStatus, Status, Tally, VaultStatus};
use tidegate_source::{Source, Sources};

/// What the shell gathered of one source.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Gathered {
    /// What was counted.
    pub tally: Tally,
    /// What its vault holds; `None` when it did not say.
    pub vault: Option<VaultStatus>,
}

/// The answer to `GET /status`. `gathered` is JSON: a [`Gathered`] by each source's name; a source without one has
/// counted nothing yet.
///
/// # Errors
/// When `gathered` is not that JSON.
pub fn status(
    sources: &Sources,
    faults: &[String],
    now_ms: u64,
    gathered: &str,
) -> Result<Status, serde_json::Error> {
    let mut gathered: HashMap<String, Gathered> = serde_json::from_str(gathered)?;
    let sources = sources
        .iter()
        .map(|source| source_status(source, gathered.remove(source.name.as_str()).unwrap_or_default()))
        .collect();
    Ok(Status { v: 1, now_ms, sources, faults: faults.to_vec() })
}

fn source_status(source: &Source, gathered: Gathered) -> SourceStatus {
    let Gathered { mut tally, vault } = gathered;
    tally.tokens_used_ms.resize(source.tokens, 0);
    SourceStatus::of(source, tally, vault)
}
