//! What a version must pass before it goes to work, in this order: what it asks for beyond the active version is approved;
//! and asked about the last real events it does not fault where the version before did not, says the same when it is asked
//! the same, and keeps within its budgets of time and memory. Before that, recording it has shown that it is a component of
//! a known contract, compiles, and asks for no more than the operator allows.

use crate::dryrun::tally::{Difference, Outcome, Tally};
use crate::dryrun::{DryRun, Run};
use crate::limits::Limits;
use crate::plugin::Version;
use crate::registry::Active;
use crate::rights::{self, RightChange};
use crate::store::Store;
use crate::store::past::PastQuery;
use crate::versions::VersionError;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// For how long a version that has passed is not asked again: a canary that is promoted, a swap back and forth.
const PASSED: Duration = Duration::from_secs(600);

/// What the last gate asks about, and what it lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateBounds {
    /// Events that are asked about, the newest ones; 0: none.
    pub events_max: usize,
    /// The longest that it takes for all of them, in milliseconds; then it judges by those that it got to.
    pub time_ms_max: u64,
    /// Events about which it may fault though the version before did not.
    pub faults_max: u64,
    /// What 99 of a hundred events may take, in hundredths of the version's `wall_time_ms`.
    pub wall_time_percent_max: u64,
    /// What each event may take of memory, in hundredths of its `memory_bytes`.
    pub memory_percent_max: u64,
}

impl Default for GateBounds {
    fn default() -> Self {
        Self {
            events_max: 1_000,
            time_ms_max: 10_000,
            faults_max: 0,
            wall_time_percent_max: 75,
            memory_percent_max: 90,
        }
    }
}

/// Which gate a version does not pass, and why.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// It asks for more than the active version, and nobody has approved that.
    #[error("{}", rights::unapproved(.0))]
    Unapproved(Vec<RightChange>),
    /// Its answers differ when it is asked the same.
    #[error("gate: pure: asked twice about {}, this version said two things{}", about(.0), fields(.0))]
    Impure(Box<Difference>),
    /// It faults where the version before did not.
    #[error(
        "gate: faults: of {events} real events, this version faults about {faults} where the version before did not, and \
         {faults_max} may (gate.faults_max); the newest: {}{}",
        about(.newest), fault(.newest)
    )]
    Faults {
        /// How many events were asked about.
        events: u64,
        /// About how many it faults.
        faults: u64,
        /// About how many it may.
        faults_max: u64,
        /// The newest of them.
        newest: Box<Difference>,
    },
    /// It takes too long.
    #[error(
        "gate: time: of {events} real events, this version takes {p99_us} us for the slowest in a hundred, which is over \
         {percent_max} % (gate.wall_time_percent_max) of its wall_time_ms of {limit_ms} ms"
    )]
    Time {
        /// How many events were asked about.
        events: u64,
        /// What 99 of a hundred took at most, in microseconds.
        p99_us: u64,
        /// Its budget, in hundredths of its limit.
        percent_max: u64,
        /// Its limit.
        limit_ms: u64,
    },
    /// It takes too much memory.
    #[error(
        "gate: memory: of {events} real events, this version takes up to {memory_bytes} bytes for one, which is over \
         {percent_max} % (gate.memory_percent_max) of its memory_bytes of {limit_bytes}"
    )]
    Memory {
        /// How many events were asked about.
        events: u64,
        /// The most that one took.
        memory_bytes: usize,
        /// Its budget, in hundredths of its limit.
        percent_max: u64,
        /// Its limit.
        limit_bytes: usize,
    },
}

/// The event that is meant.
fn about(difference: &Difference) -> String {
    let Difference { receipt, subject, event_kind, .. } = difference;
    let subject = if subject.is_empty() { "no subject" } else { subject };
    format!("{receipt} ({event_kind} of {subject})")
}

fn fields(difference: &Difference) -> String {
    let field = difference.drift.as_ref().and_then(|drift| drift.fields.first());
    field.map_or_else(String::new, |field| {
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        format!(": at {} first {}, then {}", field.pointer, side(&field.before), side(&field.after))
    })
}

fn fault(difference: &Difference) -> String {
    let fault = difference.drift.as_ref().and_then(|drift| drift.fault.as_ref());
    fault.map_or_else(String::new, |fault| match fault.own_function() {
        Some(function) => format!(": {}, in {function}", fault.text),
        None => format!(": {}", fault.text),
    })
}

/// The first gate: what a version asks for beyond the active one is approved.
///
/// # Errors
/// Says what it is.
pub fn approved(changes: &[RightChange], is_approved: bool) -> Result<(), GateError> {
    if !is_approved && changes.iter().any(|change| change.needs_approval) {
        return Err(GateError::Unapproved(changes.to_vec()));
    }
    Ok(())
}

/// The last gates: what a dry run of a version with these limits found lets it through.
///
/// # Errors
/// Says which one does not, and why.
pub fn judge(tally: &Tally, bounds: &GateBounds, limits: &Limits) -> Result<(), GateError> {
    let events = tally.events();
    if let Some(impure) = tally.of(Outcome::Impure).next() {
        return Err(GateError::Impure(Box::new(impure.clone())));
    }
    let (faults, faults_max) = (tally.count(Outcome::NewFault), bounds.faults_max);
    if let Some(newest) = tally.of(Outcome::NewFault).next().filter(|_| faults > faults_max) {
        return Err(GateError::Faults { events, faults, faults_max, newest: Box::new(newest.clone()) });
    }
    let p99_us = tally.candidate.p99_us();
    let (percent_max, limit_ms) = (bounds.wall_time_percent_max, limits.wall_time_ms);
    if p99_us > limit_ms.saturating_mul(10).saturating_mul(percent_max) {
        return Err(GateError::Time { events, p99_us, percent_max, limit_ms });
    }
    let memory_bytes = tally.candidate.memory_bytes_max;
    let (percent_max, limit_bytes) = (bounds.memory_percent_max, limits.memory_bytes);
    let percent = u64::try_from(memory_bytes.saturating_mul(100) / limit_bytes.max(1)).unwrap_or(u64::MAX);
    if percent > percent_max {
        return Err(GateError::Memory { events, memory_bytes, percent_max, limit_bytes });
    }
    Ok(())
}

/// The gates that ask a version about real events.
pub struct Gate<S> {
    dry_run: Arc<DryRun<S>>,
    bounds: GateBounds,
    /// The versions that have passed, and when.
    passed: Mutex<HashMap<Version, Instant>>,
}

impl<S: Store> Gate<S> {
    /// Within these bounds.
    #[must_use]
    pub fn new(dry_run: Arc<DryRun<S>>, bounds: GateBounds) -> Self {
        Self { dry_run, bounds, passed: Mutex::default() }
    }

    /// Asks the version about the last events and judges it by that; not again soon after it has passed. May take as long as
    /// its bounds say: nobody is to wait for it who wants to go back.
    ///
    /// # Errors
    /// Says which gate it does not pass; or the store cannot be read, or the version cannot be made ready.
    pub async fn check(&self, candidate: &Arc<Active>) -> Result<Result<(), GateError>, VersionError> {
        if self.passed().get(&candidate.version).is_some_and(|at| at.elapsed() < PASSED) {
            return Ok(Ok(()));
        }
        let tally = self.ask(candidate).await?;
        let judged = judge(&tally, &self.bounds, &candidate.limits);
        if judged.is_ok() && tally.events() > 0 {
            let mut passed = self.passed();
            passed.retain(|_, at| at.elapsed() < PASSED);
            passed.insert(candidate.version.clone(), Instant::now());
        }
        Ok(judged)
    }

    fn passed(&self) -> MutexGuard<'_, HashMap<Version, Instant>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, candidate: &Arc<Active>) -> Result<Tally, VersionError> {
        let until = Instant::now() + Duration::from_millis(self.bounds.time_ms_max);
        let run = Run { candidate: Arc::clone(candidate), against: None, told_max: 1 };
        let manifest = Arc::new(candidate.manifest.clone());
        let (mut tally, mut before) = (Tally::default(), None);
        let events_max = u64::try_from(self.bounds.events_max).unwrap_or(u64::MAX);
        while tally.events() < events_max && Instant::now() < until {
            let left = usize::try_from(events_max - tally.events()).unwrap_or(usize::MAX);
            let query =
                PastQuery { manifest: Arc::clone(&manifest), before, since_ms: None, events_max: left };
            let page = self.dry_run.page(&run, query, until).await?;
            tally.merge(page.tally, run.told_max);
            if page.is_end {
                break;
            }
            before = Some(page.cursor);
        }
        let events = tally.events();
        tracing::info!(plugin = %manifest.name, version = candidate.version.short(), events, "ran dry");
        Ok(tally)
    }
}

#[cfg(test)]
mod tests;
