//! Times calls. Knows nothing of what is called.

use std::time::Instant;

/// What each call took, in microseconds, sorted.
pub(crate) struct Times(Vec<f64>);

impl Times {
    /// Calls so often.
    pub(crate) fn of(calls: usize, mut call: impl FnMut()) -> Self {
        let mut one = || {
            let began = Instant::now();
            call();
            began.elapsed().as_secs_f64() * 1e6
        };
        Self::sorted((0..calls).map(|_| one()).collect())
    }

    /// All of several.
    pub(crate) fn together(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::sorted(parts.into_iter().flat_map(|part| part.0).collect())
    }

    fn sorted(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    /// What so many of a hundred do not exceed.
    pub(crate) fn percentile(&self, of_hundred: usize) -> f64 {
        self.0[(self.0.len() * of_hundred).div_ceil(100).saturating_sub(1)]
    }
}

pub(crate) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
