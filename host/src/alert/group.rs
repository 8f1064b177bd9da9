//! What is said of a host of the group that is missing, or there again: the words, and the commands to type. Pure.

use super::time;
use crate::condition::Turn;
use crate::condition::missing::HostNews;
use serde_json::{Value, json};

impl HostNews {
    pub(super) const fn kind(&self) -> &'static str {
        match self.turn {
            Turn::Begins => "group.host",
            Turn::Over => "group.host.resolved",
        }
    }

    pub(super) fn summary(&self) -> String {
        let Self { id, name, .. } = self;
        match self.turn {
            Turn::Begins => format!(
                "the host {name} (id {id}) is gone since {}, and was not stopped; the others do its work",
                time(self.since_ms)
            ),
            Turn::Over => format!("the host {name} is there again since {}", time(self.at_ms)),
        }
    }

    pub(super) fn steps(&self) -> Vec<String> {
        let steps: &[&str] = match self.turn {
            Turn::Over => &["Nothing is to be done."],
            Turn::Begins => &[
                "See who is there and whether they keep up: tidegate hosts",
                "Look at its machine and at its log: it was killed, is frozen, or is cut off from the database.",
                "Start it again. One that was frozen or cut off ends by itself once it finds out, to be started again.",
            ],
        };
        steps.iter().map(|step| (*step).to_owned()).collect()
    }

    pub(super) fn data(&self) -> Value {
        json!({ "host": self.name, "id": self.id, "since": time(self.since_ms) })
    }
}
