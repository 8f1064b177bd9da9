//! What one host leaves for another.

use super::*;
use tidegate::partition::{Partition, Partitions};
use tidegate::store::group::{Errand, Group as _, NewErrand};

#[tokio::test]
async fn an_errand_that_is_done_twice_takes_no_later_one_away() {
    let dir = dir();
    let (store, _) = open(&dir).await;
    let write = async |batch| store.commit(batch).await.expect("commits");
    let new = || NewErrand {
        partition: Partition::FIRST,
        errand: Errand::Decide { text: "an envelope".to_owned(), queued_at_ms: 1 },
    };
    let there = async || store.errands(Partitions::ALL, true, 10).await.expect("reads");
    write(Batch { errands: vec![new()], ..Batch::default() }).await;
    let done = vec![there().await[0].0];
    write(Batch { errands_done: done.clone(), ..Batch::default() }).await;
    write(Batch { errands: vec![new()], ..Batch::default() }).await;
    write(Batch { errands_done: done, ..Batch::default() }).await;
    assert_eq!(there().await.len(), 1);
}
