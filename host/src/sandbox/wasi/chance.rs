//! Numbers that look random and are the same for the same event. Knows nothing of wasm; they are no secret.

use sha2::{Digest as _, Sha256};
use tidegate_envelope::Receipt;

/// Before what is hashed, so that nothing else that hashes a receipt gives the same bytes.
const DOMAIN: &[u8] = b"tidegate plugin randomness v1";

/// A stream of bytes: the SHA-256 of the receipt and of a count, block after block.
#[derive(Debug)]
pub(super) struct Chance {
    receipt: [u8; 16],
    /// Blocks drawn so far.
    blocks: u64,
    /// The last block, and how much of it was used.
    block: [u8; 32],
    used: usize,
}

impl Chance {
    pub(super) fn new(receipt: Receipt) -> Self {
        Self { receipt: receipt.to_bytes(), blocks: 0, block: [0; 32], used: 32 }
    }

    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.used == self.block.len() {
                self.draw();
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn draw(&mut self) {
        let hash = Sha256::new().chain_update(DOMAIN).chain_update(self.receipt);
        self.block = hash.chain_update(self.blocks.to_le_bytes()).finalize().into();
        self.blocks = self.blocks.wrapping_add(1);
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(receipt: Receipt, pieces: &[usize]) -> Vec<u8> {
        let mut chance = Chance::new(receipt);
        let mut all = Vec::new();
        for piece in pieces {
            let mut bytes = vec![0; *piece];
            chance.fill(&mut bytes);
            all.extend(bytes);
        }
        all
    }

    #[test]
    fn the_same_receipt_gives_the_same_bytes_in_whatever_pieces() {
        let receipt = Receipt::new(1_700_000_000_000, 7);
        let whole = drawn(receipt, &[100]);
        assert_eq!(drawn(receipt, &[1, 31, 32, 0, 36]), whole);
        assert_ne!(drawn(Receipt::new(1_700_000_000_000, 8), &[100]), whole);
        assert_ne!(whole[..32], whole[32..64], "no block comes twice");
    }

    #[test]
    fn the_numbers_of_a_receipt_never_change() {
        // A plugin's ids may be made of them: a later host gives the same.
        let mut chance = Chance::new(Receipt::new(0, 0));
        assert_eq!(chance.number(), 9_898_141_501_365_832_529);
    }
}
