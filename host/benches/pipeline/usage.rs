//! What this process has taken of the machine, as the kernel counts it
//! (<https://docs.kernel.org/filesystems/proc.html>).

use std::fmt;
use std::fs::read_to_string;
use std::time::{Duration, Instant};

/// The kernel tells programs of time in hundredths of a second, whatever it counts in itself.
const TICKS_PER_S: u32 = 100;

/// A stretch of work that has begun.
pub(crate) struct Meter {
    started: Instant,
    cpu: Duration,
}

/// What so many events took.
pub(crate) struct Spent {
    events: u64,
    elapsed: Duration,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), cpu: cpu() }
    }

    pub(crate) fn stop(self, events: u64) -> Spent {
        Spent { events, elapsed: self.started.elapsed(), cpu: cpu() - self.cpu }
    }
}

impl Spent {
    fn count(&self) -> f64 {
        f64::from(u32::try_from(self.events).expect("fewer than four thousand million"))
    }

    pub(crate) fn per_s(&self) -> f64 {
        self.count() / self.elapsed.as_secs_f64()
    }

    /// Time of all processors that each event took, in microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count()
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}/s at {:.1} us", self.per_s(), self.cpu_us())
    }
}

/// Time on the processors that all threads together had so far.
fn cpu() -> Duration {
    cpu_of("self")
}

/// As [`cpu`], of this process and of those of its children that have ended; none of one that is gone.
pub(crate) fn cpu_of(pid: &str) -> Duration {
    // The 14th and the 15th are of the process and of the kernel for it, the two behind them of its children.
    let ticks = fields(pid).into_iter().skip(11).take(4);
    let ticks: u32 = ticks.map(|ticks| ticks.parse::<u32>().expect("a number")).sum();
    Duration::from_secs(1) * ticks / TICKS_PER_S
}

/// Bytes that this process has had written to disks so far.
pub(crate) fn written_bytes() -> u64 {
    let io = read_to_string("/proc/self/io").expect("the kernel tells");
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).expect("it counts them");
    written.parse().expect("a number")
}

/// Who started this process; nobody, of one that is gone.
pub(crate) fn parent_of(pid: &str) -> String {
    fields(pid).into_iter().nth(1).unwrap_or_default()
}

/// From the third field on: the second is a name in parentheses.
fn fields(pid: &str) -> Vec<String> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let (_, fields) = stat.rsplit_once(')').unwrap_or_default();
    fields.split_whitespace().map(str::to_owned).collect()
}
