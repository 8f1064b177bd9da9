//! Watches how the versions at work do: raises a canary that does well, takes out of work what does badly, says why. Knows
//! nothing of what counts as badly (`rollout`) or of how a version is switched (`deploy`).

use crate::account::AccountRow;
use crate::alert::Alert;
use crate::deploy::{By, Deployer, Role};
use crate::deployment::Share;
use crate::fault;
use crate::plugin::{PluginName, Version};
use crate::registry::{Active, CanaryAtWork, Standing};
use crate::rollout::{self, Conduct, RolloutRules, Verdict};
use crate::store::parked::{ParkedQuery, ParkedRow};
use crate::store::watched::{Sending, WatchedBatch};
use crate::store::{Batch, Store};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};

/// How often the versions are looked at.
const TICK: Duration = Duration::from_millis(500);
/// What is parked, looked through for what to name in the reason.
const PARKED_ROWS_MAX: usize = 200;
/// How many assets are named in it.
const NAMED_MAX: usize = 3;

/// What overseeing is made of.
#[derive(Clone)]
pub struct Overseer<S> {
    /// What switches versions.
    pub deployer: Arc<Deployer<S>>,
    /// What counts as badly.
    pub rules: RolloutRules,
    /// Whether alerts are sent.
    pub sending: Sending,
    /// Told after alerts were recorded.
    pub raised: Arc<Notify>,
}

/// What is remembered of the versions at work: since the start alone, as accounts are.
#[derive(Default)]
struct Seen {
    /// Whatever has been looked at once. What has not did all it did since it is at work.
    known: HashSet<(PluginName, Version)>,
    /// What versions cost on other hosts that share the store.
    others: Vec<AccountRow>,
    canaries: HashMap<(PluginName, Version, Share), Since>,
    actives: HashMap<(PluginName, Version), VecDeque<(u64, Conduct)>>,
}

/// From when on a canary has stood at its share, and what it and the active version had done by then.
#[derive(Clone, Copy)]
struct Since {
    at_ms: u64,
    canary: Conduct,
    active: Conduct,
}

/// Oversees until told to stop.
///
/// Cancel-safe: what was not recorded is concluded again.
pub async fn run<S: Store>(overseer: Overseer<S>, mut stop: watch::Receiver<bool>) {
    let mut seen = Seen::beginning_with(overseer.deployer.usage_of_all().await.unwrap_or_default());
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stop.borrow() {
        tokio::select! {
            _ = tick.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        overseer.look(&mut seen).await;
    }
}

impl<S: Store> Overseer<S> {
    async fn look(&self, seen: &mut Seen) {
        match self.deployer.versions.store.accounts().await {
            Ok(others) => seen.others = others.into_iter().flatten().collect(),
            // Judged by what was heard last, and by what is done on this host.
            Err(error) => tracing::warn!("failed to read how versions do on other hosts: {error}"),
        }
        let registry = self.deployer.switchboard.current();
        seen.forget_others(registry.standings());
        let now_ms = (self.deployer.now_ms)();
        for standing in registry.standings() {
            if let Some(verdict) = seen.canary(standing, now_ms, &self.rules) {
                seen.raised(standing, &verdict, now_ms);
                self.carry_out(standing, verdict).await;
            }
            if let Some((version, why)) = seen.active(standing, now_ms, &self.rules) {
                self.withdraw(&standing.name, &version, why).await;
            }
        }
    }

    async fn carry_out(&self, standing: &Standing, verdict: Verdict) {
        let Some(CanaryAtWork { active, share, steps }) = &standing.canary else { return };
        let (plugin, version) = (&standing.name, &active.version);
        let done = match verdict {
            Verdict::Stay => return,
            Verdict::Withdraw(why) => return self.withdraw(plugin, version, why).await,
            Verdict::Promote => {
                self.deployer.promote(plugin, By::host(format!("did well as a canary for {share}"))).await
            }
            Verdict::Raise(next) => {
                let role = Role::Canary { share: next, steps: steps.clone() };
                self.deployer.assign(version, role, By::host(format!("did well at {share}"))).await
            }
        };
        if let Err(error) = done {
            tracing::error!(%plugin, version = version.short(), "failed to give a canary more: {error}");
        }
    }

    /// Takes a version out of work, and tells the operator.
    async fn withdraw(&self, plugin: &PluginName, version: &Version, why: String) {
        let conduct = why;
        let why = format!("{conduct}{}", self.examples(plugin, version).await);
        match self.deployer.withdraw(plugin, version, why.clone()).await {
            Ok(Some(withdrawn)) => {
                tracing::error!(%plugin, version = version.short(), "withdrew a version: {conduct}");
                let alert = Alert::VersionWithdrawn {
                    plugin: plugin.clone(),
                    version: version.clone(),
                    now: withdrawn.roles.active,
                    why,
                    at_ms: (self.deployer.now_ms)(),
                };
                let watched =
                    WatchedBatch { alerts: vec![alert], sending: self.sending, ..WatchedBatch::default() };
                let batch = Batch { watched, ..Batch::default() };
                if let Err(error) = self.deployer.versions.store.commit(batch).await {
                    tracing::error!(%plugin, "failed to record an alert: {error}");
                }
                self.raised.notify_waiters();
            }
            // There is nothing to go back to: its faults are parked, and whoever looks sees them.
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%plugin, version = version.short(), "failed to withdraw a version: {error}");
            }
        }
    }

    /// Assets that it was at fault about, with the fault and the function it happened in.
    async fn examples(&self, plugin: &PluginName, version: &Version) -> String {
        let query = ParkedQuery {
            plugin: Some(plugin.to_string()),
            what: Some("event".to_owned()),
            rows_max: Some(PARKED_ROWS_MAX),
            ..ParkedQuery::default()
        };
        let rows = match self.deployer.versions.store.parked(query).await {
            Ok(page) => page.rows,
            Err(error) => {
                tracing::error!(%plugin, "failed to read what is parked: {error}");
                return String::new();
            }
        };
        let of_it = rows.iter().filter(|row| row.version.as_ref() == Some(version));
        let example = |row: &ParkedRow| {
            let subject = row.subject.as_deref().unwrap_or("none");
            Some(format!("; asset {subject}: {}", fault::in_a_line(&row.why)?))
        };
        of_it.filter_map(example).take(NAMED_MAX).collect()
    }
}

impl Seen {
    /// Judges by what is done from now on.
    fn beginning_with(usage: Vec<AccountRow>) -> Self {
        let asked = usage.into_iter().filter(|row| row.calls > 0);
        let known = asked.map(|row| (row.plugin, row.version)).collect();
        Self { known, ..Self::default() }
    }

    /// What a version did, on all hosts.
    fn conduct(&self, plugin: &PluginName, active: &Active) -> Conduct {
        let others = self.others.iter().filter(|row| row.plugin == *plugin && row.version == active.version);
        others.map(AccountRow::conduct).fold(active.account.conduct(), Conduct::with)
    }

    /// What is no longer at work is judged anew when it comes back.
    fn forget_others<'a>(&mut self, standings: impl Iterator<Item = &'a Arc<Standing>>) {
        let (mut canaries, mut actives) = (HashSet::new(), HashSet::new());
        for standing in standings {
            let key = |active: &Arc<Active>| (standing.name.clone(), active.version.clone());
            actives.extend(standing.active.as_ref().map(key));
            if let Some(canary) = &standing.canary {
                canaries.insert((standing.name.clone(), canary.active.version.clone(), canary.share));
            }
        }
        self.canaries.retain(|key, _| canaries.contains(key));
        self.actives.retain(|key, _| actives.contains(key));
    }

    fn canary(&mut self, standing: &Standing, now_ms: u64, rules: &RolloutRules) -> Option<Verdict> {
        let CanaryAtWork { active: canary, share, steps } = standing.canary.as_ref()?;
        let active = standing.active.as_ref().map(|active| self.conduct(&standing.name, active));
        let active = active.unwrap_or_default();
        let conduct = self.conduct(&standing.name, canary);
        let began = self.began(&standing.name, canary);
        let key = (standing.name.clone(), canary.version.clone(), *share);
        let since = *self.canaries.entry(key).or_insert(Since { at_ms: now_ms, canary: began, active });
        let conducts = (conduct.since(since.canary), active.since(since.active));
        Some(rollout::judge_canary((*share, steps), now_ms.saturating_sub(since.at_ms), conducts, rules))
    }

    /// What is done at the next share counts from before it is given.
    fn raised(&mut self, standing: &Standing, verdict: &Verdict, now_ms: u64) {
        let (Verdict::Raise(share), Some(CanaryAtWork { active: canary, .. }), Some(active)) =
            (verdict, &standing.canary, &standing.active)
        else {
            return;
        };
        let key = (standing.name.clone(), canary.version.clone(), *share);
        let [canary, active] = [canary, active].map(|version| self.conduct(&standing.name, version));
        self.canaries.insert(key, Since { at_ms: now_ms, canary, active });
    }

    /// What a version had done when it was put to work: nothing, when it is looked at for the first time.
    fn began(&mut self, plugin: &PluginName, active: &Active) -> Conduct {
        let is_new = self.known.insert((plugin.clone(), active.version.clone()));
        if is_new { Conduct::default() } else { self.conduct(plugin, active) }
    }

    fn active(
        &mut self,
        standing: &Standing,
        now_ms: u64,
        rules: &RolloutRules,
    ) -> Option<(Version, String)> {
        let active = standing.active.as_ref()?;
        let conduct = self.conduct(&standing.name, active);
        let key = (standing.name.clone(), active.version.clone());
        if !self.actives.contains_key(&key) {
            let began = self.began(&standing.name, active);
            self.actives.insert(key.clone(), VecDeque::from([(now_ms, began)]));
        }
        let window = self.actives.entry(key).or_default();
        if window.back().is_none_or(|(_, last)| *last != conduct) {
            window.push_back((now_ms, conduct));
        }
        // The newest of those that are too old stays: it is where the window begins.
        while window.get(1).is_some_and(|(at_ms, _)| at_ms.saturating_add(rules.window_ms) <= now_ms) {
            window.pop_front();
        }
        let (_, first) = *window.front()?;
        let why = rollout::judge_active(conduct.since(first), rules)?;
        // Judged: if there is nothing to go back to, it is not judged again by the same calls.
        *window = VecDeque::from([(now_ms, conduct)]);
        Some((active.version.clone(), why))
    }
}
