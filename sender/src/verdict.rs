//! What became of a run's events, and how that is said. Knows nothing of how they were delivered.

use crate::player::Attempt;
use crate::policy::Ended;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How a receiver did. All times count from the start of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Events that there were.
    pub events: u64,
    /// Events that were answered with a 2xx in time, at the first attempt or later.
    pub delivered: u64,
    /// Of the delivered ones, those that took more than one attempt.
    pub retried: u64,
    /// Events of which every attempt failed.
    pub failed: u64,
    /// Events that came while delivery was off. They are gone.
    pub lost: u64,
    /// Events that were on their way when the run was stopped.
    pub unfinished: u64,
    /// Each time delivery was switched off.
    pub cut_offs: Vec<CutOff>,
    /// Requests in all.
    pub attempts: u64,
    /// Attempts that failed, by status; those without one by `timed out` and `no connection`.
    pub non_2xx: BTreeMap<String, u64>,
    /// The last of the failures that were no status, in words.
    pub last_broken: Option<String>,
    /// How long acknowledged first attempts took.
    pub ack: Latency,
    /// The most by which an event was sent later than the rate asked for. When this is much, the receiver or this
    /// machine does not keep up with the rate.
    pub late_max_ms: u64,
    /// How long the run took.
    pub took_ms: u64,
}

/// When delivery was switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CutOff {
    /// When.
    pub at_ms: u64,
    /// The event whose failure did it, by its number in the run, from 0.
    pub event: u64,
    /// The asset it was about; empty when that is not known.
    pub asset: String,
    /// When it was switched on again, if it was.
    pub enabled_at_ms: Option<u64>,
}

/// How long some answers took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// How many.
    pub count: u64,
    /// Half took at most this.
    pub p50_us: u64,
    /// 99 of 100 took at most this.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// Collects how long answers took, to a thousandth.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, 600_000_000, 3).expect("these bounds make a histogram"))
    }
}

impl Latencies {
    /// Adds one. More than ten minutes count as ten minutes.
    pub fn add(&mut self, took: Duration) {
        self.0.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// What they come to.
    #[must_use]
    pub fn latency(&self) -> Latency {
        if self.0.is_empty() {
            return Latency::default();
        }
        Latency {
            count: self.0.len(),
            p50_us: self.0.value_at_quantile(0.5),
            p99_us: self.0.value_at_quantile(0.99),
            max_us: self.0.max(),
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("-");
        }
        write!(f, "p50 {}, p99 {}, max {}", ms(self.p50_us), ms(self.p99_us), ms(self.max_us))
    }
}

/// Microseconds as milliseconds.
fn ms(us: u64) -> String {
    format!("{}.{} ms", us / 1_000, us % 1_000 / 100)
}

/// Counts while a run goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    verdict: Verdict,
    latencies: Latencies,
}

impl Tally {
    /// An event was sent, so much later than it was due.
    pub(crate) fn sent(&mut self, late: Duration) {
        self.verdict.events += 1;
        self.verdict.unfinished += 1;
        self.verdict.late_max_ms = self.verdict.late_max_ms.max(whole_ms(late));
    }

    /// So many events came while delivery was off.
    pub(crate) fn lost(&mut self, events: u64) {
        self.verdict.events += events;
        self.verdict.lost += events;
    }

    pub(crate) fn attempt(&mut self, attempt: &Attempt) {
        let verdict = &mut self.verdict;
        verdict.attempts += 1;
        if !attempt.answer.is_success() {
            *verdict.non_2xx.entry(attempt.answer.label()).or_default() += 1;
            if let crate::policy::Answer::Broken(how) = &attempt.answer {
                verdict.last_broken = Some(how.clone());
            }
        } else if attempt.number == 1 {
            self.latencies.add(attempt.took);
        }
        match attempt.ended {
            Some(Ended::Delivered) => {
                verdict.delivered += 1;
                verdict.retried += u64::from(attempt.number > 1);
            }
            Some(Ended::Failed) => verdict.failed += 1,
            None => return,
        }
        verdict.unfinished = verdict.unfinished.saturating_sub(1);
    }

    pub(crate) fn cut_off(&mut self, at: Duration, attempt: &Attempt) {
        let asset = attempt.event.asset.clone();
        let cut_off = CutOff { at_ms: whole_ms(at), event: attempt.of, asset, enabled_at_ms: None };
        self.verdict.cut_offs.push(cut_off);
    }

    pub(crate) fn enabled(&mut self, at: Duration) {
        if let Some(cut_off) = self.verdict.cut_offs.last_mut() {
            cut_off.enabled_at_ms = Some(whole_ms(at));
        }
    }

    pub(crate) fn verdict(mut self, took: Duration) -> Verdict {
        self.verdict.ack = self.latencies.latency();
        self.verdict.took_ms = whole_ms(took);
        self.verdict
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Verdict {
    /// Whether every event was delivered, however many attempts that took.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed == 0 && self.lost == 0 && self.unfinished == 0
    }

    /// One line: what it comes to.
    #[must_use]
    pub fn sentence(&self) -> String {
        let last = self.cut_offs.last();
        match last {
            Some(CutOff { enabled_at_ms: None, at_ms, event, .. }) => format!(
                "cut off: event {event} was one failure in a row too many, {} s into the run; nothing is delivered \
                 until a person switches it on",
                seconds(*at_ms)
            ),
            _ if self.is_clean() && self.retried == 0 => "every event was delivered at once".to_owned(),
            _ if self.is_clean() => format!("every event was delivered, {} after a retry", self.retried),
            _ => format!(
                "{} of {} events were not delivered",
                self.failed + self.lost + self.unfinished,
                self.events
            ),
        }
    }
}

/// The table that people read.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: &str, what: &str| {
            writeln!(f, "{}", format!("  {name:<11} {value:>8}  {what}").trim_end())
        };
        let counted = |f: &mut fmt::Formatter<'_>, name: &str, value: u64, what: &str| {
            row(f, name, &value.to_string(), what)
        };
        counted(
            f,
            "events",
            self.events,
            &format!("in {} s, {} requests", seconds(self.took_ms), self.attempts),
        )?;
        counted(f, "delivered", self.delivered, "answered with a 2xx in time")?;
        counted(f, "retried", self.retried, "of these, after more than one attempt")?;
        counted(f, "failed", self.failed, "every attempt failed")?;
        counted(f, "lost", self.lost, "came while delivery was off: gone")?;
        if self.unfinished > 0 {
            counted(f, "unfinished", self.unfinished, "on their way when the run was stopped")?;
        }
        counted(f, "cut off", self.cut_offs.len().try_into().unwrap_or(u64::MAX), "times")?;
        for cut_off in &self.cut_offs {
            let asset =
                if cut_off.asset.is_empty() { String::new() } else { format!(" (asset {})", cut_off.asset) };
            let again = match cut_off.enabled_at_ms {
                Some(at_ms) => format!("on again at {} s", seconds(at_ms)),
                None => "not on again".to_owned(),
            };
            row(
                f,
                "",
                "",
                &format!("at {} s by event {}{asset}, {again}", seconds(cut_off.at_ms), cut_off.event),
            )?;
        }
        let refusals: u64 = self.non_2xx.values().sum();
        let by_status: Vec<_> =
            self.non_2xx.iter().map(|(label, count)| format!("{count} x {label}")).collect();
        counted(f, "not 2xx", refusals, &by_status.join(", "))?;
        if let Some(how) = &self.last_broken {
            row(f, "", "", how)?;
        }
        writeln!(f, "  first answers with a 2xx: {}", self.ack)?;
        if self.late_max_ms > 1_000 {
            writeln!(f, "  the rate was not kept: an event was sent {} s late", seconds(self.late_max_ms))?;
        }
        writeln!(f, "{}", self.sentence())
    }
}

/// Milliseconds as seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{}", ms / 1_000, ms % 1_000 / 100)
}
