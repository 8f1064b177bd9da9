//! What the edge puts on the queue and the host takes off it.
//!
//! Both sides are deployed apart, so an envelope carries its version from the first day and every
//! version has a golden file under `envelope/golden`. This crate does no I/O, reads no clock and
//! draws no random number: those come in as data.

mod body;
mod envelope;
pub mod limit;
mod receipt;
#[cfg(feature = "schema")]
mod schema;
mod source;
mod spread;

pub use body::Digest;
pub use envelope::{Body, Envelope, EnvelopeError, Header, Unsealed, VaultBody};
pub use receipt::{Receipt, ReceiptError};
pub use source::{SourceName, SourceNameError, is_label};
pub use spread::spread;
