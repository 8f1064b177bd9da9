//! Decides a batch: how each event stands to what is known of its subject, and what the plugins that want it say. Waits for
//! nothing: it has all that it needs.

use super::{Group, Incoming, Origin, Pipeline};
use crate::arrival::{self, DELETE, Place};
use crate::echo;
use crate::event::{Arrival, Event, Snapshot};
use crate::fault::{Fault, Trouble};
use crate::log::Level;
use crate::plan::{self, Asked, Decided, Plan, Verdict};
use crate::plugin::PluginName;
use crate::recent::Seen;
use crate::registry::{Active, Registry};
use crate::sandbox::{Call, Question};
use crate::store::{Batch, Recorded, Store, Stray, SubjectChange};
use crate::subject::{SubjectRef, SubjectState};
use crate::subjects::Taken;
use hashbrown::{Equivalent, HashMap, HashSet};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tidegate_envelope::SourceName;
use tokio::time::Instant;

/// How long plugins were asked in a batch, and which of them are slow. A copy of what all batches share is looked at without a
/// lock for each event.
#[derive(Default)]
struct Spent {
    in_all: Duration,
    on_each: HashMap<Group, Duration>,
    slow: HashSet<Group>,
}

/// A [`Group`] to look it up by.
#[derive(Clone, Copy, Hash)]
struct GroupRef<'a>(&'a PluginName, &'a SourceName);

impl GroupRef<'_> {
    fn to_group(self) -> Group {
        (self.0.clone(), self.1.clone())
    }
}

impl Equivalent<Group> for GroupRef<'_> {
    fn equivalent(&self, (plugin, source): &Group) -> bool {
        self.0 == plugin && self.1 == source
    }
}

impl Spent {
    /// Whether it was at least so long for this one.
    fn on(&self, group: GroupRef<'_>, at_least: Duration) -> bool {
        // Not for all together, mostly: then none need be looked up.
        self.in_all >= at_least && self.on_each.get(&group).copied().unwrap_or_default() >= at_least
    }

    fn add(&mut self, group: GroupRef<'_>, took: Duration) {
        self.in_all += took;
        match self.on_each.get_mut(&group) {
            Some(spent) => *spent += took,
            None => {
                self.on_each.insert(group.to_group(), took);
            }
        }
    }
}

impl<S: Store> Pipeline<S> {
    pub(super) fn decide(
        &self,
        incoming: Vec<Incoming>,
        strays: Vec<Stray>,
        mut taken: Taken,
    ) -> (Batch, Taken) {
        let registry = self.switchboard.current();
        let mut batch = Batch { strays, ..Batch::default() };
        batch.events.reserve(incoming.len());
        let mut spent = Spent { slow: self.slow().clone(), ..Spent::default() };
        for incoming in incoming {
            let Event { source, subject, .. } = &incoming.event;
            // What is about nothing has no subject among these.
            let mut none = SubjectState::default();
            let state = taken.states.get_mut(&SubjectRef { source, subject }).unwrap_or(&mut none);
            batch.events.extend(self.decide_one(&registry, incoming, state, &mut spent));
        }
        (batch, taken)
    }

    /// What is recorded of one event; `None` when it is already.
    fn decide_one(
        &self,
        registry: &Registry,
        incoming: Incoming,
        state: &mut SubjectState,
        spent: &mut Spent,
    ) -> Option<Recorded> {
        let Incoming { mut event, queued_at_ms, pulled_at_ms, origin } = incoming;
        let came = match origin {
            Origin::ToCome(seq, _) => Some(seq),
            Origin::Text(_) => None,
        };
        event.arrival = self.classify(&event, state)?;
        event.trace = event.trace.filter(|_| self.signals.has_traces());
        let mut subject = SubjectChange::default();
        compare(&mut event, state, self.now_ms);
        if event.cause.is_none() && !event.subject.is_empty() && !is_duplicate(event.arrival) {
            subject.mark = arrival::advance(state.mark.as_ref(), &event);
        }
        if let Some(mark) = &subject.mark {
            state.mark = Some(mark.clone());
            state.json.clone_from(&event.json);
        }
        let mut plans = Vec::new();
        for active in registry.route(&event) {
            let plan = self.plan_for(active, &event, (state, &mut subject), spent);
            if plan.verdict.is_holding() && !event.subject.is_empty() {
                *state.lanes.entry(plan.plugin.clone()).or_default() += 1;
            }
            plans.push(plan);
        }
        let decided_at_ms = (self.now_ms)();
        Some(Recorded { event, queued_at_ms, pulled_at_ms, decided_at_ms, plans, subject, came })
    }

    /// How the event stands to those before it; `None` when it is recorded already.
    fn classify(&self, event: &Event, state: &SubjectState) -> Option<Arrival> {
        if event.cause.is_some() {
            return Some(Arrival::First);
        }
        match self.recent().claim(&event.source, &event.sha256, event.receipt) {
            Seen::Redelivered => return None,
            Seen::Same(original) => return Some(Arrival::Duplicate(original)),
            Seen::No if event.subject.is_empty() => return Some(Arrival::First),
            Seen::No => {}
        }
        match arrival::classify(state.mark.as_ref(), event) {
            Arrival::Duplicate(original) if original == event.receipt => None,
            arrival => Some(arrival),
        }
    }

    /// What one plugin says, or why it is not asked now.
    fn plan_for(
        &self,
        active: &Active,
        event: &Event,
        (state, change): (&mut SubjectState, &mut SubjectChange),
        spent: &mut Spent,
    ) -> Plan {
        let unasked =
            |verdict| Plan::unasked(active.manifest.name.clone(), active.version.clone(), 0, verdict);
        if state.lanes.contains_key(&active.manifest.name) {
            return unasked(Verdict::Held);
        }
        let group = GroupRef(&active.manifest.name, &event.source);
        if self.is_slow(group, spent) {
            let why = "the plugin takes long over this source's events: it is asked in turn".to_owned();
            return unasked(Verdict::Waiting { due_at_ms: (self.now_ms)(), why });
        }
        let memory = state.memories.get(&active.manifest.name).and_then(|memory| memory.body.clone());
        let (mut plan, took) = self.ask(active, event, 1, memory);
        spent.add(group, took);
        self.apply(active, event, &mut plan, (state, change));
        plan
    }

    /// Whether this plugin is asked about this source's events in turn; from now on, when it has had its share.
    fn is_slow(&self, group: GroupRef<'_>, spent: &mut Spent) -> bool {
        if spent.on(group, Duration::from_millis(self.bounds.share_ms_max)) {
            let group = group.to_group();
            self.slow().insert(group.clone());
            spent.slow.insert(group);
            return true;
        }
        spent.slow.contains(&group)
    }

    /// Asks a plugin, and makes a plan of its answer.
    pub(super) fn ask(
        &self,
        active: &Active,
        event: &Event,
        attempt: u32,
        memory: Option<Arc<[u8]>>,
    ) -> (Plan, Duration) {
        let (Call { answer, usage, log }, took) = self.call(active, event, attempt, memory.as_deref());
        active.account.add(&answer, &usage, took);
        let has_decided = matches!(answer, Ok(Ok(_)));
        let asked = Asked {
            event,
            active,
            attempt,
            asked_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            memory,
            answer,
            log,
            now_ms: (self.now_ms)(),
            jitter: (self.chance)(),
        };
        let plan = plan::plan(asked, &self.rules);
        tell(event, &plan);
        if has_decided && matches!(plan.verdict, Verdict::Parked { .. }) {
            active.account.add_fault(Trouble::NotGranted);
        }
        if let Verdict::Parked { why, .. } | Verdict::Waiting { why, .. } = &plan.verdict {
            // What a plugin said may be about a person: it stands in the store, not here.
            let trouble = Trouble::in_reason(why).map_or("plugin", Trouble::name);
            let state = if matches!(plan.verdict, Verdict::Parked { .. }) { "parked" } else { "waits" };
            let Event { receipt, source, subject, .. } = event;
            let (plugin, version) = (&plan.plugin, plan.version.short());
            tracing::warn!(%receipt, %source, subject, %plugin, version, trouble, "{state}; `tidegate events show {receipt}` says why");
        }
        (plan, took)
    }

    /// Asks a version, whose code may have to be brought into memory first; says how long the question itself took.
    pub(crate) fn call(
        &self,
        active: &Active,
        event: &Event,
        attempt: u32,
        memory: Option<&[u8]>,
    ) -> (Call, Duration) {
        let question = Question { event, attempt, settings: &active.settings, memory };
        match self.sandbox.load(&active.code) {
            Ok(code) => {
                let asked_at = Instant::now();
                let call = self.sandbox.call(&code, &question, &active.limits);
                (call, asked_at.elapsed())
            }
            // It is compiled again before the next attempt.
            Err(error) => (Call::failed(Fault::Host(error.to_string())), Duration::ZERO),
        }
    }

    /// Changes what is known of the subject as the plan says, and the plan as what is known of the subject says.
    pub(super) fn apply(
        &self,
        active: &Active,
        event: &Event,
        plan: &mut Plan,
        (state, change): (&mut SubjectState, &mut SubjectChange),
    ) {
        let now_ms = (self.now_ms)();
        let Verdict::Decided(decided) = &mut plan.verdict else { return };
        if !event.subject.is_empty() && !decided.effects.is_empty() {
            let max = self.bounds.effects_per_minute_max;
            if let Err(due_at_ms) = state.spend(decided.effects.len(), max, now_ms) {
                let why =
                    format!("effects_per_minute_max: more than {max} about this subject: is this a loop?");
                let asked = crate::retry::next(&self.rules.retry, plan.attempt, None, 0.0);
                plan.verdict = match asked {
                    crate::retry::Next::After(_) => Verdict::Waiting { due_at_ms, why },
                    crate::retry::Next::GiveUp => Verdict::Parked { why, is_holding: true },
                };
                return;
            }
        }
        remember(active, event, decided, state);
        if expect(active, decided, state, now_ms) {
            change.expected = Some(state.expected.clone());
        }
    }

    pub(super) fn slow(&self) -> MutexGuard<'_, HashSet<Group>> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn is_duplicate(arrival: Arrival) -> bool {
    matches!(arrival, Arrival::Duplicate(_))
}

/// Takes note of what the event's subject was before, and whether it tells of our own doing.
fn compare(event: &mut Event, state: &SubjectState, now_ms: fn() -> u64) {
    if is_duplicate(event.arrival) {
        return;
    }
    if let (Some(mark), Some(json)) = (&state.mark, &state.json) {
        event.come_after(Snapshot { receipt: mark.receipt, json: json.clone() });
    }
    let may_be_echo = event.arrival == Arrival::First && event.cause.is_none() && event.kind != DELETE;
    if may_be_echo
        && !state.expected.is_empty()
        && event.previous.is_some()
        && event
            .json
            .as_ref()
            .is_some_and(|json| echo::is_echo(&state.expected, &event.changed, json, now_ms()))
    {
        event.arrival = Arrival::Echo;
    }
}

/// Keeps what the plugin remembers, unless that comes from a later event of the subject already.
fn remember(active: &Active, event: &Event, decided: &mut Decided, state: &mut SubjectState) {
    let Some(mut memory) = decided.memory.take() else { return };
    let known = state.memories.get(&active.manifest.name).map(|known| known.place);
    // An event that names no time, as a wake-up, has no place of its own: it counts when it is asked about.
    memory.place = match (known, event.occurred_at_us) {
        (None, None) => Place::from_bytes([0; Place::BYTES]),
        (Some(known), None) => known,
        (Some(known), Some(_)) if known > memory.place => {
            let why = "not remembered: what is remembered comes from a later event of this subject";
            decided.notes.push(why.to_owned());
            return;
        }
        (_, Some(_)) => memory.place,
    };
    state.memories.insert(active.manifest.name.clone(), memory.clone());
    decided.memory = Some(memory);
}

/// Takes note of what the plugin writes to its sender: the next event of the subject is expected to say so. Says whether it
/// writes anything.
fn expect(active: &Active, decided: &Decided, state: &mut SubjectState, now_ms: u64) -> bool {
    if state.mark.is_none() {
        return false;
    }
    let requests = decided.effects.iter().map(|effect| effect.request());
    let written =
        requests.filter(|request| active.writes_back_to.iter().any(|host| host.covers(request.url())));
    let mut is_changed = false;
    for expected in written.filter_map(|request| echo::expect(request.body()?, now_ms)) {
        echo::remember(&mut state.expected, expected, now_ms);
        is_changed = true;
    }
    is_changed
}

/// That a plugin wrote errors. What it wrote may be about a person: it stands in the store, not here.
fn tell(event: &Event, plan: &Plan) {
    let errors = plan.log.lines.iter().filter(|line| line.level == Level::Error).count();
    if errors > 0 {
        let Event { receipt, source, subject, .. } = event;
        let (plugin, version) = (&plan.plugin, plan.version.short());
        tracing::info!(%receipt, %source, subject, %plugin, version, errors, "wrote errors; `tidegate events show {receipt}` has them");
    }
}
