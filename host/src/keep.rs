//! Removes what is old enough, in the background and so slowly that nobody feels it. Knows nothing of SQL, nor of what a
//! row is still needed for: the store refuses to remove that.

use crate::retention::{Retention, Sweep};
use crate::store::keeping::{Cutoffs, Pages, Removal, Stored};
use crate::store::{Batch, EventSeq, Store, StoreError};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tidegate_envelope::SourceName;
use tokio::sync::watch;
use tokio::time::Instant;

/// Between the end of one look and the next.
const EVERY: Duration = Duration::from_secs(3_600);
/// Events looked at in one read, and removed in one transaction.
const READ_MAX: usize = 1_000;
const REMOVED_MAX: usize = 200;
/// Pages given back in one transaction; each is one that moves within the file.
const PAGES_MAX: u32 = 128;
/// Of so many pages one may be free: the next events fill it.
const FREE_SHARE: u64 = 10;
/// For every moment of work so many of rest. A busy store answers late, and so is left in peace longer.
const REST: u32 = 4;
const REST_MIN: Duration = Duration::from_millis(2);

/// Who removes.
#[derive(Clone)]
pub struct Keeper<S> {
    /// From where.
    pub store: S,
    /// What.
    pub retention: Retention,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub now_ms: fn() -> u64,
}

/// What one look removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Events that were looked at.
    pub seen: u64,
    /// Events that went.
    pub removed: u64,
    /// Pages that went back to the file system.
    pub pages: u64,
}

/// Looks once an hour until told to stop. Cancel-safe: each removal is a transaction of its own.
pub async fn run<S: Store>(keeper: Keeper<S>, mut stop: watch::Receiver<bool>) {
    if keeper.retention.is_endless() {
        return drop(stop.wait_for(|stop| *stop).await);
    }
    let looking = async {
        loop {
            match keeper.sweep().await {
                Ok(Swept { removed: 0, pages: 0, .. }) => {}
                Ok(Swept { seen, removed, pages }) => {
                    tracing::info!(seen, removed, pages, "removed what was old")
                }
                Err(error) => tracing::error!("failed to remove what is old, will try again: {error}"),
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::select! {
        () = looking => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

impl<S: Store> Keeper<S> {
    /// Looks through everything once. Cancel-safe.
    ///
    /// # Errors
    /// When the store cannot be read or written; what was removed before is.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        let now_ms = (self.now_ms)();
        let bytes = if self.retention.is_by_size() { self.measure().await? } else { HashMap::new() };
        let mut sweep = Sweep::new(&self.retention, &bytes, now_ms);
        let (mut swept, mut after) = (Swept::default(), None);
        loop {
            let started = Instant::now();
            let stored = self.store.sizes(after, READ_MAX).await?;
            let Some(last) = stored.last() else { break };
            after = Some(last.seq);
            let is_over = sweep.is_over(last.size.pulled_at_ms);
            swept.seen += u64::try_from(stored.len()).unwrap_or(u64::MAX);
            rest(started).await;
            let wanted: Vec<_> = stored.into_iter().filter(|stored| sweep.wants(&stored.size)).collect();
            for some in wanted.chunks(REMOVED_MAX) {
                let going = self.choose(&mut sweep, some).await?;
                swept.removed += u64::try_from(going.len()).unwrap_or(u64::MAX);
                self.remove(going).await?;
            }
            if is_over {
                break;
            }
        }
        self.store
            .commit(removal(Removal { others: Some(self.cutoffs(now_ms)), ..Removal::default() }))
            .await?;
        swept.pages = self.give_back().await?;
        Ok(swept)
    }

    /// Those that nothing needs, as long as there is too much.
    async fn choose(&self, sweep: &mut Sweep<'_>, some: &[Stored]) -> Result<Vec<EventSeq>, StoreError> {
        let free = self.store.removable(some.iter().map(|stored| stored.seq).collect()).await?;
        let free: HashSet<_> = free.into_iter().collect();
        let mut going = Vec::new();
        for Stored { seq, size } in some.iter().filter(|stored| free.contains(&stored.seq)) {
            if sweep.wants(size) {
                sweep.goes(size);
                going.push(*seq);
            }
        }
        Ok(going)
    }

    async fn remove(&self, events: Vec<EventSeq>) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        self.store.commit(removal(Removal { events, ..Removal::default() })).await?;
        rest(started).await;
        Ok(())
    }

    /// How many bytes each source has.
    async fn measure(&self) -> Result<HashMap<SourceName, u64>, StoreError> {
        let (mut bytes, mut after) = (HashMap::<_, u64>::new(), None);
        loop {
            let started = Instant::now();
            let stored = self.store.sizes(after, READ_MAX).await?;
            let Some(last) = stored.last() else { return Ok(bytes) };
            after = Some(last.seq);
            for stored in stored {
                *bytes.entry(stored.size.source).or_default() += stored.size.bytes;
            }
            rest(started).await;
        }
    }

    fn cutoffs(&self, now_ms: u64) -> Cutoffs {
        let named = self.retention.named();
        Cutoffs {
            usual: self.retention.before_ms(None, now_ms),
            sources: named
                .map(|source| (source.clone(), self.retention.before_ms(Some(source), now_ms)))
                .collect(),
        }
    }

    /// Gives free pages back, until no more are free than the next events will fill.
    async fn give_back(&self) -> Result<u64, StoreError> {
        let mut given = 0;
        let mut pages = self.store.pages().await?;
        while pages.free * FREE_SHARE > pages.all {
            let started = Instant::now();
            self.store.commit(removal(Removal { pages_max: PAGES_MAX, ..Removal::default() })).await?;
            let Pages { all, .. } = pages;
            pages = self.store.pages().await?;
            if pages.all >= all {
                // The file is of an older Tidegate, which did not provide for it.
                return Ok(given);
            }
            given += all - pages.all;
            rest(started).await;
        }
        Ok(given)
    }
}

fn removal(removal: Removal) -> Batch {
    Batch { removal, ..Batch::default() }
}

async fn rest(started: Instant) {
    tokio::time::sleep((started.elapsed() * REST).max(REST_MIN)).await;
}
