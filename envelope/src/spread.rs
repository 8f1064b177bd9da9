//! How subjects are spread over queues at the edge, and over the hosts behind them: both by the same number.

/// FNV-1a, 64 bits: even enough for a few queues and hosts, and the same on every machine and in every release.
/// (<https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>)
#[must_use]
pub fn spread(key: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    key.iter().fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn it_is_fnv_1a() {
        // Two of its authors' test vectors.
        assert_eq!(spread(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(spread(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
