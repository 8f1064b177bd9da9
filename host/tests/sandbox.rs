//! The sandbox against plugins that behave and plugins that do not. Needs `cargo xtask plugins`.

#[path = "sandbox/admission.rs"]
mod admission;
#[path = "sandbox/attack.rs"]
mod attack;
#[path = "sandbox/compile.rs"]
mod compile;
#[path = "sandbox/fuel.rs"]
mod fuel;
#[path = "sandbox/guest.rs"]
mod guest;
#[path = "sandbox/isolation.rs"]
mod isolation;
#[path = "sandbox/languages.rs"]
mod languages;
#[path = "sandbox/printed.rs"]
mod printed;
#[path = "sandbox/shelf.rs"]
mod shelf;
#[path = "sandbox/toolchain.rs"]
mod toolchain;
#[path = "sandbox/wasi.rs"]
mod wasi;
