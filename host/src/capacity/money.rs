//! What Cloudflare bills for a flow of events. Pure; knows nothing of what a host or a database costs elsewhere.

use super::{Case, DAY_S};
use crate::config::PumpSection;
use crate::poll::{self, PollPolicy};
use crate::queue::PollHint;
use serde::Serialize;

/// Days of a month.
const MONTH_DAYS: f64 = 30.0;
/// A message is written, read and deleted.
const OPERATIONS: f64 = 3.0;

/// A month's bill, in dollars, at the sustained rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Money {
    /// Of a million events, when what the plan has in it is used up, without empty pulls.
    pub per_million: f64,
    /// The plan itself.
    pub plan: f64,
    /// Requests to the Worker.
    pub requests: f64,
    /// The Worker's time.
    pub cpu: f64,
    /// What is written to queues, read and deleted, empty pulls included.
    pub operations: f64,
    /// What of the operations are pulls that give nothing, before what the plan has in it.
    pub empty_pulls: f64,
    /// Hosts and databases, at what was given for them.
    pub machines: f64,
    /// All of it.
    pub month: f64,
}

impl Money {
    /// With so many pollers of queues (a host polls each of its queues), hosts and databases.
    pub(super) fn of(case: &Case, pollers: f64, hosts: f64, databases: f64) -> Self {
        let seconds = MONTH_DAYS * DAY_S;
        let events = case.events_per_second * seconds / 1e6;
        let operations = OPERATIONS * (case.message_bytes() / case.step_bytes).ceil();
        let empty = pollers * empty_pulls_per_second(case.events_per_second / pollers) * seconds / 1e6;
        let billed = |millions: f64, free: f64, dollars: f64| (millions - free).max(0.0) * dollars;
        let requests = billed(events, case.requests_free, case.request_dollars);
        let cpu = billed(events * case.edge_cpu_ms, case.cpu_free, case.cpu_dollars);
        let queued = billed(events * operations + empty, case.operations_free, case.operation_dollars);
        let machines = hosts * case.host_dollars + databases * case.database_dollars;
        Self {
            per_million: case.request_dollars
                + case.edge_cpu_ms * case.cpu_dollars
                + operations * case.operation_dollars,
            plan: case.plan_dollars,
            requests,
            cpu,
            operations: queued,
            empty_pulls: empty * case.operation_dollars,
            machines,
            month: case.plan_dollars + requests + cpu + queued + machines,
        }
    }
}

/// Pulls that give nothing, of one poller whom so many messages a second come to at random: after a pull that gave something
/// it waits as [`poll::next`] says, ever longer, until something has come.
pub(super) fn empty_pulls_per_second(messages_per_second: f64) -> f64 {
    let pump = PumpSection::default();
    let policy =
        PollPolicy { busy_ms: pump.poll_busy_ms, idle_ms: pump.poll_idle_ms, ..PollPolicy::default() };
    let seconds = |ms: u64| std::time::Duration::from_millis(ms).as_secs_f64();
    // Of one stretch, from a pull that gave something to the next: how long it is, how many pulls in between gave nothing,
    // and how likely nothing has come until now.
    let (mut length, mut empty, mut nothing_yet) = (0.0, 0.0, 1.0);
    let mut wait_ms = poll::next(&policy, 0, 1, PollHint::Idle);
    while wait_ms < policy.idle_ms {
        length += nothing_yet * seconds(wait_ms);
        nothing_yet *= (-messages_per_second * seconds(wait_ms)).exp();
        empty += nothing_yet;
        wait_ms = poll::next(&policy, wait_ms, 0, PollHint::Idle);
    }
    // From here on each wait is the same.
    let still_nothing = (-messages_per_second * seconds(wait_ms)).exp();
    let something = 1.0 - still_nothing;
    (empty * something + nothing_yet * still_nothing) / (length * something + nothing_yet * seconds(wait_ms))
}
