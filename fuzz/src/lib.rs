//! What must hold for any bytes that come from outside. Each module is one target: a function that takes any bytes and
//! panics when they show that something does not hold. libFuzzer looks for such bytes (`cargo xtask fuzz`); every run of
//! the tests gives each function the files of its folder in `corpus/`. Knows nothing of libFuzzer.

pub mod address;
pub mod envelope_open;
pub mod envelope_seal;
pub mod event;
pub mod manifest;
pub mod plan;
pub mod record;
pub mod retry_after;
pub mod signature;
pub mod sources;

use arbitrary::{Arbitrary, Unstructured};

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its module, its binary and its folder in `corpus/`.
    pub name: &'static str,
    /// Panics when these bytes show that something does not hold.
    pub check: fn(&[u8]),
}

/// Every target there is.
pub const TARGETS: [Target; 10] = [
    Target { name: "address", check: address::check },
    Target { name: "envelope_open", check: envelope_open::check },
    Target { name: "envelope_seal", check: envelope_seal::check },
    Target { name: "event", check: event::check },
    Target { name: "manifest", check: manifest::check },
    Target { name: "plan", check: plan::check },
    Target { name: "record", check: record::check },
    Target { name: "retry_after", check: retry_after::check },
    Target { name: "signature", check: signature::check },
    Target { name: "sources", check: sources::check },
];

/// A value made of these bytes; `None` where they are too few for one.
fn made_of<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> Option<T> {
    T::arbitrary_take_rest(Unstructured::new(bytes)).ok()
}
