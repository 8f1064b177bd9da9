//! What a source is: the tokens in its URL, the secrets its sender signs with, and a profile that says how that
//! sender behaves and punishes. Shared by the edge, which answers by it, and the host, which warns by it.
//! Does no I/O, reads no clock and draws no random number; no panic can be written here, for it runs at the edge.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::get_unwrap,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::unwrap_used
)]

pub mod file;
mod json;
pub mod profile;
pub mod settings;
mod signature;
pub mod sources;
pub mod status;
pub mod strength;
pub mod token;
mod topic;

pub use profile::{Handshake, Judgement, Profile, Punishment, Request, Verifier};
pub use settings::{Settings, SettingsError};
pub use signature::{Algorithm, Encoding};
pub use sources::{Found, Source, Sources};
pub use topic::{TOPIC_BYTES_MAX, Topic};
