//! How much of what waits goes out now, target by target. Pure: time is passed in; knows nothing of stores.

use crate::effect::HostGrant;
use crate::store::EffectSeq;
use crate::store::outbox::WaitingTarget;
use crate::target::{Gate, Health, Pass, Pause, Room, Target, TargetLimits, Waiting, share};
use std::collections::{HashMap, HashSet};
use url::Url;

/// What each target may be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetRules {
    /// Where nothing else is said.
    pub usual: TargetLimits,
    /// Where it is; the first that covers a target counts.
    pub known: Vec<(HostGrant, TargetLimits)>,
}

impl TargetRules {
    fn of(&self, target: &Target) -> TargetLimits {
        let Ok(url) = Url::parse(target.as_str()) else { return self.usual };
        self.known.iter().find(|(host, _)| host.covers(&url)).map_or(self.usual, |(_, limits)| *limits)
    }
}

/// What is under way to each target, and what may be.
#[derive(Debug)]
pub(super) struct Traffic {
    rules: TargetRules,
    /// Effects performed at the same time, to all targets together.
    slots: usize,
    gates: HashMap<Target, Gate>,
}

/// What to start now, and when to look again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// These effects.
    pub(super) seqs: Vec<EffectSeq>,
    /// Targets of which more is due than these.
    pub(super) held: HashSet<Target>,
    /// Whether more could begin if there were more slots.
    pub(super) is_short: bool,
    /// Whether a target with nothing under way gets no slot.
    pub(super) is_starved: bool,
    /// When the clock alone gives a reason to look again, in milliseconds since the Unix epoch.
    pub(super) look_at_ms: Option<u64>,
}

impl Traffic {
    /// Nothing is under way.
    pub(super) fn new(rules: TargetRules, slots: usize) -> Self {
        Self { gates: HashMap::new(), rules, slots }
    }

    /// From now on it sends to these targets alone, of which some are left alone since before. What is under way to others
    /// ends as it may.
    pub(super) fn take_over(
        &mut self,
        is_own: impl Fn(&Target) -> bool,
        paused: Vec<(Target, Pause)>,
        now_ms: u64,
    ) {
        self.gates.retain(|target, gate| is_own(target) || gate.in_flight() > 0);
        for (target, pause) in paused.into_iter().filter(|(target, _)| is_own(target)) {
            let limits = self.rules.of(&target);
            self.gates.entry(target).or_insert_with(|| Gate::new(limits, Some(pause), now_ms));
        }
    }

    /// What can begin now of all that waits and has not begun, while so many have begun and are not recorded yet.
    pub(super) fn look(&mut self, mut waiting: Vec<WaitingTarget>, under_way: usize, now_ms: u64) -> Wanted {
        let mut wanted = Wanted::default();
        // What waits longest comes first.
        waiting.sort_by_key(|waiting| waiting.due_at_ms);
        let mut look_at = |at_ms: u64| {
            wanted.look_at_ms = Some(wanted.look_at_ms.map_or(at_ms, |sooner| sooner.min(at_ms)));
        };
        let (mut due, mut shares) = (Vec::new(), Vec::new());
        for waiting in waiting {
            waiting.next_at_ms.into_iter().for_each(&mut look_at);
            if waiting.due.is_empty() {
                continue;
            }
            let gate = self.gate(&waiting.target, now_ms);
            match gate.room(now_ms) {
                Room::For(room) => {
                    shares.push(Waiting { in_flight: gate.in_flight(), room: room.min(waiting.due.len()) });
                    due.push(waiting);
                }
                Room::At(at_ms) => look_at(at_ms),
                Room::Full => {
                    wanted.held.insert(waiting.target);
                }
            }
        }
        let free = self.slots.saturating_sub(under_way);
        let given = share(&shares, self.slots, free);
        for ((WaitingTarget { target, mut due, .. }, share), given) in due.into_iter().zip(&shares).zip(given)
        {
            wanted.is_short |= given < share.room;
            wanted.is_starved |= given == 0 && share.in_flight == 0;
            if given < due.len() {
                // What the rate holds back comes when its time has come, not when another has ended.
                let pace_ms = self.gates.get(&target).and_then(Gate::pace_ms);
                pace_ms.map(|pace_ms| now_ms.saturating_add(pace_ms)).into_iter().for_each(&mut look_at);
                wanted.held.insert(target);
            }
            due.truncate(given);
            wanted.seqs.extend(due);
        }
        self.gates.retain(|_, gate| !gate.is_idle(now_ms));
        wanted
    }

    /// One begins, for which there was room.
    pub(super) fn begin(&mut self, target: &Target, now_ms: u64) -> Pass {
        self.gate(target, now_ms).begin(now_ms)
    }

    /// One has ended. Says whether the target is left alone from now on, or no longer; `None`: as before.
    pub(super) fn end(
        &mut self,
        target: &Target,
        pass: Pass,
        health: Health,
        now_ms: u64,
    ) -> Option<Option<Pause>> {
        self.gate(target, now_ms).end(pass, health, now_ms)
    }

    /// Whether half of what the target may be sent at a time is free.
    pub(super) fn is_half_empty(&self, target: &Target) -> bool {
        self.gates.get(target).map_or(0, Gate::in_flight) <= self.rules.of(target).in_flight_max / 2
    }

    fn gate(&mut self, target: &Target, now_ms: u64) -> &mut Gate {
        self.gates
            .entry(target.clone())
            .or_insert_with_key(|target| Gate::new(self.rules.of(target), None, now_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TargetLimits = TargetLimits {
        in_flight_max: 4,
        requests_per_second: 0,
        failures_max: 1,
        pause_ms: 100,
        pause_ms_max: 1_000,
    };

    fn target(n: usize) -> Target {
        Target::from_stored(&format!("https://t{n}.example"))
    }

    /// So many are due, since then. Their places say whose they are.
    fn due(n: usize, due_at_ms: u64, count: i64) -> WaitingTarget {
        let base = i64::try_from(n).expect("a small number") * 1_000;
        let due = (base..base + count).map(EffectSeq).collect();
        WaitingTarget { target: target(n), due_at_ms, due, next_at_ms: None }
    }

    fn flood(n: usize, due_at_ms: u64) -> WaitingTarget {
        due(n, due_at_ms, 999)
    }

    fn traffic(slots: usize, limits: TargetLimits) -> Traffic {
        Traffic::new(TargetRules { usual: limits, known: vec![] }, slots)
    }

    /// Looks while all that began is under way, and begins what it may: so many of each target.
    fn begin(
        traffic: &mut Traffic,
        waiting: Vec<WaitingTarget>,
        now_ms: u64,
    ) -> (Vec<(usize, usize)>, Wanted) {
        let under_way = traffic.gates.values().map(Gate::in_flight).sum();
        let wanted = traffic.look(waiting, under_way, now_ms);
        let mut began: Vec<(usize, usize)> = Vec::new();
        for seq in &wanted.seqs {
            let n = usize::try_from(seq.0 / 1_000).expect("a small number");
            let _pass = traffic.begin(&target(n), now_ms);
            match began.last_mut() {
                Some((last, count)) if *last == n => *count += 1,
                _ => began.push((n, 1)),
            }
        }
        (began, wanted)
    }

    #[test]
    fn what_waits_longest_comes_first_and_what_is_not_due_is_looked_for_later() {
        let mut traffic = traffic(8, LIMITS);
        let later = WaitingTarget { next_at_ms: Some(200), ..due(3, 200, 0) };
        let waiting = vec![WaitingTarget { next_at_ms: Some(300), ..flood(1, 50) }, flood(2, 20), later];
        let (began, wanted) = begin(&mut traffic, waiting, 100);
        assert_eq!(began, [(2, 3), (1, 3)]);
        assert_eq!((wanted.look_at_ms, wanted.is_short, wanted.is_starved), (Some(200), true, false));
        assert_eq!(wanted.held, [target(1), target(2)].into());
    }

    #[test]
    fn no_more_begins_than_is_due() {
        let mut traffic = traffic(8, LIMITS);
        let (began, wanted) = begin(&mut traffic, vec![due(1, 0, 2)], 0);
        assert_eq!((began, wanted.held, wanted.is_short), (vec![(1, 2)], [].into(), false));
        assert_eq!(begin(&mut traffic, vec![due(1, 0, 0)], 0), (vec![], Wanted::default()));
    }

    #[test]
    fn a_target_that_never_answers_does_not_hold_the_slots_of_the_others() {
        let mut traffic = traffic(8, TargetLimits { in_flight_max: 100, ..LIMITS });
        for (slow, given) in [(1, 6), (2, 1), (3, 1)] {
            let (began, wanted) = begin(&mut traffic, vec![flood(slow, 0)], 0);
            assert_eq!((began, wanted.held), (vec![(slow, given)], [target(slow)].into()));
        }
        let (began, wanted) = begin(&mut traffic, vec![flood(1, 0), flood(9, 5)], 10);
        assert_eq!((began, wanted.is_starved), (vec![], true));
        assert_eq!(traffic.end(&target(1), Pass::Usual, Health::Answers, 10), None);
        let (began, wanted) = begin(&mut traffic, vec![flood(1, 0), flood(9, 5)], 10);
        assert_eq!((began, wanted.is_starved), (vec![(9, 1)], false));
    }

    #[test]
    fn what_the_rate_holds_back_is_looked_for_when_it_may_go() {
        let mut traffic = traffic(8, TargetLimits { requests_per_second: 20, ..LIMITS });
        let (began, wanted) = begin(&mut traffic, vec![flood(1, 0)], 100);
        assert_eq!((began, wanted.look_at_ms), (vec![(1, 2)], Some(150)));
        assert_eq!(begin(&mut traffic, vec![flood(1, 0)], 100).1.look_at_ms, Some(150));
        assert_eq!(begin(&mut traffic, vec![flood(1, 0)], 150).0, [(1, 1)]);
    }

    #[test]
    fn effects_of_a_target_that_is_left_alone_wait_and_one_finds_out() {
        let pause = Pause { until_ms: 500, length_ms: 100 };
        let rules = TargetRules { usual: LIMITS, known: vec![] };
        let mut traffic = Traffic::new(rules, 8);
        traffic.take_over(|own| *own == target(1), vec![(target(1), pause), (target(2), pause)], 0);
        assert_eq!(traffic.gates.len(), 1);
        let (_, wanted) = begin(&mut traffic, vec![flood(1, 0)], 100);
        assert_eq!(wanted, Wanted { look_at_ms: Some(500), ..Wanted::default() });
        assert_eq!(begin(&mut traffic, vec![flood(1, 0)], 500).0, [(1, 1)]);
        let (began, wanted) = begin(&mut traffic, vec![flood(1, 0)], 600);
        assert_eq!((began, wanted.held), (vec![], [target(1)].into()));
        assert_eq!(traffic.end(&target(1), Pass::Probe, Health::Answers, 600), Some(None));
        assert_eq!(begin(&mut traffic, vec![flood(1, 0)], 600).0, [(1, 4)]);
    }

    #[test]
    fn what_ended_and_is_not_recorded_yet_holds_its_slot() {
        let mut traffic = traffic(8, LIMITS);
        assert_eq!(traffic.look(vec![flood(1, 0)], 8, 0).seqs, []);
        assert_eq!(traffic.look(vec![flood(1, 0)], 7, 0).seqs, [EffectSeq(1_000)]);
    }

    #[test]
    fn what_the_operator_says_of_a_host_counts_for_it() {
        let slow = TargetLimits { in_flight_max: 1, ..LIMITS };
        let known = vec![("t1.example".parse().expect("a host"), slow)];
        let mut traffic = Traffic::new(TargetRules { usual: LIMITS, known }, 100);
        assert_eq!(begin(&mut traffic, vec![flood(1, 0), flood(2, 0)], 0).0, [(1, 1), (2, 4)]);
    }
}
