//! What is old enough to go, or too much to stay. Pure; knows nothing of what else a row is needed for.

use crate::config::RetentionSection;
use std::collections::HashMap;
use tidegate_envelope::SourceName;

const DAY_MS: u64 = 24 * 3_600 * 1_000;
/// A queue keeps a message for 14 days at most and may deliver it again until then; what is gone here would be decided
/// again.
pub const REDELIVERED_DAYS: u32 = 15;

/// How long and how much is kept of one source. 0: without end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// For so many days.
    pub days: u32,
    /// So many bytes, of which the oldest go first.
    pub bytes: u64,
}

/// How long and how much is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Of sources that are not named, and of what has none.
    usual: Keep,
    sources: HashMap<SourceName, Keep>,
    /// What is younger stays, however much there is.
    young_ms: u64,
}

/// What an event takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sized {
    /// Its source.
    pub source: SourceName,
    /// When it was pulled, in milliseconds since the Unix epoch.
    pub pulled_at_ms: u64,
    /// How many bytes of payload it and its effects have.
    pub bytes: u64,
}

/// One look through all events, the oldest first.
#[derive(Debug)]
pub struct Sweep<'a> {
    rules: &'a Retention,
    now_ms: u64,
    /// By how many bytes each source has more than it may have.
    excess: HashMap<SourceName, u64>,
}

impl Retention {
    /// What the operator set.
    ///
    /// # Errors
    /// When it is so little that a queue could bring back what is gone.
    pub fn new(section: &RetentionSection) -> anyhow::Result<Self> {
        let rules = Self { young_ms: u64::from(REDELIVERED_DAYS) * DAY_MS, ..Self::for_trying_out(section) };
        let shortest = rules.all().map(|keep| keep.days).filter(|days| *days > 0).min();
        anyhow::ensure!(
            shortest.is_none_or(|days| days >= REDELIVERED_DAYS),
            "retention.days must be 0 or at least {REDELIVERED_DAYS}: a queue may deliver a message again for 14 days, and \
             what is gone from the store would be decided a second time"
        );
        Ok(rules)
    }

    /// The same, as little as it may be: `tidegate dev` has a queue of its own, which holds nothing back.
    #[must_use]
    pub fn for_trying_out(section: &RetentionSection) -> Self {
        let sources =
            section.sources.iter().map(|it| (it.source.clone(), Keep { days: it.days, bytes: it.bytes }));
        Self {
            usual: Keep { days: section.days, bytes: section.bytes },
            sources: sources.collect(),
            young_ms: 0,
        }
    }

    /// Whether anything ever goes.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.all().all(|keep| keep == Keep::default())
    }

    /// Whether it matters how much there is.
    #[must_use]
    pub fn is_by_size(&self) -> bool {
        self.all().any(|keep| keep.bytes > 0)
    }

    /// Before when what came from this source goes, in milliseconds since the Unix epoch; `None` when it stays.
    #[must_use]
    pub fn before_ms(&self, source: Option<&SourceName>, now_ms: u64) -> Option<u64> {
        let days = self.of(source).days;
        (days > 0).then(|| now_ms.saturating_sub(u64::from(days) * DAY_MS))
    }

    /// The sources that are named.
    pub fn named(&self) -> impl Iterator<Item = &SourceName> {
        self.sources.keys()
    }

    fn of(&self, source: Option<&SourceName>) -> Keep {
        source.and_then(|source| self.sources.get(source)).copied().unwrap_or(self.usual)
    }

    fn all(&self) -> impl Iterator<Item = Keep> {
        self.sources.values().copied().chain([self.usual])
    }
}

impl<'a> Sweep<'a> {
    /// A look when each source has so many bytes.
    #[must_use]
    pub fn new(rules: &'a Retention, bytes: &HashMap<SourceName, u64>, now_ms: u64) -> Self {
        let excess = bytes.iter().filter_map(|(source, bytes)| {
            let max = rules.of(Some(source)).bytes;
            let excess = bytes.saturating_sub(max);
            (max > 0 && excess > 0).then(|| (source.clone(), excess))
        });
        Self { rules, now_ms, excess: excess.collect() }
    }

    /// Whether this event is to go.
    #[must_use]
    pub fn wants(&self, event: &Sized) -> bool {
        let is_old = self.rules.before_ms(Some(&event.source), self.now_ms);
        is_old.is_some_and(|before_ms| event.pulled_at_ms < before_ms)
            || (self.excess.contains_key(&event.source)
                && event.pulled_at_ms < self.now_ms.saturating_sub(self.rules.young_ms))
    }

    /// Takes note that it goes.
    pub fn goes(&mut self, event: &Sized) {
        if let Some(excess) = self.excess.get_mut(&event.source) {
            *excess = excess.saturating_sub(event.bytes);
            if *excess == 0 {
                self.excess.remove(&event.source);
            }
        }
    }

    /// Whether nothing that came at this time or later can go any more.
    #[must_use]
    pub fn is_over(&self, pulled_at_ms: u64) -> bool {
        let sources = self.rules.named().map(Some).chain([None]);
        let last_ms = sources.filter_map(|source| self.rules.before_ms(source, self.now_ms)).max();
        last_ms.is_none_or(|last_ms| pulled_at_ms >= last_ms)
            && (self.excess.is_empty() || pulled_at_ms >= self.now_ms.saturating_sub(self.rules.young_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SourceRetention;

    const NOW_MS: u64 = 100 * DAY_MS;

    fn name(name: &str) -> SourceName {
        SourceName::new(name).expect("a valid name")
    }

    fn section(days: u32, bytes: u64, sources: &[(&str, u32, u64)]) -> RetentionSection {
        let sources = sources.iter().map(|(source, days, bytes)| SourceRetention {
            source: name(source),
            days: *days,
            bytes: *bytes,
        });
        RetentionSection { days, bytes, sources: sources.collect() }
    }

    fn event(source: &str, age_days: u64, bytes: u64) -> Sized {
        Sized { source: name(source), pulled_at_ms: NOW_MS - age_days * DAY_MS, bytes }
    }

    #[test]
    fn nothing_set_keeps_everything() {
        let rules = Retention::new(&RetentionSection::default()).expect("fits");
        assert!(rules.is_endless());
        let sweep = Sweep::new(&rules, &HashMap::from([(name("a"), u64::MAX)]), NOW_MS);
        assert!(!sweep.wants(&event("a", 99, 1)) && sweep.is_over(0));
    }

    #[test]
    fn a_source_is_kept_as_long_as_it_says_and_others_as_usual() {
        let rules = Retention::new(&section(20, 0, &[("a", 50, 0), ("b", 0, 0)])).expect("fits");
        let sweep = Sweep::new(&rules, &HashMap::new(), NOW_MS);
        for (source, age_days, goes) in
            [("a", 51, true), ("a", 49, false), ("b", 99, false), ("c", 21, true), ("c", 19, false)]
        {
            assert_eq!(sweep.wants(&event(source, age_days, 1)), goes, "{source}, {age_days} days");
        }
        assert!(sweep.is_over(NOW_MS - 20 * DAY_MS) && !sweep.is_over(NOW_MS - 21 * DAY_MS));
    }

    #[test]
    fn the_oldest_of_a_source_that_has_too_much_go_until_it_fits() {
        let rules = Retention::new(&section(0, 0, &[("a", 0, 100)])).expect("fits");
        let mut sweep = Sweep::new(&rules, &HashMap::from([(name("a"), 160), (name("b"), 900)]), NOW_MS);
        let mut goes = |event: Sized| {
            let wanted = sweep.wants(&event);
            if wanted {
                sweep.goes(&event);
            }
            wanted
        };
        assert!(goes(event("a", 40, 50)) && !goes(event("b", 40, 50)) && goes(event("a", 30, 50)));
        assert!(!goes(event("a", 29, 60)), "it fits now");
    }

    #[test]
    fn what_a_queue_may_bring_back_stays_however_much_it_is() {
        let rules = Retention::new(&section(0, 1, &[])).expect("fits");
        let sweep = Sweep::new(&rules, &HashMap::from([(name("a"), 1_000)]), NOW_MS);
        assert!(sweep.wants(&event("a", 16, 10)) && !sweep.wants(&event("a", 14, 10)));
        for (days, fits) in [(1, false), (14, false), (15, true), (0, true)] {
            assert_eq!(Retention::new(&section(days, 0, &[])).is_ok(), fits, "{days} days");
            let named = section(0, 0, &[("a", days, 0)]);
            assert_eq!(Retention::new(&named).is_ok(), fits, "{days} days of one source");
        }
    }
}
