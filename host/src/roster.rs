//! The hosts that share the work: who is there, what each holds, and how far it is behind. Pure.

use crate::partition::{Partition, Partitions};
use crate::store::group::{Behind, Doing, KnownHost};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// For how long a host that is gone stays listed, in milliseconds.
pub const LISTED_MS: u64 = 86_400_000;

/// The hosts. All times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostsReport {
    /// When this was written.
    pub now_ms: u64,
    /// The hosts that share the work, and those that did within the last day, in the order in which they came. One that shares
    /// with nobody stands here alone.
    pub hosts: Vec<HostRow>,
    /// The partitions that nobody holds: their hosts are gone, and others are about to take them over.
    pub unheld: Vec<u8>,
    /// When the edge accepted the oldest event that waits in those.
    pub unheld_oldest_ms: Option<u64>,
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostRow {
    /// Which host of all that ever worked on the store: one that starts again gets another. 0 for one that shares with nobody.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// The Tidegate that it is.
    pub release: String,
    /// Whether it is there.
    pub state: HostState,
    /// Whether it is the one that answers.
    pub is_own: bool,
    /// When it came.
    pub joined_at_ms: u64,
    /// When it last said something of itself.
    pub seen_at_ms: u64,
    /// When it said that it leaves.
    pub left_at_ms: Option<u64>,
    /// The partitions that it holds, of 120 from 0. Whoever holds the first does what there is one of for all hosts: it watches
    /// over the sources and the versions, sends alerts, removes what is old.
    pub partitions: Vec<u8>,
    /// The queues that it pulls from, numbered as in the configuration, from 1.
    pub queues: Vec<usize>,
    /// Deliveries that it has pulled and not acknowledged.
    pub in_flight: u64,
    /// When the edge accepted the oldest event that waits in what it holds.
    pub oldest_waiting_ms: Option<u64>,
    /// What other hosts have for it to do, and is not done.
    pub errands: u64,
}

/// Whether a host is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostState {
    /// It is at work.
    There,
    /// It was told to stop, and ends what is under way.
    Leaving,
    /// It was told to stop, and has.
    Left,
    /// It is not there, and nobody told it to stop: it was killed, is frozen or cut off from the store.
    Gone,
}

impl HostState {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::Leaving => "leaving",
            Self::Left => "left",
            Self::Gone => "gone",
        }
    }
}

/// The host that shares with nobody.
#[derive(Clone, Debug)]
pub struct Alone {
    /// What it is called.
    pub name: String,
    /// The Tidegate that it is.
    pub release: String,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// What it is at.
    pub doing: Doing,
    /// When the edge accepted the oldest event that waits.
    pub oldest_ms: Option<u64>,
}

impl HostsReport {
    /// Of hosts that share the work; `own` is the one that answers.
    #[must_use]
    pub fn of(hosts: &[KnownHost], own: Option<i64>, behind: &[Behind], now_ms: u64) -> Self {
        let held = hosts.iter().fold(Partitions::NONE, |held, host| held.with(host.holds));
        let unheld = Partitions::ALL.without(held);
        Self {
            now_ms,
            hosts: hosts.iter().map(|host| row(host, own, behind)).collect(),
            unheld: numbers(unheld),
            unheld_oldest_ms: waiting(behind, unheld).0,
        }
    }

    /// Of a host that shares with nobody: it holds all.
    #[must_use]
    pub fn alone(host: Alone, now_ms: u64) -> Self {
        let Alone { name, release, started_ms, doing, oldest_ms } = host;
        let host = HostRow {
            id: 0,
            name,
            release,
            state: HostState::There,
            is_own: true,
            joined_at_ms: started_ms,
            seen_at_ms: now_ms,
            left_at_ms: None,
            partitions: numbers(Partitions::ALL),
            queues: doing.queues,
            in_flight: doing.in_flight,
            oldest_waiting_ms: oldest_ms,
            errands: 0,
        };
        Self { now_ms, hosts: vec![host], unheld: Vec::new(), unheld_oldest_ms: None }
    }
}

impl HostRow {
    /// Whether it does what there is one of for all hosts.
    #[must_use]
    pub fn holds_first(&self) -> bool {
        self.partitions.contains(&Partition::FIRST.number())
    }

    /// How many partitions it holds, for people: with a star where the first is among them.
    #[must_use]
    pub fn holds(&self) -> String {
        format!("{}{}", self.partitions.len(), if self.holds_first() { "*" } else { "" })
    }
}

fn row(host: &KnownHost, own: Option<i64>, behind: &[Behind]) -> HostRow {
    let (oldest_waiting_ms, errands) = waiting(behind, host.holds);
    let doing = host.doing.as_ref().filter(|_| host.is_there);
    HostRow {
        id: host.member.id,
        name: host.member.host.name.clone(),
        release: host.release.clone(),
        state: match (host.is_there, host.left_at_ms.is_some()) {
            (true, false) => HostState::There,
            (true, true) => HostState::Leaving,
            (false, true) => HostState::Left,
            (false, false) => HostState::Gone,
        },
        is_own: Some(host.member.id) == own,
        joined_at_ms: host.joined_at_ms,
        seen_at_ms: host.seen_at_ms,
        left_at_ms: host.left_at_ms,
        partitions: numbers(host.holds),
        queues: doing.map_or_else(Vec::new, |doing| doing.queues.clone()),
        in_flight: doing.map_or(0, |doing| doing.in_flight),
        oldest_waiting_ms,
        errands,
    }
}

/// What waits in these: when the oldest event was accepted, and how many errands.
#[must_use]
pub fn waiting(behind: &[Behind], within: Partitions) -> (Option<u64>, u64) {
    let rows = || behind.iter().filter(|row| within.contains(row.partition));
    (rows().filter_map(|row| row.oldest_ms).min(), rows().map(|row| row.errands).sum())
}

fn numbers(partitions: Partitions) -> Vec<u8> {
    partitions.iter().map(Partition::number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::group::{Host, Member};

    fn host(id: i64, holds: Partitions, is_there: bool, left_at_ms: Option<u64>) -> KnownHost {
        KnownHost {
            member: Member { id, host: Host { name: format!("host-{id}"), queues: 2 }, deployment: 0 },
            release: "1.0.0".into(),
            joined_at_ms: 1,
            seen_at_ms: 5,
            left_at_ms,
            is_there,
            holds,
            doing: Some(Doing::new(7, vec![2])),
        }
    }

    #[test]
    fn each_host_is_as_its_connection_and_its_own_word_say() {
        let hosts = [
            host(1, Partitions::NONE, false, None),
            host(2, Partitions::NONE, false, Some(4)),
            host(3, Partitions::ALL, true, Some(4)),
            host(4, Partitions::NONE, true, None),
        ];
        let report = HostsReport::of(&hosts, Some(4), &[], 9);
        let states: Vec<_> = report.hosts.iter().map(|row| row.state.word()).collect();
        assert_eq!(states, ["gone", "left", "leaving", "there"]);
        assert_eq!(report.hosts.iter().map(|row| row.in_flight).collect::<Vec<_>>(), [0, 0, 7, 7]);
        assert_eq!(
            report.hosts.iter().map(|row| row.is_own).collect::<Vec<_>>(),
            [false, false, false, true]
        );
        assert!(report.hosts[2].holds_first() && !report.hosts[3].holds_first());
        assert!(report.unheld.is_empty());
    }

    #[test]
    fn what_waits_is_said_of_the_host_that_holds_it_or_of_nobody() {
        let some = |numbers: &[i64]| numbers.iter().copied().collect::<Partitions>();
        let behind: Vec<_> = Partitions::ALL
            .iter()
            .zip([Some(30), None, Some(10), Some(20)])
            .map(|(partition, oldest_ms)| Behind { partition, oldest_ms, errands: 2 })
            .collect();
        let hosts = [host(1, some(&[0, 1]), true, None), host(2, some(&[3]), true, None)];
        let report = HostsReport::of(&hosts, Some(1), &behind, 40);
        let waits = |at: usize| (report.hosts[at].oldest_waiting_ms, report.hosts[at].errands);
        assert_eq!((waits(0), waits(1)), ((Some(30), 4), (Some(20), 2)));
        assert_eq!((report.unheld.len(), report.unheld_oldest_ms), (117, Some(10)));
    }

    #[test]
    fn a_host_that_shares_with_nobody_holds_all() {
        let (name, release) = ("one".to_owned(), "1.0.0".to_owned());
        let doing = Doing::new(3, vec![1]);
        let alone = Alone { name, release, started_ms: 2, doing, oldest_ms: Some(4) };
        let report = HostsReport::alone(alone, 9);
        assert_eq!(report.hosts.len(), 1);
        assert_eq!((report.hosts[0].partitions.len(), report.hosts[0].state.word()), (120, "there"));
        assert_eq!((report.hosts[0].oldest_waiting_ms, report.hosts[0].in_flight), (Some(4), 3));
    }
}
