//! What hosts that share a store say to each other through it: who is there, who holds which partitions, and what one has for
//! whoever holds a partition. Knows nothing of SQL.

use super::StoreError;
use crate::account::AccountRow;
use crate::heard::Span;
use crate::partition::{Partition, Partitions};
use crate::store::keeping::Erasure;
use crate::store::parked::Intervention;
use crate::subject::SubjectKey;
use serde::{Deserialize, Serialize};
use std::future::Future;
use tidegate_envelope::SourceName;
use tokio::sync::watch;

/// A host that shares the store, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// What people call it.
    pub name: String,
    /// The queues that it is told to pull from.
    pub queues: usize,
}

/// One of those that are there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Which host of all that ever worked on the store: later ones have greater ones, and none is used again.
    pub id: i64,
    /// What it said when it came.
    pub host: Host,
    /// The last change of what is at work that it decides by; as `Deployment::id`.
    pub deployment: i64,
}

/// What a host decides by from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follows {
    /// Which host.
    pub host: i64,
    /// The last change of what is at work.
    pub deployment: i64,
}

/// A host that shares the store, or did within the time that is asked about: what it said of itself, and what the store sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHost {
    /// What it said when it came.
    pub member: Member,
    /// The Tidegate that it is.
    pub release: String,
    /// When it came. All times are in milliseconds since the Unix epoch.
    pub joined_at_ms: u64,
    /// When it last said something of itself.
    pub seen_at_ms: u64,
    /// When it said that it leaves.
    pub left_at_ms: Option<u64>,
    /// Whether it has a connection to the store that stands, as the store sees it.
    pub is_there: bool,
    /// What it holds, as the store sees it.
    pub holds: Partitions,
    /// What it is at; nothing before it first said so.
    pub doing: Option<Doing>,
}

/// What a host is at. Version 1 of what is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doing {
    v: u32,
    /// Deliveries that it has pulled and not acknowledged.
    pub in_flight: u64,
    /// The queues that it pulls from, numbered as in the configuration, from 1.
    pub queues: Vec<usize>,
}

impl Doing {
    /// So many deliveries, of these queues.
    #[must_use]
    pub const fn new(in_flight: u64, queues: Vec<usize>) -> Self {
        Self { v: 1, in_flight, queues }
    }
}

/// What a host says of itself.
#[derive(Debug)]
pub struct Said {
    /// Which host: its [`Member::id`].
    pub host: i64,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Whether it leaves.
    pub leaves: bool,
    /// What it is at.
    pub doing: Doing,
    /// How the sources are, by the host that watches over them, as JSON.
    pub sources: Option<String>,
    /// What each version cost on it.
    pub accounts: Vec<AccountRow>,
}

/// What waits in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Which.
    pub partition: Partition,
    /// When the edge accepted the oldest event that a plugin will be asked about, in milliseconds since the Unix epoch.
    pub oldest_ms: Option<u64>,
    /// Errands that are not done.
    pub errands: u64,
}

/// Who is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// By their ids. Each has a connection to the store that stands, as the store sees it.
    pub all: Vec<Member>,
    /// The one that asks; none when the store does not see it at the moment.
    pub own: Option<usize>,
}

/// What a host does about the partitions it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It would hold these.
    Claim(Partitions),
    /// It holds these no longer.
    Release(Partitions),
}

/// What one host tells the others that share the store, when it has written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// There may be something to do for them.
    Work,
    /// Who is there has changed, or what is at work.
    Change,
}

/// How often which news was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// [`News::Work`].
    pub work: u64,
    /// [`News::Change`].
    pub change: u64,
}

/// What is for whoever holds a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// To decide about what the queue delivered to another.
    Decide {
        /// What stood on the queue.
        text: String,
        /// When the queue took it, in milliseconds since the Unix epoch.
        queued_at_ms: u64,
    },
    /// To do what a person wants done about what is parked.
    Intervene(Intervention),
    /// To erase what is about these subjects, or about none.
    Erase(Vec<SubjectKey>, Erasure),
    /// To know which sources another heard of.
    Hear(Vec<(SourceName, Span)>),
}

impl Errand {
    /// Whether it is a delivery.
    #[must_use]
    pub const fn is_delivery(&self) -> bool {
        matches!(self, Self::Decide { .. })
    }
}

/// The place of an errand in the order they were given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrandSeq(pub i64);

/// What hosts that share a store say to each other.
pub trait Group {
    /// Which of the hosts that share the store this one is; none where it shares with nobody.
    fn own(&self) -> Option<i64>;

    /// The hosts that share the store with this one, itself included, and those that did and were heard of since this time, in
    /// milliseconds since the Unix epoch; by their ids. None where it shares with nobody.
    fn hosts(&self, since_ms: u64) -> impl Future<Output = Result<Vec<KnownHost>, StoreError>> + Send;

    /// What waits in each partition where something does.
    fn behind(&self) -> impl Future<Output = Result<Vec<Behind>, StoreError>> + Send;

    /// How the sources are, as the host last said that watches over them.
    fn sources(&self) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;

    /// What each version cost on the other hosts that share the store, as each said last: those that are there, and those that
    /// are gone and not forgotten yet, one list for each. None where it shares with nobody.
    fn accounts(&self) -> impl Future<Output = Result<Vec<Vec<AccountRow>>, StoreError>> + Send;

    /// Who is there.
    fn members(&self) -> impl Future<Output = Result<Members, StoreError>> + Send;

    /// Claims or releases partitions, when all that was submitted before is durable. Says which were got: those that no
    /// other host holds; what is claimed stays held for as long as this host's connection stands.
    ///
    /// # Errors
    /// When the store cannot be reached: then nothing has changed.
    fn hold(&self, change: Change) -> impl Future<Output = Result<Partitions, StoreError>> + Send;

    /// What other hosts tell from now on, counted since the start. What was told while the store could not be reached may be missing.
    fn told(&self) -> watch::Receiver<Told>;

    /// Errands in these partitions, deliveries or others, in their order.
    fn errands(
        &self,
        within: Partitions,
        deliveries: bool,
        rows_max: usize,
    ) -> impl Future<Output = Result<Vec<(ErrandSeq, Errand)>, StoreError>> + Send;
}

/// An errand that is given.
#[derive(Debug)]
pub struct NewErrand {
    /// Who holds this is to do it.
    pub partition: Partition,
    /// What.
    pub errand: Errand,
}
