//! Partitions: what hosts that share the work share out. Whatever concerns one asset, or one target, is of one partition, and
//! a partition is one host's. Pure.

use tidegate_envelope::{Digest, Receipt, spread};

/// How many there are. So many that hosts get about as much each, and that one to six, eight or ten queues, which the edge
/// spreads subjects over by the same number, hold whole partitions.
pub const PARTITIONS: u8 = 120;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(u8);

impl Partition {
    /// Where there is one of something for all hosts, such as the watch over the sources, it goes with this one.
    pub const FIRST: Self = Self(0);

    /// That of an event: of its subject; where it has none, of what caused it, or else of its content, so that the same bytes
    /// are recognised.
    #[must_use]
    pub fn of_event(subject: &str, cause: Option<Receipt>, sha256: &Digest) -> Self {
        match (subject, cause) {
            ("", Some(cause)) => Self::of(&cause.to_bytes()),
            ("", None) => Self::of(sha256.as_bytes()),
            (subject, _) => Self::of_subject(subject),
        }
    }

    /// That of an asset, whichever source tells of it: the edge's spreading does not look at the source.
    #[must_use]
    pub fn of_subject(subject: &str) -> Self {
        Self::of(subject.as_bytes())
    }

    /// That of a server that effects go to: one host knows how many go there, and how fast.
    #[must_use]
    pub fn of_target(target: &str) -> Self {
        Self::of(target.as_bytes())
    }

    fn of(key: &[u8]) -> Self {
        Self(u8::try_from(spread(key) % u64::from(PARTITIONS)).expect("a remainder is smaller"))
    }

    /// Its number, from 0.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Whether its subjects come by this one of so many queues.
    fn comes_by(self, queue: usize, queues: usize) -> bool {
        usize::from(self.0) % queues == queue
    }
}

/// Some partitions.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Partitions(u128);

impl Partitions {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1 << PARTITIONS) - 1);

    /// Whether this one is among them.
    #[must_use]
    pub const fn contains(self, partition: Partition) -> bool {
        self.0 & (1 << partition.0) != 0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// These but not those.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Those of these that are among those, too.
    #[must_use]
    pub const fn among(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many they are.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// One by one.
    pub fn iter(self) -> impl Iterator<Item = Partition> {
        (0..PARTITIONS).map(Partition).filter(move |partition| self.contains(*partition))
    }

    /// Whether any of their subjects come by this one of so many queues.
    #[must_use]
    pub fn come_by(self, queue: usize, queues: usize) -> bool {
        self.iter().any(|partition| partition.comes_by(queue, queues.max(1)))
    }
}

impl FromIterator<Partition> for Partitions {
    fn from_iter<I: IntoIterator<Item = Partition>>(partitions: I) -> Self {
        Self(partitions.into_iter().fold(0, |all, partition| all | 1 << partition.0))
    }
}

impl FromIterator<i64> for Partitions {
    /// By their numbers; what is none is left out.
    fn from_iter<I: IntoIterator<Item = i64>>(numbers: I) -> Self {
        let known = numbers.into_iter().filter_map(|number| u8::try_from(number).ok());
        known.filter(|number| *number < PARTITIONS).map(Partition).collect()
    }
}

impl std::fmt::Debug for Partitions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(Partition::number)).finish()
    }
}

/// What the host at this place among so many gets, when subjects come by so many queues: whole queues where there is one for
/// each host, so that nothing is pulled by one and decided by another; else an even part of the queue that it shares.
#[must_use]
pub fn share(place: usize, hosts: usize, queues: usize) -> Partitions {
    let (hosts, queues) = (hosts.max(1), queues.max(1));
    let all = Partitions::ALL.iter();
    all.filter(|partition| owner(usize::from(partition.0), hosts, queues) == place).collect()
}

fn owner(partition: usize, hosts: usize, queues: usize) -> usize {
    let (queue, in_queue) = (partition % queues, partition / queues);
    if hosts <= queues { queue % hosts } else { queue + queues * (in_queue % pullers(queue, hosts, queues)) }
}

/// How many of so many hosts pull from this one of so many queues.
#[must_use]
pub const fn pullers(queue: usize, hosts: usize, queues: usize) -> usize {
    if hosts <= queues { 1 } else { (hosts - queue).div_ceil(queues) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_partition_is_one_hosts_and_hosts_have_about_as_much() {
        for hosts in 1..=24 {
            for queues in 1..=10 {
                let shares: Vec<_> = (0..hosts).map(|place| share(place, hosts, queues)).collect();
                let all = shares.iter().fold(Partitions::NONE, |all, share| all.with(*share));
                assert_eq!(all, Partitions::ALL, "{hosts} hosts, {queues} queues");
                assert_eq!(shares.iter().map(|share| share.len()).sum::<u32>(), 120);
                assert!(shares.iter().all(|share| !share.is_empty()), "{hosts} hosts, {queues} queues");
            }
        }
        assert_eq!(share(3, 4, 1).len(), 30);
        assert_eq!(share(3, 4, 4).len(), 30);
    }

    #[test]
    fn a_host_pulls_from_its_own_queues_and_a_queue_has_as_many_pullers_as_it_says() {
        for hosts in 1..=12 {
            for queues in 1..=10 {
                for queue in 0..queues {
                    let pulls = |place: &usize| share(*place, hosts, queues).come_by(queue, queues);
                    let count = (0..hosts).filter(pulls).count();
                    assert_eq!(count, pullers(queue, hosts, queues), "{queue} of {queues}, {hosts} hosts");
                }
            }
        }
    }

    #[test]
    fn a_subject_is_of_the_queue_that_the_edge_puts_it_on() {
        for queues in [1_u64, 2, 3, 4, 5, 6, 8, 10] {
            for id in 0..1_000 {
                let subject = id.to_string();
                let queue = usize::try_from(spread(subject.as_bytes()) % queues).expect("small");
                let queues = usize::try_from(queues).expect("small");
                assert!(Partition::of_subject(&subject).comes_by(queue, queues));
            }
        }
    }

    #[test]
    fn what_is_about_nothing_has_a_partition_too() {
        let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
        let cause = Some(Receipt::new(1, 1));
        assert_eq!(Partition::of_event("", cause, &one), Partition::of_event("", cause, &other));
        assert_ne!(Partition::of_event("", None, &one), Partition::of_event("", None, &other));
        assert_eq!(Partition::of_event("675", cause, &one), Partition::of_subject("675"));
    }

    #[test]
    fn numbers_come_and_go() {
        let some: Partitions = [0_i64, 7, 119, 120, -1].into_iter().collect();
        assert_eq!(some.iter().map(Partition::number).collect::<Vec<_>>(), [0, 7, 119]);
        assert_eq!(some.without(Partitions::ALL), Partitions::NONE);
        assert_eq!(some.among(share(0, 2, 2)).iter().map(Partition::number).collect::<Vec<_>>(), [0]);
    }
}
