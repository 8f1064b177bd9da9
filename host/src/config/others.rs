//! What a host does about others on the same database.

use serde::{Deserialize, Serialize};

/// What a host does that finds another at work on its database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Others {
    /// It ends.
    #[default]
    Refuse,
    /// It waits until the other is gone, and takes over.
    Await,
    /// It shares the work with it.
    Share,
}
