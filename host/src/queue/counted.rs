//! A queue that remembers what it last said of its backlog, for whoever wants to know without pulling. Knows nothing of what
//! is too much.

use super::{Pulled, Queue, QueueError, Settle};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Stands for what was not said.
const UNSAID: u64 = u64::MAX;

/// What each of several queues last said of its backlog.
#[derive(Debug, Default)]
pub struct Backlogs(Vec<AtomicU64>);

impl Backlogs {
    /// Of so many queues, none of which has said anything.
    #[must_use]
    pub fn new(queues: usize) -> Self {
        Self((0..queues).map(|_| AtomicU64::new(UNSAID)).collect())
    }

    /// Messages in all of them together; `None` while none has said it.
    #[must_use]
    pub fn sum(&self) -> Option<u64> {
        let said = self.0.iter().map(|it| it.load(Relaxed)).filter(|it| *it != UNSAID);
        said.reduce(u64::saturating_add)
    }

    fn say(&self, queue: usize, backlog: u64) {
        if let Some(last) = self.0.get(queue) {
            last.store(backlog.min(UNSAID - 1), Relaxed);
        }
    }
}

/// The queue of this number among them.
pub struct Counted<Q> {
    queue: Q,
    number: usize,
    backlogs: Arc<Backlogs>,
}

impl<Q> Counted<Q> {
    /// `queue`, which is the one of this number.
    pub const fn new(queue: Q, number: usize, backlogs: Arc<Backlogs>) -> Self {
        Self { queue, number, backlogs }
    }
}

impl<Q: Queue> Queue for Counted<Q> {
    async fn pull(&self, max: usize) -> Result<Pulled, QueueError> {
        let pulled = self.queue.pull(max).await?;
        if let Some(backlog) = pulled.backlog {
            self.backlogs.say(self.number, backlog);
        }
        Ok(pulled)
    }

    async fn settle(&self, settled: Vec<Settle>) -> Result<(), QueueError> {
        self.queue.settle(settled).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_queue_has_said_is_not_nothing() {
        let backlogs = Backlogs::new(2);
        assert_eq!(backlogs.sum(), None);
        backlogs.say(0, 3);
        assert_eq!(backlogs.sum(), Some(3));
        backlogs.say(1, 4);
        backlogs.say(0, 0);
        assert_eq!(backlogs.sum(), Some(4));
    }
}
