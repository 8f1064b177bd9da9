//! The right to acknowledge one delivery. Knows nothing of who holds it: the database decides whether a lease
//! is still held, this file only makes and reads what stands for it.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const MAC_BYTES: usize = 12;
const FIELD_BYTES: usize = 8 + 8 + 4;

/// One delivery of one message. Which delivery is part of it, so an older lease of the same message is another
/// lease: that is the fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// End of the lease, in milliseconds since 1970.
    pub(crate) until_ms: i64,
    /// Which delivery, the first being 1.
    pub(crate) delivery: u32,
    /// Key of the message.
    pub(crate) key: i64,
}

impl Lease {
    /// When the lease ends, in milliseconds since 1970.
    #[must_use]
    pub fn until_ms(&self) -> u64 {
        self.until_ms.cast_unsigned()
    }
}

/// Turns leases and references into text nobody can make up, and back. One secret per database.
#[derive(Clone)]
pub struct Seal {
    keyed: Sha256,
}

impl Seal {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self { keyed: Sha256::new_with_prefix(secret) }
    }

    /// The `lease_id` of a lease.
    #[must_use]
    pub fn lease_text(&self, lease: &Lease) -> String {
        let mut bytes = [0; FIELD_BYTES + MAC_BYTES];
        bytes[..8].copy_from_slice(&lease.key.to_be_bytes());
        bytes[8..16].copy_from_slice(&lease.until_ms.to_be_bytes());
        bytes[16..20].copy_from_slice(&lease.delivery.to_be_bytes());
        let mac = self.mac(b'L', &bytes[..FIELD_BYTES]);
        bytes[FIELD_BYTES..].copy_from_slice(&mac);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The lease of a `lease_id`; `None` when this database did not make it.
    #[must_use]
    pub fn read_lease(&self, text: &str) -> Option<Lease> {
        let bytes: [u8; FIELD_BYTES + MAC_BYTES] = decode(text)?;
        let (fields, mac) = bytes.split_at(FIELD_BYTES);
        if !self.is_mine(b'L', fields, mac) {
            return None;
        }
        Some(Lease {
            key: i64::from_be_bytes(fields[..8].try_into().ok()?),
            until_ms: i64::from_be_bytes(fields[8..16].try_into().ok()?),
            delivery: u32::from_be_bytes(fields[16..].try_into().ok()?),
        })
    }

    /// The `ref` of a message.
    #[must_use]
    pub fn reference_text(&self, reference: &crate::message::Reference) -> String {
        let mut bytes = [0; 8 + MAC_BYTES];
        bytes[..8].copy_from_slice(&reference.key.to_be_bytes());
        let mac = self.mac(b'R', &bytes[..8]);
        bytes[8..].copy_from_slice(&mac);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The message of a `ref`; `None` when this database did not make it.
    #[must_use]
    pub fn read_reference(&self, text: &str) -> Option<crate::message::Reference> {
        let bytes: [u8; 8 + MAC_BYTES] = decode(text)?;
        let (fields, mac) = bytes.split_at(8);
        if !self.is_mine(b'R', fields, mac) {
            return None;
        }
        Some(crate::message::Reference { key: i64::from_be_bytes(fields.try_into().ok()?) })
    }

    /// The secret comes first and the input has a fixed length and is cut: nothing can be appended to it.
    fn mac(&self, purpose: u8, fields: &[u8]) -> [u8; MAC_BYTES] {
        let mut hash = self.keyed.clone();
        hash.update([purpose]);
        hash.update(fields);
        let full = hash.finalize();
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&full[..MAC_BYTES]);
        mac
    }

    fn is_mine(&self, purpose: u8, fields: &[u8], mac: &[u8]) -> bool {
        self.mac(purpose, fields).ct_eq(mac).into()
    }
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Longer text than any of ours is not worth decoding.
    if text.len() > N * 2 {
        return None;
    }
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Lease = Lease { key: 1 << 40 | 7, until_ms: 1_764_000_000_000, delivery: 2 };

    #[test]
    fn a_lease_survives_its_text() {
        let seal = Seal::new(&[7; 32]);
        assert_eq!(seal.read_lease(&seal.lease_text(&LEASE)), Some(LEASE));
    }

    #[test]
    fn a_lease_changed_in_any_character_is_not_ours() {
        let seal = Seal::new(&[7; 32]);
        let text = seal.lease_text(&LEASE);
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).expect("ASCII stays ASCII");
            assert_eq!(seal.read_lease(&other), None, "{other}");
        }
    }

    #[test]
    fn another_database_reads_neither_lease_nor_reference() {
        let (ours, theirs) = (Seal::new(&[7; 32]), Seal::new(&[8; 32]));
        let reference = crate::message::Reference { key: 9 };
        assert_eq!(theirs.read_lease(&ours.lease_text(&LEASE)), None);
        assert_eq!(theirs.read_reference(&ours.reference_text(&reference)), None);
        assert_eq!(ours.read_reference(&ours.reference_text(&reference)), Some(reference));
    }
}
