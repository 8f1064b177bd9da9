//! Who is next: what was handed out in an order comes to its turn in it, though each is in a task of its own. Knows nothing
//! of what is done.

use tokio::sync::oneshot;

/// Hands out turns.
#[derive(Debug, Default)]
pub struct Turns(Option<oneshot::Receiver<()>>);

/// A place in the order. Dropping it lets the next one come.
#[derive(Debug)]
pub struct Turn {
    before: Option<oneshot::Receiver<()>>,
    _after: Option<oneshot::Sender<()>>,
}

impl Turns {
    /// The turn after the last one that was handed out.
    pub fn next_turn(&mut self) -> Turn {
        let (after, next) = oneshot::channel();
        Turn { before: self.0.replace(next), _after: Some(after) }
    }
}

impl Turn {
    /// Of whoever waits for nobody.
    #[must_use]
    pub const fn alone() -> Self {
        Self { before: None, _after: None }
    }

    /// Waits until the one before has had its turn, or has given it up. Cancel-safe.
    pub async fn come(&mut self) {
        if let Some(before) = &mut self.before {
            // Nothing is ever sent: it ends when the other half is dropped.
            let _ = before.await;
        }
        self.before = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_in_which_they_were_handed_out() {
        let mut turns = Turns::default();
        let (come, mut came) = tokio::sync::mpsc::channel(5);
        let handed_out: Vec<_> = (0..5_u64).map(|number| (number, turns.next_turn())).collect();
        for (number, mut turn) in handed_out.into_iter().rev() {
            let come = come.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(7 * (5 - number))).await;
                turn.come().await;
                come.send(number).await.expect("somebody listens");
            });
        }
        drop(come);
        for number in 0..5 {
            assert_eq!(came.recv().await, Some(number));
        }
    }

    #[tokio::test]
    async fn whoever_gives_up_holds_up_nobody() {
        let mut turns = Turns::default();
        let (first, mut second) = (turns.next_turn(), turns.next_turn());
        drop(first);
        second.come().await;
        Turn::alone().come().await;
    }
}
