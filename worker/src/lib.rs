//! The edge: makes every request on a live source URL durable, then answers it.
//!
//! Everything that decides is pure and tested natively: [`route`], [`accept`], [`shard`], [`status`] and [`answer`]
//! know nothing of JavaScript, queues or clocks. `edge` alone names workers-rs; `shell.js` and the modules beside it
//! do the I/O around it. No panic can be written here: the lints below see to it, because a panic at the edge is an
//! event lost.
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

pub mod accept;
pub mod answer;
pub mod head;
pub mod route;
pub mod setting;
pub mod shard;
pub mod status;

#[cfg(target_family = "wasm")]
pub mod edge;
