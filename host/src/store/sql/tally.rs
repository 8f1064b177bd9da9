//! How many there are of everything, by state: what a transaction changes is added up and written with it, so that nobody
//! ever has to count rows.

use super::database::{Database, Rows, cells};
use super::state;
use crate::store::stats::{Accepted, Effects, Plans, Stats, Strays};
use std::collections::BTreeMap;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    /// Events, by state.
    Event,
    /// Events that the edge accepted, by arrival.
    Arrival,
    /// Events of the host's own; they have one state here.
    Caused,
    /// Plans, by state.
    Plan,
    /// Effects, by state.
    Effect,
    /// Events to come; they have one state here.
    Upcoming,
    /// Strays, by state.
    Stray,
    /// Alerts, by state.
    Alert,
}

impl Counted {
    const fn word(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Arrival => "arrival",
            Self::Caused => "caused",
            Self::Plan => "plan",
            Self::Effect => "effect",
            Self::Upcoming => "upcoming",
            Self::Stray => "stray",
            Self::Alert => "alert",
        }
    }
}

/// What a transaction changes.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<(Counted, i64), i64>);

impl Tally {
    /// There is one more in this state.
    pub(super) fn add(&mut self, what: Counted, state: i64) {
        *self.0.entry((what, state)).or_default() += 1;
    }

    /// There is one fewer in this state.
    pub(super) fn remove(&mut self, what: Counted, state: i64) {
        *self.0.entry((what, state)).or_default() -= 1;
    }

    /// One has gone from one state to another.
    pub(super) fn change(&mut self, what: Counted, from: i64, to: i64) {
        self.remove(what, from);
        self.add(what, to);
    }

    /// Whether more waits than before: effects, events to come, or alerts.
    pub(super) fn has_more_to_do(&self) -> bool {
        let grown = |of| self.0.get(&of).is_some_and(|change| *change > 0);
        let waits =
            [(Counted::Effect, state::WAITING), (Counted::Upcoming, 0), (Counted::Alert, state::WAITING)];
        waits.into_iter().any(grown)
    }

    /// Writes what has changed. Called once, at the end of the transaction.
    pub(super) fn write(&self, db: &dyn Database) -> anyhow::Result<()> {
        let mut rows = Rows::new(3, 0);
        for ((what, state), change) in self.0.iter().filter(|(_, change)| **change != 0) {
            rows.push([what.word().into(), (*state).into(), (*change).into()]);
        }
        db.execute_many(
            "INSERT INTO counters (what, state, count) VALUES (?1, ?2, ?3)
             ON CONFLICT (what, state) DO UPDATE SET count = counters.count + excluded.count",
            &rows,
        )
    }
}

/// All counters, as of one instant.
pub(super) fn stats(db: &dyn Database) -> anyhow::Result<Stats> {
    let counts = db.rows("SELECT what, state, count FROM counters", cells![], |row| {
        Ok(((row.get::<String>(0)?, row.get::<i64>(1)?), row.get::<i64>(2)?))
    })?;
    let counts: BTreeMap<_, _> = counts.into_iter().collect();
    let of = |what: Counted, state: i64| {
        let count = counts.get(&(what.word().to_owned(), state)).copied().unwrap_or_default();
        u64::try_from(count).unwrap_or_default()
    };
    let effects = |what| Effects {
        done: of(what, state::DONE),
        waiting: of(what, state::WAITING),
        parked: of(what, state::PARKED),
        dropped: of(what, state::DROPPED),
    };
    let strays =
        Strays { parked: of(Counted::Stray, state::PARKED), dropped: of(Counted::Stray, state::DROPPED) };
    let accepted = accepted(|arrival| of(Counted::Arrival, arrival));
    let caused = of(Counted::Caused, 0);
    Ok(Stats {
        incoming: accepted.sum() + caused + strays.parked + strays.dropped,
        done: of(Counted::Event, state::DONE) + strays.dropped,
        waiting: of(Counted::Event, state::WAITING),
        parked: of(Counted::Event, state::PARKED) + strays.parked,
        accepted,
        caused,
        strays,
        plans: Plans {
            decided: of(Counted::Plan, state::DONE),
            skipped: of(Counted::Plan, state::SKIPPED),
            waiting: of(Counted::Plan, state::WAITING),
            held: of(Counted::Plan, state::HELD),
            parked: of(Counted::Plan, state::PARKED),
            dropped: of(Counted::Plan, state::DROPPED),
        },
        effects: effects(Counted::Effect),
        upcoming: of(Counted::Upcoming, 0),
        alerts: effects(Counted::Alert),
    })
}

/// By the numbers of [`state::of_arrival`].
fn accepted(of: impl Fn(i64) -> u64) -> Accepted {
    Accepted {
        first: of(0),
        duplicate: of(1),
        stale: of(2),
        conflict: of(3),
        after_delete: of(4),
        echo: of(5),
    }
}
