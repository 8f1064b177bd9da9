//! Plays the sender of asset events, the [Events API] of Asset Management for Jira, against any URL: makes the
//! events, delivers them as that sender does, and says how the receiver did. Knows nothing of Tidegate but that an
//! answer may carry a receipt.
//!
//! [Events API]: https://asset-management-for-jira.readme.io/reference/using-the-events-api

pub mod event;
pub mod life;
pub mod mutate;
pub mod player;
pub mod policy;
pub mod post;
pub mod verdict;
