//! What is said of the host as a whole: the words for a condition, and the commands to type. Pure.

use super::time;
use crate::condition::{Condition, News, Turn};
use serde_json::{Value, json};

impl News {
    pub(super) const fn kind(&self) -> &'static str {
        match (self.condition, self.turn) {
            (Condition::Waiting, Turn::Begins) => "host.waiting",
            (Condition::Waiting, Turn::Over) => "host.waiting.resolved",
            (Condition::Parked, Turn::Begins) => "host.parked",
            (Condition::Parked, Turn::Over) => "host.parked.resolved",
            (Condition::Disk, Turn::Begins) => "host.disk",
            (Condition::Disk, Turn::Over) => "host.disk.resolved",
            (Condition::Store, Turn::Begins) => "host.store",
            (Condition::Store, Turn::Over) => "host.store.resolved",
            (Condition::Backlog, Turn::Begins) => "queue.backlog",
            (Condition::Backlog, Turn::Over) => "queue.backlog.resolved",
        }
    }

    pub(super) fn summary(&self) -> String {
        let (value, bound) = (amount(self.condition, self.value), amount(self.condition, self.bound));
        let what = match self.condition {
            Condition::Waiting => format!("the oldest event has waited for {value}"),
            Condition::Parked => format!("{value} parked and need a person"),
            Condition::Disk => format!("the disk of the data directory is {value} full"),
            Condition::Store => format!("the store has {value}"),
            Condition::Backlog => format!("{value} wait in the queue"),
        };
        match self.turn {
            Turn::Begins if self.condition == Condition::Parked => what,
            Turn::Begins => format!("{what}, more than {bound}"),
            Turn::Over => format!("well again since {}: {what}", time(self.at_ms)),
        }
    }

    pub(super) fn steps(&self) -> Vec<String> {
        let steps: &[&str] = match (self.turn, self.condition) {
            (Turn::Over, _) => &["Nothing is to be done."],
            (Turn::Begins, Condition::Waiting) => &[
                "See what waits: tidegate events list --state waiting",
                "See which plugin is slow or at fault: tidegate plugin usage",
                "See what the host and its machine lack: tidegate doctor",
            ],
            (Turn::Begins, Condition::Parked) => &[
                "See what is parked, and why: tidegate parked list",
                "When the cause is mended, have it tried again: tidegate parked redrive --all --yes",
            ],
            (Turn::Begins, Condition::Disk) => &[
                "Make room: when the disk is full the host stops taking events, and they wait in the queue.",
                "Keep less: set retention.days or retention.bytes in tidegate.toml and start the host again.",
                "See how much is left: tidegate doctor",
            ],
            (Turn::Begins, Condition::Store) => &[
                "Keep less: set retention.days or retention.bytes in tidegate.toml and start the host again.",
                "Or allow more: set alerts.store_bytes_max.",
            ],
            (Turn::Begins, Condition::Backlog) => &[
                "See whether the host keeps up: tidegate top",
                "See which plugin takes the time: tidegate plugin usage",
                "See whether the queue lets itself be pulled from: tidegate doctor",
            ],
        };
        steps.iter().map(|step| (*step).to_owned()).collect()
    }

    pub(super) fn data(&self) -> Value {
        json!({
            "condition": self.condition,
            "value": self.value,
            "bound": self.bound,
            "since": time(self.since_ms),
        })
    }
}

/// A value in the unit of its condition, for people.
fn amount(condition: Condition, value: u64) -> String {
    match condition {
        Condition::Waiting if value < 120_000 => format!("{} s", value / 1_000),
        Condition::Waiting => format!("{} min", value / 60_000),
        Condition::Parked if value == 1 => "1 is".to_owned(),
        Condition::Parked => format!("{value} are"),
        Condition::Disk => format!("{value} %"),
        Condition::Store => format!("{} MiB", value >> 20),
        Condition::Backlog => format!("{value} messages"),
    }
}
