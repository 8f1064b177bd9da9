//! What is generated from the contract, kept from an author's eyes but for its types.
#![expect(missing_docs, reason = "the generator documents what the contract does: types, not its own traits")]

pub(crate) mod generated {
    #[cfg(feature = "log")]
    wit_bindgen::generate!({ path: "../../wit/v1", world: "plugin-with-log" });
    #[cfg(not(feature = "log"))]
    wit_bindgen::generate!({ path: "../../wit/v1", world: "plugin" });
}

pub use generated::exports::tidegate::plugin::handler::{
    Arrival, Asset, Decision, Emit, Event, Http, NameValue, OtherDecision, Reference, Refusal, Wake,
};

#[cfg(target_arch = "wasm32")]
pub(crate) use generated::exports::tidegate::plugin::handler::Guest;
#[cfg(all(target_arch = "wasm32", feature = "log"))]
pub(crate) use generated::tidegate::plugin::log;
