//! The course of a run: what is wrong with the queue and when, and what the sender saw of it.

use crate::stage::Stage;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tidegate_envelope::Receipt;
use tidegate_sender::player::Attempt;
use tidegate_sender::policy::{Answer, Ended};
use tidegate_sender::verdict::Latencies;
use tidegate_tests::fault::Fault;
use tokio::time::{Instant, sleep_until};

/// How long a slow queue takes.
const SLOW: Duration = Duration::from_secs(2);
/// How long a hanging queue keeps a request.
const HANG: Duration = Duration::from_secs(60);
/// A phase with trouble is so many times as long as one without.
const TROUBLE_SHARE: u32 = 3;

/// What is wrong with the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Calm,
    Down,
    Slow,
    Hangs,
    Refuses,
    Killed,
}

const TROUBLES: [Trouble; 5] =
    [Trouble::Down, Trouble::Slow, Trouble::Hangs, Trouble::Refuses, Trouble::Killed];

impl Trouble {
    /// Whose name begins so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        TROUBLES.into_iter().find(|trouble| !name.is_empty() && trouble.name().starts_with(name))
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Down => "down",
            Self::Slow => "slow (2 s)",
            Self::Hangs => "hangs (60 s)",
            Self::Refuses => "refuses (10250)",
            Self::Killed => "killed",
        }
    }

    const fn fault(self) -> Fault {
        match self {
            // What is killed is the queue itself.
            Self::Calm | Self::Killed => Fault::None,
            Self::Down => Fault::Down,
            Self::Slow => Fault::Slow(SLOW),
            Self::Hangs => Fault::Hang(HANG),
            Self::Refuses => Fault::Refuse,
        }
    }
}

/// One stretch of a run, and what became of what was sent in it.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub(crate) trouble: Trouble,
    /// When it ends, from the start of the run.
    pub(crate) ends: Duration,
    pub(crate) sent: u64,
    pub(crate) acked: u64,
    pub(crate) acks: Latencies,
}

/// Each trouble once with calm around it, in so long; or one trouble only.
pub(crate) fn phases(run: Duration, only: Option<Trouble>) -> Vec<Phase> {
    let troubles: Vec<_> =
        TROUBLES.into_iter().filter(|trouble| only.is_none_or(|only| only == *trouble)).collect();
    let shares = u32::try_from(troubles.len()).unwrap_or(u32::MAX) * (TROUBLE_SHARE + 1) + 1;
    let calm = run / shares;
    let around = troubles.into_iter().flat_map(|trouble| [Trouble::Calm, trouble]);
    let mut ends = Duration::ZERO;
    around
        .chain([Trouble::Calm])
        .map(|trouble| {
            ends += if trouble == Trouble::Calm { calm } else { calm * TROUBLE_SHARE };
            Phase { trouble, ends, sent: 0, acked: 0, acks: Latencies::default() }
        })
        .collect()
}

/// Puts the queue through the phases. Each change is made at its time; what a dead queue needs to start again is
/// part of its trouble.
pub(crate) async fn run(stage: &mut Stage, phases: &[Phase], began: Instant) -> anyhow::Result<()> {
    for phase in phases {
        stage.proxy.set(phase.trouble.fault()).await?;
        if phase.trouble == Trouble::Killed {
            stage.kill_queue().await?;
        }
        sleep_until(began + phase.ends).await;
        if phase.trouble == Trouble::Killed {
            stage.restart_queue().await?;
        }
    }
    Ok(())
}

/// What the sender saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// The distinct bytes that were sent, and a number for each.
    numbers: HashMap<Arc<[u8]>, usize>,
    /// Which number each acknowledged receipt is for.
    pub(crate) acked: HashMap<Receipt, usize>,
    /// Receipts that were given twice.
    pub(crate) given_twice: Vec<Receipt>,
    /// 2xx answers without a receipt that can be read.
    pub(crate) without_receipt: u64,
    /// Attempts that were not answered with a 2xx: what each was, and how long it took.
    pub(crate) refused: Vec<(Answer, Duration)>,
    /// How events ended.
    pub(crate) ended: HashMap<u64, Ended>,
}

impl Seen {
    /// Takes note of an attempt.
    pub(crate) fn note(&mut self, attempt: &Attempt, phases: &mut [Phase]) {
        let number = self.numbers.len();
        let number = *self.numbers.entry(Arc::clone(&attempt.event.body)).or_insert(number);
        if let Some(ended) = attempt.ended {
            self.ended.insert(attempt.of, ended);
        }
        let last = phases.len().saturating_sub(1);
        let at = phases.iter().position(|phase| attempt.sent_at < phase.ends).unwrap_or(last);
        if let Some(phase) = phases.get_mut(at) {
            phase.sent += 1;
            if attempt.answer.is_success() {
                phase.acked += 1;
                phase.acks.add(attempt.took);
            }
        }
        match &attempt.answer {
            Answer::Status { receipt, .. } if attempt.answer.is_success() => {
                match receipt.as_deref().and_then(|receipt| receipt.parse().ok()) {
                    Some(receipt) => {
                        if self.acked.insert(receipt, number).is_some() {
                            self.given_twice.push(receipt);
                        }
                    }
                    None => self.without_receipt += 1,
                }
            }
            refusal => self.refused.push((refusal.clone(), attempt.took)),
        }
    }
}
