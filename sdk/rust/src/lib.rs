//! Write a Tidegate plugin in Rust: one function, an event in, decisions out.
//!
//! A plugin is a program whose `main` says which function answers:
//!
//! ```no_run
//! use tidegate_plugin::{Decision, Event, Http, Refusal, park};
//!
//! fn main() {
//!     tidegate_plugin::run(handle);
//! }
//!
//! fn handle(event: Event) -> Result<Vec<Decision>, Refusal> {
//!     if event.kind != "door.opened" {
//!         return Ok(vec![]);
//!     }
//!     let url = event.setting("url").ok_or_else(|| park("the setting `url` is missing"))?;
//!     Ok(vec![Http::post(url).text(format!("door {} is open", event.subject)).into()])
//! }
//! ```
//!
//! It is built for `wasm32-unknown-unknown`; `tidegate plugin build` does that. Decisions are wishes: the host checks
//! each against what the operator granted. A panic is a fault: nothing is done, and its text is in the plugin's log.
//! Knows nothing of the host.

mod asset;
mod contract;
mod decision;
mod event;
mod http;
mod log;
mod refusal;

#[cfg(target_arch = "wasm32")]
mod export;
#[cfg(all(target_arch = "wasm32", feature = "allocator"))]
mod memory;

pub use contract::{
    Arrival, Asset, Decision, Emit, Event, Http, NameValue, OtherDecision, Reference, Refusal, Wake,
};
pub use decision::{forget, note, other, remember};
pub use log::{log, log_error};
pub use refusal::{park, refuse, retry_after_ms, skip};

/// Answers the event that the host asks about: all that `main` does. Elsewhere than in a plugin, as in a test of the
/// author's, it does nothing.
///
/// # Panics
/// Where `main` calls it twice.
pub fn run(handle: impl FnOnce(Event) -> Result<Vec<Decision>, Refusal>) {
    #[cfg(target_arch = "wasm32")]
    export::answer(handle);
    #[cfg(not(target_arch = "wasm32"))]
    drop(handle);
}
