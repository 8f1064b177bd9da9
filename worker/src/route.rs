//! What a URL asks for. Pure; knows nothing of methods, headers or bodies.

use tidegate_envelope::{Receipt, SourceName};
use tidegate_source::{Found, Sources};

/// What a URL asks for.
#[derive(Debug)]
pub enum Route<'a> {
    /// To keep an event of a live source.
    Source(Found<'a>),
    /// Whether the Worker is well.
    Health,
    /// How the senders have been answered; for the host alone.
    Status,
    /// A body that the vault keeps; for the host alone.
    Body {
        /// Whose.
        source: SourceName,
        /// Under which receipt.
        receipt: Receipt,
    },
    /// Nothing that is there.
    Nothing,
}

impl<'a> Route<'a> {
    /// What this absolute URL asks for. Its path is taken as sent: nothing is decoded or normalised, and a query is
    /// not looked at.
    #[must_use]
    pub fn of(url: &str, sources: &'a Sources) -> Self {
        let path = path_of(url);
        if let Some(source_and_token) = path.strip_prefix("/in/") {
            return sources.find(source_and_token).map_or(Self::Nothing, Self::Source);
        }
        match path {
            "/healthz" => Self::Health,
            "/status" => Self::Status,
            _ => path.strip_prefix("/vault/").and_then(Self::body).unwrap_or(Self::Nothing),
        }
    }

    /// `<source>/<receipt>`. The source need not be live: what it left in its vault is still there.
    fn body(source_and_receipt: &str) -> Option<Self> {
        let (source, receipt) = source_and_receipt.split_once('/')?;
        Some(Self::Body { source: SourceName::new(source).ok()?, receipt: receipt.parse().ok()? })
    }
}

/// The path of an absolute URL; empty when there is none.
fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path_on = after_scheme.find('/').and_then(|at| after_scheme.get(at..)).unwrap_or_default();
    path_on.split(['?', '#']).next().unwrap_or_default()
}
