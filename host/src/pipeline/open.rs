//! What is in deliveries: events, references to bodies that are elsewhere, and what is neither.

use super::{Incoming, Origin};
use crate::queue::{Delivery, DeliveryBody, Lease};
use crate::read::{self, Opened};
use crate::store::Stray;
use tidegate_envelope::Envelope;

/// What was in a batch of deliveries.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) incoming: Vec<Incoming>,
    /// No events.
    pub(super) strays: Vec<Stray>,
    /// Acknowledged once all of the above is recorded.
    pub(super) leases: Vec<Lease>,
    /// Whose body must be fetched first.
    pub(super) elsewhere: Vec<Elsewhere>,
}

/// A delivery whose body is in the vault.
pub(super) struct Elsewhere {
    pub(super) lease: Lease,
    pub(super) attempts: u32,
    pub(super) queued_at_ms: u64,
    pub(super) pulled_at_ms: u64,
    pub(super) envelope: Envelope,
    /// The envelope as it came.
    pub(super) text: String,
}

/// What is in a batch that was pulled at this time.
pub(super) fn all(deliveries: Vec<Delivery>, pulled_at_ms: u64) -> Contents {
    let (incoming, leases) = (Vec::with_capacity(deliveries.len()), Vec::with_capacity(deliveries.len()));
    let mut contents = Contents { incoming, leases, ..Contents::default() };
    for Delivery { lease, attempts, queued_at_ms, body } in deliveries {
        match one(body) {
            Ok((Opened::Event(event), text)) => {
                contents.leases.push(lease);
                let origin = Origin::Text(text);
                contents.incoming.push(Incoming { event, queued_at_ms, pulled_at_ms, origin });
            }
            Ok((Opened::Elsewhere(envelope), text)) => {
                let delivery = Elsewhere { lease, attempts, queued_at_ms, pulled_at_ms, envelope, text };
                contents.elsewhere.push(delivery);
            }
            Err((body, why)) => {
                // Why may quote it.
                tracing::error!("parked a delivery that is no event; `tidegate parked list` says why");
                contents.leases.push(lease);
                contents.strays.push(Stray { body, why, pulled_at_ms });
            }
        }
    }
    contents
}

/// What is in a delivery, with its text; or the delivery's text and why it is no envelope.
pub(super) fn one(body: DeliveryBody) -> Result<(Opened, String), (String, String)> {
    match body {
        DeliveryBody::Text(text) => match Envelope::open(&text) {
            Ok(envelope) => Ok((read::read(envelope), text)),
            Err(error) => Err((text, error.to_string())),
        },
        DeliveryBody::Undecodable { raw, reason } => Err((raw, reason)),
    }
}
