//! Shares the work out with the other hosts on the same store: looks who is there, claims what is this host's part and gives
//! away what is not, does what others ask of it, and takes over what is deployed through them. Knows nothing of how the
//! store tells who is there.

mod roll;

use crate::deploy::Deployer;
use crate::heard::Heard;
use crate::partition::{self, Partition, Partitions};
use crate::pipeline::Pipeline;
use crate::store::group::{Change, Errand, Follows, Member, Members, NewErrand, Told};
use crate::store::{Batch, Store, StoreError};
use roll::Roll;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How often it is looked who is there, whether or not anybody told.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks at what others told: what is told meanwhile is looked at together.
const PAUSE: Duration = Duration::from_millis(10);
/// Errands done in one go.
const ERRANDS_MAX: usize = 256;

/// A host as one of several.
pub struct Group<S> {
    /// What the hosts share.
    pub store: S,
    /// What decides.
    pub pipeline: Arc<Pipeline<S>>,
    /// What is at work.
    pub deployer: Arc<Deployer<S>>,
    /// Which sources this host heard of.
    pub heard: Arc<Heard>,
    /// Told when alerts may be due.
    pub raised: Arc<Notify>,
    /// Told how many hosts pull from each of the queues.
    pub pullers: Vec<watch::Sender<usize>>,
}

/// What is known from one look to the next.
struct Now {
    since: Instant,
    roll: Roll,
    /// What it no longer decides about and has not given away yet.
    leaving: Partitions,
}

/// Takes part until told to stop. What is held then is held until the store is closed: what is under way ends first.
///
/// Cancel-safe: what was not done is done by whoever looks next.
pub async fn run<S: Store>(group: Group<S>, mut stop: watch::Receiver<bool>) {
    let mut told = group.store.told();
    let mut now = Now { since: Instant::now(), roll: Roll::default(), leaving: Partitions::NONE };
    let (mut seen, mut look_at) = (Told::default(), Instant::now());
    while !*stop.borrow() {
        let last = *told.borrow_and_update();
        if last.work != seen.work {
            group.pipeline.recorded().notify_waiters();
            group.raised.notify_waiters();
        }
        let done = if last.change != seen.change || Instant::now() >= look_at {
            look_at = Instant::now() + LOOK;
            group.look(&mut now).await
        } else {
            group.do_errands().await
        };
        if let Err(error) = done {
            tracing::warn!("failed to look at the other hosts, will look again: {error}");
        }
        seen = last;
        tokio::select! {
            // Whichever it is, all is looked at. In an order, so that a simulated run has one.
            biased;
            () = tokio::time::sleep_until(look_at) => {}
            Ok(()) = told.changed() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl<S: Store> Group<S> {
    /// Comes nearer to what should be.
    async fn look(&self, now: &mut Now) -> Result<(), StoreError> {
        let members = now.roll.call(self.store.members().await?, now.since.elapsed());
        let Some((place, hosts)) = members.own.map(|place| (place, members.all.len())) else {
            // Its connection is being made anew: others see who is there.
            return Ok(());
        };
        self.follow(&members.all[place]).await?;
        let queues = queues(&members);
        let share = partition::share(place, hosts, queues);
        self.give_away(share, &mut now.leaving).await?;
        self.take(share, &mut now.leaving).await?;
        self.tell_pumps(hosts, queues).await;
        self.do_errands().await
    }

    /// Decides by what is at work now, before it takes anything over, and says so.
    async fn follow(&self, own: &Member) -> Result<(), StoreError> {
        match self.deployer.refresh().await {
            Ok(deployment) if deployment != own.deployment => {
                let follows = Some(Follows { host: own.id, deployment });
                self.store.commit(Batch { follows, ..Batch::default() }).await
            }
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::error!(
                    "failed to put to work what was deployed through another host, will try again: {error}"
                );
                Ok(())
            }
        }
    }

    /// What has nothing under way any more is given away; the rest at a later look.
    async fn give_away(&self, share: Partitions, leaving: &mut Partitions) -> Result<(), StoreError> {
        let lost = self.held().await.without(share);
        if !lost.is_empty() {
            self.pipeline.lose(lost).await;
            *leaving = leaving.with(lost);
        }
        let free = leaving.without(share).without(self.pipeline.holding().under_way());
        if !free.is_empty() {
            self.store.hold(Change::Release(free)).await?;
            *leaving = leaving.without(free);
            tracing::info!(partitions = free.len(), "gave partitions away");
        }
        Ok(())
    }

    async fn take(&self, share: Partitions, leaving: &mut Partitions) -> Result<(), StoreError> {
        let wanted = share.without(self.held().await);
        if wanted.is_empty() {
            return Ok(());
        }
        // What was to be given away and has not been yet is this host's still.
        let got = self.store.hold(Change::Claim(wanted.without(*leaving))).await?;
        let gained = got.with(wanted.among(*leaving));
        if !gained.is_empty() {
            *leaving = leaving.with(gained);
            self.pipeline.gain(gained).await?;
            *leaving = leaving.without(gained);
            tracing::info!(partitions = gained.len(), "took partitions over");
        }
        Ok(())
    }

    async fn tell_pumps(&self, hosts: usize, queues: usize) {
        let held = self.held().await;
        for (queue, pullers) in self.pullers.iter().enumerate() {
            let is_own = held.come_by(queue, queues);
            let now = if is_own { partition::pullers(queue, hosts, queues) } else { 0 };
            pullers.send_if_modified(|before| std::mem::replace(before, now) != now);
        }
    }

    /// What others ask of this host; and what it has for whoever watches over the sources, when that is another.
    async fn do_errands(&self) -> Result<(), StoreError> {
        let before = *self.pipeline.holding().held().await;
        let held = before.partitions;
        let (mut interventions, mut done) = (Vec::new(), Vec::new());
        for (seq, errand) in self.store.errands(held, false, ERRANDS_MAX).await? {
            match errand {
                Errand::Intervene(intervention) => interventions.push((seq, intervention)),
                Errand::Erase(keys, erasure) => {
                    self.pipeline.erase_for_another((seq, keys, erasure), before).await?;
                }
                Errand::Hear(spans) => {
                    self.heard.note(spans);
                    done.push(seq);
                }
                // Pulled as from any queue.
                Errand::Decide { .. } => {}
            }
        }
        let mut batch = Batch { errands_done: done, ..Batch::default() };
        let spans = if held.contains(Partition::FIRST) { Vec::new() } else { self.heard.take() };
        if !spans.is_empty() {
            let errand = Errand::Hear(spans.clone());
            batch.errands.push(NewErrand { partition: Partition::FIRST, errand });
        }
        if !batch.errands.is_empty() || !batch.errands_done.is_empty() {
            let committed = self.store.commit(batch).await;
            // Else it is told with what is heard next.
            committed.inspect_err(|_| self.heard.note(spans))?;
        }
        if !interventions.is_empty() {
            self.pipeline.intervene(interventions).await?;
        }
        Ok(())
    }

    async fn held(&self) -> Partitions {
        self.pipeline.holding().held().await.partitions
    }
}

/// How many queues there are, as the host says that has been there longest: all must reckon with the same.
fn queues(members: &Members) -> usize {
    members.all.first().map_or(1, |member| member.host.queues)
}
