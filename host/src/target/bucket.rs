//! A token bucket: how fast something may be done. Pure: time is passed in.

/// Thousandths of a token: a millisecond brings as many as a second brings tokens, so there are no fractions.
const WHOLE: u64 = 1_000;

/// Tokens that come at a steady pace and are kept up to a tenth of a second's worth: so within any second there are
/// at most that many more than the rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Tokens that come in a second; 0 is no limit.
    per_second: u64,
    /// What is in it, in thousandths of a token.
    thousandths: u64,
    /// When that was so, in milliseconds.
    at_ms: u64,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(per_second: u32, now_ms: u64) -> Self {
        let mut bucket = Self { per_second: per_second.into(), thousandths: 0, at_ms: now_ms };
        bucket.thousandths = bucket.max();
        bucket
    }

    /// How many tokens there are now. A clock that goes backwards brings none.
    pub(super) fn tokens(&mut self, now_ms: u64) -> usize {
        if self.per_second == 0 {
            return usize::MAX;
        }
        let came = now_ms.saturating_sub(self.at_ms).saturating_mul(self.per_second);
        self.thousandths = self.thousandths.saturating_add(came).min(self.max());
        self.at_ms = now_ms;
        usize::try_from(self.thousandths / WHOLE).unwrap_or(usize::MAX)
    }

    /// Takes one that is there.
    pub(super) fn take(&mut self) {
        self.thousandths = self.thousandths.saturating_sub(WHOLE);
    }

    /// When the next one is there, where there is none at the time of the last look.
    pub(super) fn next_at_ms(&self) -> u64 {
        let missing = WHOLE.saturating_sub(self.thousandths);
        self.at_ms.saturating_add(missing.div_ceil(self.per_second.max(1)))
    }

    fn max(&self) -> u64 {
        (self.per_second * WHOLE / 10).max(WHOLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_at_their_pace_and_do_not_pile_up() {
        // Rate, then steps of (time, tokens found there); each found one is taken.
        let cases: [(u32, &[(u64, usize)]); 5] = [
            (1, &[(0, 1), (0, 0), (999, 0), (1_000, 1), (1_000, 0), (60_000, 1), (60_000, 0)]),
            (4, &[(0, 1), (249, 0), (250, 1), (500, 1)]),
            (20, &[(0, 2), (0, 1), (0, 0), (49, 0), (50, 1), (10_000, 2)]),
            // More than a thousand within a second: several come in one millisecond.
            (5_000, &[(0, 500), (0, 499), (1, 500)]),
            // A clock that goes backwards.
            (1, &[(5_000, 1), (1_000, 0), (1_999, 0), (2_000, 1)]),
        ];
        for (per_second, steps) in cases {
            let mut bucket = Bucket::new(per_second, steps[0].0);
            for (at_ms, expected) in steps {
                assert_eq!(bucket.tokens(*at_ms), *expected, "{per_second}/s at {at_ms}");
                if *expected > 0 {
                    bucket.take();
                } else {
                    let next_at_ms = bucket.next_at_ms();
                    let mut later = bucket;
                    assert_eq!(later.tokens(next_at_ms), 1, "{per_second}/s: the next at {next_at_ms}");
                    assert_eq!(bucket.clone().tokens(next_at_ms - 1), 0, "{per_second}/s: not before");
                }
            }
        }
    }

    #[test]
    fn no_limit_is_none() {
        let mut bucket = Bucket::new(0, 0);
        for _ in 0..10_000 {
            assert_eq!(bucket.tokens(0), usize::MAX);
            bucket.take();
        }
    }

    #[test]
    fn within_a_second_there_is_a_tenth_more_than_the_rate_at_most() {
        let mut bucket = Bucket::new(50, 0);
        let mut taken = 0;
        for now_ms in 0..1_000 {
            for _ in 0..bucket.tokens(now_ms) {
                bucket.take();
                taken += 1;
            }
        }
        assert!((50..=55).contains(&taken), "{taken}");
    }
}
