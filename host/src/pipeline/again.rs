//! Asks plugins about events that were recorded before: again after a fault that may pass, later because the plugin said
//! so, or for the first time because it was not their turn.

use super::share::Since;
use super::{Group, Pipeline, subject_key};
use crate::plan::{Plan, Verdict};
use crate::registry::Active;
use crate::store::{Batch, DueAsk, Replan, Store, StoreError, SubjectChange};
use crate::subject::SubjectState;
use crate::subjects::Taken;
use crate::trace::Told;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What is due, with all that it takes to ask.
struct Again {
    due: DueAsk,
    memory: Option<Arc<[u8]>>,
    whom: Option<Arc<Active>>,
}

impl<S: Store> Pipeline<S> {
    /// Asks about what is due, for as long as a plugin's share, and records what comes of it. What there was no time
    /// for stays due. Each is the first of its lane, so nobody else decides for its plugin about its subject meanwhile.
    /// `since` is [`Pipeline::since`] from before the store was asked what is due: when something was erased or given away
    /// since, it stays due, too.
    ///
    /// # Errors
    /// When the store has stopped.
    pub async fn revisit(self: &Arc<Self>, due: Vec<DueAsk>, since: Since) -> Result<(), StoreError> {
        let Some(held) = self.holding.still(since.held).await else { return Ok(()) };
        let keys = due.iter().filter_map(|due| subject_key(&due.event)).collect();
        let known = self.take(keys).await;
        let mut asked = Vec::with_capacity(due.len());
        for due in due {
            let key = subject_key(&due.event);
            let state = key.and_then(|key| known.states.get(&key));
            let memory = state.and_then(|state| state.memories.get(&due.plugin)?.body.clone());
            asked.push(Again { whom: self.whom(&due).await, due, memory });
        }
        known.put_back(self.store.durable());
        drop(held);
        let plans = self.off_the_runtime(&self.asking_in_turn, move |this| {
            let until = Instant::now() + Duration::from_millis(this.bounds.share_ms_max);
            let mut plans = Vec::new();
            for again in asked {
                let plan = this.ask_again(&again);
                plans.push((again, plan));
                if Instant::now() >= until {
                    break;
                }
            }
            plans
        });
        let plans = plans.await;
        let keys = plans.iter().filter_map(|(again, _)| subject_key(&again.due.event)).collect();
        let Some(held) = self.holding.still(since.held).await else { return Ok(()) };
        let mut taken = self.take(keys).await;
        if self.erasures() != since.erasures {
            // Some of it may be dropped, and has left its lane.
            taken.put_back(self.store.durable());
            return Ok(());
        }
        let replans = plans.into_iter().map(|(again, plan)| self.replan(again, plan, &mut taken));
        let (replans, told): (Vec<_>, Vec<_>) = replans.unzip();
        let submitted = self.store.submit(Batch { replans, ..Batch::default() }).await?;
        taken.give_back(submitted.ticket, self.store.durable());
        drop(held);
        submitted.durable().await?;
        self.signals.recorded(told.into_iter().flatten().collect(), (self.now_ms)());
        self.recorded.notify_waiters();
        Ok(())
    }

    /// Keeps as slow those of which something is due: the others are asked again as their events come.
    pub fn retain_slow(&self, has_due: impl Fn(&Group) -> bool) {
        self.slow().retain(has_due);
    }

    /// The version to ask: the one that was asked before, as long as it may be, or else the one that decides now. `None`
    /// when there is neither.
    async fn whom(&self, due: &DueAsk) -> Option<Arc<Active>> {
        let pinned = match due.is_pinned {
            true => self.versions.pinned(&due.version).await,
            false => Ok(None),
        };
        let pinned = pinned.unwrap_or_else(|error| {
            let version = due.version.short();
            tracing::error!(plugin = %due.plugin, version, "failed to bring back a version, another is asked: {error}");
            None
        });
        let now = || self.switchboard.current().standing(&due.plugin)?.decides(&due.event).cloned();
        let whom = pinned.or_else(now)?;
        if let Err(error) = self.versions.ready(&whom).await {
            tracing::error!(plugin = %due.plugin, version = whom.version.short(), "failed to make a version ready: {error}");
        }
        Some(whom)
    }

    fn ask_again(&self, again: &Again) -> Plan {
        let Again { due, memory, whom } = again;
        let attempt = due.attempts.saturating_add(1);
        match whom {
            Some(active) => self.ask(active, &due.event, attempt, memory.clone()).0,
            None => {
                let why = "the plugin is no longer deployed".to_owned();
                let verdict = Verdict::Parked { why, is_holding: true };
                Plan::unasked(due.plugin.clone(), due.version.clone(), attempt, verdict)
            }
        }
    }

    fn replan(&self, again: Again, mut plan: Plan, taken: &mut Taken) -> (Replan, Option<Told>) {
        let Again { due, whom, .. } = again;
        let mut none = SubjectState::default();
        let state = subject_key(&due.event).and_then(|key| taken.states.get_mut(&key)).unwrap_or(&mut none);
        let mut subject = SubjectChange::default();
        if let Some(active) = whom {
            self.apply(&active, &due.event, &mut plan, (state, &mut subject));
        }
        if !plan.verdict.is_holding() {
            state.leave_lane(&due.plugin);
        }
        let replan = Replan { event: due.seq, plan, decided_at_ms: (self.now_ms)(), subject };
        let told = self.signals.of_replan(&due.event, &replan);
        (replan, told)
    }
}
