//! Asks a version about events that were decided long ago and says where it would have decided otherwise. Performs nothing
//! and records nothing. It is exact: a plugin is a pure function of its event, its memory and its settings.

pub mod ask;
pub mod tally;

use crate::plan::PlanRules;
use crate::plugin::Version;
use crate::registry::Active;
use crate::store::Store;
use crate::store::past::{Past, PastQuery};
use crate::versions::{VersionError, Versions};
use ask::Against;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tally::Tally;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// How long one thread is kept at a time: then whoever waits for one gets it.
const SLICE: Duration = Duration::from_millis(50);

/// What runs dry. One for each host: what it does takes one thread at most, so that the live events go first.
pub struct DryRun<S> {
    versions: Arc<Versions<S>>,
    rules: PlanRules,
    one: Semaphore,
}

/// Whom to ask about what, and what to compare it with.
#[derive(Clone)]
pub struct Run {
    /// The version that is tried.
    pub candidate: Arc<Active>,
    /// What its answers are compared with; `None` for what was recorded, whichever version it was of.
    pub against: Option<Arc<Active>>,
    /// Differences of one outcome that are told; of more, those that come first.
    pub told_max: usize,
}

/// What came of one page of events.
#[derive(Debug)]
pub struct Page {
    /// What was found.
    pub tally: Tally,
    /// Where to go on.
    pub cursor: i64,
    /// Whether nothing is left.
    pub is_end: bool,
}

impl<S: Store> DryRun<S> {
    /// What asks these versions; their decisions are granted under these rules.
    #[must_use]
    pub fn new(versions: Arc<Versions<S>>, rules: PlanRules) -> Self {
        Self { versions, rules, one: Semaphore::new(1) }
    }

    /// Asks about one page of the events that `query` names, until this time at the latest and about one at least: what is left of
    /// the page then is for the next. Its manifest must be the candidate's. Cancel-safe: what is under way ends within a slice and is
    /// forgotten.
    ///
    /// # Errors
    /// When the store cannot be read, or the candidate or what it is compared with cannot be made ready.
    pub async fn page(&self, run: &Run, query: PastQuery, until: Instant) -> Result<Page, VersionError> {
        let page = self.versions.store.past(query).await?;
        let places: Vec<_> = page.events.iter().map(|past| past.place).collect();
        let tally = self.all(run, page.events, until).await?;
        let asked = usize::try_from(tally.events()).unwrap_or(usize::MAX);
        Ok(match places.get(asked.saturating_sub(1)).filter(|_| asked < places.len()) {
            Some(last) => Page { tally, cursor: *last, is_end: false },
            None => Page { tally, cursor: page.cursor, is_end: page.is_end },
        })
    }

    /// Asks about these events, until this time at the latest.
    ///
    /// # Errors
    /// As [`DryRun::page`].
    pub async fn all(&self, run: &Run, events: Vec<Past>, until: Instant) -> Result<Tally, VersionError> {
        self.versions.ready(&run.candidate).await?;
        if let Some(against) = &run.against {
            self.versions.ready(against).await?;
        }
        let _turn = self.one.acquire().await.expect("the semaphore is never closed");
        let mut against =
            Against { version: run.against.clone(), recorded: self.recorded(run, &events).await };
        let mut events = events.into_iter();
        let mut tally = Tally::default();
        loop {
            let (run, rules) = (run.clone(), self.rules);
            let sandbox = Arc::clone(&self.versions.sandbox);
            let slice = tokio::task::spawn_blocking(move || {
                let pause_at = until.min(Instant::now() + SLICE);
                let asking = ask::Asking { sandbox: &sandbox, rules: &rules, candidate: &run.candidate };
                for past in events.by_ref() {
                    tally.add(asking.about(&past, &against), run.told_max);
                    if Instant::now() >= pause_at {
                        break;
                    }
                }
                (events, against, tally)
            });
            (events, against, tally) = slice.await.expect("asking plugins does not panic");
            if events.len() == 0 || Instant::now() >= until {
                return Ok(tally);
            }
        }
    }

    /// The versions that decided about these events, those of them that can still be asked.
    async fn recorded(&self, run: &Run, events: &[Past]) -> HashMap<Version, Arc<Active>> {
        let mut recorded = HashMap::new();
        if run.against.is_some() {
            return recorded;
        }
        let named: HashSet<&Version> =
            events.iter().filter_map(|past| past.asked.as_ref()).map(|asked| &asked.version).collect();
        for version in named {
            let ready = async {
                let active = self.versions.get(version).await?;
                self.versions.ready(&active).await.map(|()| active)
            };
            match ready.await {
                Ok(active) => {
                    recorded.insert(version.clone(), active);
                }
                Err(error) => {
                    tracing::warn!(
                        version = version.short(),
                        "a version that decided cannot be asked again: {error}"
                    );
                }
            }
        }
        recorded
    }
}
