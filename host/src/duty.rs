//! What there is one of for all hosts that share a store, such as the watch over the sources: it goes with the first
//! partition.

use crate::holding::Holding;
use crate::partition::Partition;
use std::future::Future;
use std::sync::Arc;
use tokio::sync::watch;

/// Has it done while the first partition is this host's, until told to stop. `begin` is given what tells it to end; the
/// partition is not given away before it has.
pub async fn run<F: Future<Output = ()>>(
    holding: Arc<Holding>,
    begin: impl Fn(watch::Receiver<bool>) -> F,
    mut stop: watch::Receiver<bool>,
) {
    let mut held = holding.watch();
    while !*stop.borrow() {
        tokio::select! {
            _ = held.wait_for(|held| held.contains(Partition::FIRST)) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let _busy = holding.begin(Partition::FIRST);
        if !held.borrow().contains(Partition::FIRST) {
            // Lost before anybody could see that something begins.
            continue;
        }
        let (end, ended) = watch::channel(false);
        let mut work = std::pin::pin!(begin(ended));
        tokio::select! {
            () = &mut work => return,
            _ = held.wait_for(|held| !held.contains(Partition::FIRST)) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        end.send_replace(true);
        work.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::Partitions;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_is_done_where_the_first_partition_is_and_ends_before_that_goes() {
        let holding = Holding::new(Partitions::NONE);
        let (stop, stopped) = watch::channel(false);
        let (begun, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let begin = {
            let (begun, ended) = (Arc::clone(&begun), Arc::clone(&ended));
            move |mut stop: watch::Receiver<bool>| {
                begun.fetch_add(1, Ordering::SeqCst);
                let ended = Arc::clone(&ended);
                async move {
                    let _ = stop.wait_for(|stop| *stop).await;
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            }
        };
        let duty = tokio::spawn(run(Arc::clone(&holding), begin, stopped));
        let pause = || tokio::time::sleep(Duration::from_millis(10));
        let counts = || (begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst));
        pause().await;
        assert_eq!(counts(), (0, 0));
        let first = [Partition::FIRST].into_iter().collect();
        holding.gain(first).await;
        pause().await;
        assert_eq!(counts(), (1, 0));
        holding.lose(first, || ()).await;
        pause().await;
        assert!(holding.under_way().contains(Partition::FIRST), "it has not ended yet");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!((counts(), holding.under_way()), ((1, 1), Partitions::NONE));
        holding.gain(first).await;
        pause().await;
        stop.send_replace(true);
        duty.await.expect("it ends");
        assert_eq!(counts(), (2, 2));
    }
}
