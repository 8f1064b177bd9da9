//! Asks plugins about events that were recorded before: again after a fault that may pass, later because the plugin said
//! so, or for the first time because it was not their turn.

use super::{Group, Pipeline, subject_key};
use crate::plan::{Plan, Verdict};
use crate::store::{Batch, DueAsk, Replan, Store, StoreError, SubjectChange};
use crate::subject::SubjectState;
use crate::subjects::Taken;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

impl<S: Store> Pipeline<S> {
    /// Asks about what is due, for as long as a plugin's share, and records what comes of it. What there was no time
    /// for stays due. Each is the first of its lane, so nobody else decides for its plugin about its subject meanwhile.
    ///
    /// # Errors
    /// When the store has stopped.
    pub async fn revisit(self: &Arc<Self>, due: Vec<DueAsk>) -> Result<(), StoreError> {
        let keys = due.iter().filter_map(|due| subject_key(&due.event)).collect();
        let known = self.take(keys).await;
        let asked = due.into_iter().map(|due| {
            let key = subject_key(&due.event);
            let state = key.and_then(|key| known.states.get(&key));
            let memory = state.and_then(|state| state.memories.get(&due.plugin)?.body.clone());
            (due, memory)
        });
        let asked: Vec<_> = asked.collect();
        known.put_back(self.store.durable());
        let plans = self.off_the_runtime(&self.asking_in_turn, move |this| {
            let until = Instant::now() + Duration::from_millis(this.bounds.share_ms_max);
            let mut plans = Vec::new();
            for (due, memory) in asked {
                let plan = this.ask_again(&due, memory.as_deref());
                plans.push((due, plan));
                if Instant::now() >= until {
                    break;
                }
            }
            plans
        });
        let plans = plans.await;
        let keys = plans.iter().filter_map(|(due, _)| subject_key(&due.event)).collect();
        let mut taken = self.take(keys).await;
        let replans = plans.into_iter().map(|(due, plan)| self.replan(due, plan, &mut taken)).collect();
        let submitted = self.store.submit(Batch { replans, ..Batch::default() }).await?;
        taken.give_back(submitted.ticket, self.store.durable());
        submitted.durable().await?;
        self.recorded.notify_waiters();
        Ok(())
    }

    /// Keeps as slow those of which something is due: the others are asked again as their events come.
    pub fn retain_slow(&self, has_due: impl Fn(&Group) -> bool) {
        self.slow().retain(has_due);
    }

    /// The version active now is asked: the one that was asked before did not decide.
    fn ask_again(&self, due: &DueAsk, memory: Option<&[u8]>) -> Plan {
        let attempt = due.attempts.saturating_add(1);
        match self.switchboard.current().find(&due.plugin) {
            Some(active) => self.ask(active, &due.event, attempt, memory).0,
            None => {
                let why = "the plugin is no longer deployed".to_owned();
                let verdict = Verdict::Parked { why, is_holding: true };
                Plan::unasked(due.plugin.clone(), due.version.clone(), attempt, verdict)
            }
        }
    }

    fn replan(&self, due: DueAsk, mut plan: Plan, taken: &mut Taken) -> Replan {
        let mut none = SubjectState::default();
        let state = subject_key(&due.event).and_then(|key| taken.states.get_mut(&key)).unwrap_or(&mut none);
        let mut subject = SubjectChange::default();
        if let Some(active) = self.switchboard.current().find(&due.plugin) {
            self.apply(active, &due.event, &mut plan, (state, &mut subject));
        }
        if !plan.verdict.is_holding() {
            state.leave_lane(&due.plugin);
        }
        Replan { event: due.seq, plan, decided_at_ms: (self.now_ms)(), subject }
    }
}
