//! How many there are and were of everything. Knows nothing of SQL, nor of how it is shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much came in and what became of it, at one instant. All of it counts from the store's first day: what retention
/// removed is still in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Everything that came in, events of the host's own included: always `done` + `waiting` + `parked`.
    pub incoming: u64,
    /// Nobody has to do anything about it any more.
    pub done: u64,
    /// A plugin will be asked about it, again or at all.
    pub waiting: u64,
    /// It needs a person.
    pub parked: u64,
    /// Of `incoming`: what the edge accepted, by how it stood to what came before.
    pub accepted: Accepted,
    /// Of `incoming`: events of the host's own, that plugins caused.
    pub caused: u64,
    /// Of `incoming`: deliveries that are no events.
    pub strays: Strays,
    /// What plugins that wanted them came to about events.
    pub plans: Plans,
    /// What plugins decided to have done.
    pub effects: Effects,
    /// Events of the host's own that are still to come; not yet `incoming`.
    pub upcoming: u64,
    /// What the operator is told.
    pub alerts: Effects,
}

/// Events that the edge accepted, by how each stood to those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// Not seen before.
    pub first: u64,
    /// The same bytes again.
    pub duplicate: u64,
    /// Older than what was known.
    pub stale: u64,
    /// Claims to be what is known, with other bytes.
    pub conflict: u64,
    /// About what was deleted.
    pub after_delete: u64,
    /// Tells only of what an effect wrote.
    pub echo: u64,
}

impl Accepted {
    /// All of them.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.first + self.duplicate + self.stale + self.conflict + self.after_delete + self.echo
    }
}

/// Deliveries that are no events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Strays {
    /// They need a person.
    pub parked: u64,
    /// A person decided that they need nothing more.
    pub dropped: u64,
}

/// Plans, by what came of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plans {
    /// The plugin decided.
    pub decided: u64,
    /// The plugin said that it is none of its business.
    pub skipped: u64,
    /// The plugin will be asked.
    pub waiting: u64,
    /// The plugin will be asked once it has decided what is before it in its lane.
    pub held: u64,
    /// A person must look.
    pub parked: u64,
    /// A person decided that it needs nothing more.
    pub dropped: u64,
}

/// Effects, or alerts, by what came of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Effects {
    /// Performed.
    pub done: u64,
    /// To be performed, or tried again.
    pub waiting: u64,
    /// Given up; a person must look.
    pub parked: u64,
    /// A person decided that it needs nothing more.
    pub dropped: u64,
}
