//! One source under watch: the state machine. Knows nothing of the other sources.

use super::{RECOVERED_MS, RESUME_WAIT_MS, STRAGGLE_MS, TEST_ECHO_MS, VigilRules, watched_ms_min};
use crate::alert::{Alert, Gap, GapCause, Trouble};
use crate::rhythm::{Rhythm, Silence};
use serde::{Deserialize, Serialize};
use tidegate_envelope::SourceName;
use tidegate_source::status::SourceStatus;

/// What must be remembered of a source across a restart. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SourceMemory {
    pub(super) profile: Option<String>,
    /// The last sign of life: an event that was recorded, or a 2xx that the edge gave.
    pub(super) last_ms: Option<u64>,
    /// The last failure that is known of.
    pub(super) last_failure_ms: Option<u64>,
    pub(super) trouble: Option<Episode>,
    /// When the last cut-off ended.
    pub(super) resumed_ms: Option<u64>,
    /// Since when the source is silent, once that was said.
    pub(super) silent_since_ms: Option<u64>,
}

/// A time of failures, from the first of them until all has been well for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Episode {
    /// The worst it came to: what was said already.
    pub(super) level: Level,
    pub(super) since_ms: u64,
    /// The last sign of life before the sender was cut off.
    pub(super) alive_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    Failing,
    NearlyCutOff,
    CutOff,
}

/// One source, with what is known of it.
#[derive(Debug)]
pub(super) struct Watched {
    name: SourceName,
    started_ms: u64,
    pub(super) memory: SourceMemory,
    pub(super) rhythm: Option<Rhythm>,
    rhythm_changed: bool,
    /// When the edge first said that it answers well again, while a gap is open.
    answered_since_ms: Option<u64>,
    /// When the operator last sent a test.
    tested_ms: Option<u64>,
    /// What the edge said last; `None` when it does not list the source, or was never asked.
    pub(super) status: Option<SourceStatus>,
}

impl Watched {
    pub(super) const fn new(
        name: SourceName,
        memory: SourceMemory,
        rhythm: Option<Rhythm>,
        started_ms: u64,
    ) -> Self {
        Self {
            name,
            started_ms,
            memory,
            rhythm,
            rhythm_changed: false,
            answered_since_ms: None,
            tested_ms: None,
            status: None,
        }
    }

    /// Whether a new slot of the rhythm began since this was asked last.
    pub(super) fn rhythm_changed(&mut self) -> bool {
        std::mem::take(&mut self.rhythm_changed)
    }

    /// The edge is about to say which sources it has.
    pub(super) fn unlist(&mut self) {
        self.status = None;
    }

    /// The operator sent a test: no sign of life from the sender.
    pub(super) fn tested(&mut self, at_ms: u64) {
        self.tested_ms = self.tested_ms.max(Some(at_ms));
    }

    /// An event came, or the edge gave a 2xx, at this time. Late news of earlier ones change nothing.
    pub(super) fn event(&mut self, at_ms: u64, now_ms: u64) -> Option<Alert> {
        let before_ms = self.memory.last_ms;
        if before_ms.is_some_and(|last_ms| at_ms <= last_ms) {
            return None;
        }
        self.memory.last_ms = Some(at_ms);
        let gap = self.gap_until(at_ms);
        let cut_off = gap.as_ref().is_some_and(|gap| gap.after == GapCause::CutOff);
        let watched = before_ms.is_some_and(|last_ms| last_ms >= self.started_ms);
        let silence = if watched && !cut_off { Silence::Natural } else { Silence::Unknown };
        self.rhythm_changed |= match self.rhythm.as_mut() {
            Some(rhythm) => rhythm.event(at_ms, silence),
            None => {
                self.rhythm = Some(Rhythm::new(at_ms));
                true
            }
        };
        gap.map(|gap| Alert::Resumed { profile: self.memory.profile.clone(), gap, at_ms: now_ms })
    }

    /// The gap that a sign of life at this time ends, if one is open.
    fn gap_until(&mut self, to_ms: u64) -> Option<Gap> {
        let last_failure_ms = self.memory.last_failure_ms.unwrap_or_default();
        if let Some(episode) = self.memory.trouble.as_mut()
            && episode.level == Level::CutOff
            && to_ms <= last_failure_ms
        {
            // Accepted before the failures, and read only now.
            episode.alive_ms = to_ms;
            return None;
        }
        let cut_off = self.memory.trouble.take_if(|episode| episode.level == Level::CutOff);
        if cut_off.is_some() {
            self.memory.resumed_ms = Some(to_ms);
        }
        self.answered_since_ms = None;
        let silent_since_ms = self.memory.silent_since_ms.take();
        let from_ms = [cut_off.map(|it| it.alive_ms), silent_since_ms].into_iter().flatten().min()?;
        let after = if cut_off.is_some() { GapCause::CutOff } else { GapCause::Silence };
        Some(Gap { source: self.name.clone(), from_ms, to_ms, after })
    }

    /// The edge said how the source is. What happened between two polls is put in its order: the side that has the
    /// last word happened last.
    pub(super) fn polled(&mut self, status: &SourceStatus, now_ms: u64) -> Vec<Alert> {
        // What had passed before anybody watched is no news.
        if self.memory.profile.replace(status.profile.clone()).is_none() && status.tally.failures_in_row == 0
        {
            self.memory.last_failure_ms = status.tally.last_failure_ms;
        }
        let tally = &status.tally;
        let success = |this: &mut Self| this.answered(tally.last_success_ms?, now_ms);
        let mut alerts = Vec::new();
        if tally.failures_in_row > 0 {
            alerts.extend(success(self));
            alerts.extend(self.failed(status, now_ms));
        } else {
            alerts.extend(self.failed(status, now_ms));
            alerts.extend(success(self));
        }
        self.status = Some(status.clone());
        alerts
    }

    /// The edge gave a 2xx at this time. While a gap is open the event itself is waited for a little.
    fn answered(&mut self, at_ms: u64, now_ms: u64) -> Option<Alert> {
        let cut_off = self.memory.trouble.is_some_and(|it| it.level == Level::CutOff);
        let later = self.memory.last_ms.is_none_or(|last_ms| at_ms > last_ms);
        if later && (cut_off || self.memory.silent_since_ms.is_some()) {
            let since_ms = *self.answered_since_ms.get_or_insert(now_ms);
            let of_test =
                |tested_ms: u64| (tested_ms..=tested_ms.saturating_add(TEST_ECHO_MS)).contains(&at_ms);
            if now_ms.saturating_sub(since_ms) < RESUME_WAIT_MS || self.tested_ms.is_some_and(of_test) {
                return None;
            }
        }
        self.event(at_ms, now_ms)
    }

    fn failed(&mut self, status: &SourceStatus, now_ms: u64) -> Option<Alert> {
        let tally = &status.tally;
        let fresh = tally.last_failure_ms > self.memory.last_failure_ms;
        self.memory.last_failure_ms = self.memory.last_failure_ms.max(tally.last_failure_ms);
        if !fresh || self.is_of_the_last_cut_off(status) {
            return None;
        }
        // An event may have overtaken the edge's word: then the failures are over, whatever it says.
        let over = self.memory.last_ms > tally.last_failure_ms;
        let level = match (tally.failures_in_row, status.left) {
            (1.., Some(0)) if !over => Level::CutOff,
            (1.., Some(1)) if !over => Level::NearlyCutOff,
            _ => Level::Failing,
        };
        let since_ms = tally.last_failure_ms.unwrap_or(now_ms);
        match self.memory.trouble.as_mut() {
            Some(episode) if level <= episode.level => return None,
            Some(episode) => episode.level = level,
            None => self.memory.trouble = Some(Episode { level, since_ms, alive_ms: since_ms }),
        }
        if let (Some(episode), Some(last_ms)) = (self.memory.trouble.as_mut(), self.memory.last_ms) {
            episode.alive_ms = last_ms;
        }
        let trouble = Trouble {
            source: self.name.clone(),
            profile: status.profile.clone(),
            failures_in_row: tally.failures_in_row,
            left: status.left,
            last_failure: tally.last_failure.clone(),
            last_failure_ms: tally.last_failure_ms,
            last_success_ms: tally.last_success_ms,
            at_ms: now_ms,
        };
        Some(match level {
            Level::Failing => Alert::Failing(trouble),
            Level::NearlyCutOff => Alert::NearlyCutOff(trouble),
            Level::CutOff => Alert::CutOff(trouble),
        })
    }

    /// Whether the last failure belongs to a cut-off that has ended: the edge's word is older than the event that ended
    /// it, or it is one of the last that failed while others succeeded again.
    fn is_of_the_last_cut_off(&self, status: &SourceStatus) -> bool {
        let (Some(resumed_ms), Some(failed_ms)) = (self.memory.resumed_ms, status.tally.last_failure_ms)
        else {
            return false;
        };
        let is_over = status.tally.failures_in_row == 0;
        failed_ms <= resumed_ms || (is_over && failed_ms <= resumed_ms.saturating_add(STRAGGLE_MS))
    }

    /// Ends an episode that did not come to a cut-off, when all has been well for a while.
    pub(super) fn recover(&mut self, now_ms: u64) {
        let well = self.status.as_ref().is_some_and(|status| status.tally.failures_in_row == 0);
        let for_ms = now_ms.saturating_sub(self.memory.last_failure_ms.unwrap_or_default());
        if well && for_ms >= RECOVERED_MS && self.memory.trouble.is_some_and(|it| it.level < Level::CutOff) {
            self.memory.trouble = None;
        }
    }

    /// Whether the source is silent beyond what explains itself: once.
    pub(super) fn silence(&mut self, rules: &VigilRules, watched_ms: u64, now_ms: u64) -> Option<Alert> {
        let since_ms = self.memory.last_ms?;
        let cut_off = self.memory.trouble.is_some_and(|it| it.level == Level::CutOff);
        if self.memory.silent_since_ms.is_some() || cut_off || watched_ms < watched_ms_min(rules) {
            return None;
        }
        let silent_ms = now_ms.saturating_sub(since_ms);
        let too_long = rules.silence_max_ms.is_some_and(|max_ms| silent_ms >= max_ms);
        if !too_long && !self.rhythm.as_ref().is_some_and(|rhythm| rhythm.is_quiet(now_ms)) {
            return None;
        }
        self.memory.silent_since_ms = Some(since_ms);
        let (source, profile) = (self.name.clone(), self.memory.profile.clone());
        Some(Alert::Silent { source, profile, since_ms, at_ms: now_ms })
    }
}

impl SourceMemory {
    pub(super) fn same_but_for_times(&self, other: &Self) -> bool {
        let without = |memory: &Self| Self { last_ms: None, ..memory.clone() };
        without(self) == without(other)
    }
}
