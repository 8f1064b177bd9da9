//! What hosts that share a store say to each other through it: who is there, who holds which partitions, and what one has for
//! whoever holds a partition. Knows nothing of SQL.

use super::StoreError;
use crate::heard::Span;
use crate::partition::{Partition, Partitions};
use crate::store::parked::Intervention;
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
