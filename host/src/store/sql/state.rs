//! States of an event, a plan and an effect, as numbers in the tables. The state of an event is the most pressing state of
//! its plans.

use crate::event::Arrival;
use crate::store::EffectState;
use tidegate_envelope::Receipt;

pub(super) const DONE: i64 = 0;
pub(super) const WAITING: i64 = 1;
pub(super) const PARKED: i64 = 2;
pub(super) const SKIPPED: i64 = 3;
pub(super) const HELD: i64 = 4;
/// A person decided that it needs nothing more.
pub(super) const DROPPED: i64 = 5;

/// How an event stood to those before it.
pub(super) const fn of_arrival(arrival: Arrival) -> i64 {
    match arrival {
        Arrival::First => 0,
        Arrival::Duplicate(_) => 1,
        Arrival::Stale => 2,
        Arrival::Conflict => 3,
        Arrival::AfterDelete => 4,
        Arrival::Echo => 5,
    }
}

/// The number of this word for an arrival.
pub(super) fn arrival_named(word: &str) -> Option<i64> {
    let words = ["first", "duplicate", "stale", "conflict", "after-delete", "echo"];
    words.iter().position(|known| *known == word).and_then(|at| i64::try_from(at).ok())
}

/// The number of this word for an event's state.
pub(super) fn event_state_named(word: &str) -> Option<i64> {
    [DONE, WAITING, PARKED].into_iter().find(|state| of_plan(*state) == word)
}

/// The other way; a duplicate is of the event with this receipt.
pub(super) fn to_arrival(number: i64, duplicate_of: Option<Receipt>) -> Arrival {
    match (number, duplicate_of) {
        (1, Some(original)) => Arrival::Duplicate(original),
        (2, _) => Arrival::Stale,
        (3, _) => Arrival::Conflict,
        (4, _) => Arrival::AfterDelete,
        (5, _) => Arrival::Echo,
        _ => Arrival::First,
    }
}

/// What becomes of an effect or an alert after an attempt: its state, and when it is due again.
pub(super) const fn after_attempt(state: EffectState) -> (i64, Option<i64>) {
    match state {
        EffectState::Done => (DONE, None),
        EffectState::Waiting { due_at_ms } => (WAITING, Some(due_at_ms.cast_signed())),
        EffectState::Parked => (PARKED, None),
    }
}

/// The word for a plan's or an event's state.
pub(super) const fn of_plan(state: i64) -> &'static str {
    match state {
        DONE => "decided",
        WAITING => "waiting",
        PARKED => "parked",
        HELD => "held",
        DROPPED => "dropped",
        _ => "skipped",
    }
}

/// The word for an alert's state.
pub(super) const fn of_alert(state: i64) -> &'static str {
    match state {
        SKIPPED => "logged",
        other => of_effect(other),
    }
}

/// The word for an effect's state.
pub(super) const fn of_effect(state: i64) -> &'static str {
    match state {
        DONE => "done",
        WAITING => "waiting",
        DROPPED => "dropped",
        _ => "parked",
    }
}
