//! The floor: the same rows, written by the store alone.

use super::decided::decided;
use super::host::{Middle, now_ms};
use super::usage::{Meter, Spent};
use super::{EVENTS, GROUP};
use tidegate::read::{Opened, read};
use tidegate::registry::Active;
use tidegate::sandbox::Sandbox;
use tidegate::store::sql::SqlStore;
use tidegate::store::{Batch, Recorded, Store as _};
use tidegate_envelope::Envelope;

pub(crate) async fn run(envelopes: &[String]) -> Spent {
    let dir = tempfile::tempdir().expect("a directory");
    let middle = Middle::new(dir.path(), SqlStore::open(dir.path()).expect("a store")).await;
    let active = middle.active();
    let recorded: Vec<_> =
        envelopes.iter().map(|text| decide(&middle.versions.sandbox, &active, text)).collect();
    let meter = Meter::start();
    let mut batches = recorded.into_iter().peekable();
    let mut waiting = tokio::task::JoinSet::new();
    while batches.peek().is_some() {
        let events = batches.by_ref().take(GROUP).collect();
        let store = middle.store.clone();
        waiting.spawn(async move { store.commit(Batch { events, ..Batch::default() }).await });
        if waiting.len() >= 8 {
            waiting.join_next().await.expect("one waits").expect("no panic").expect("commits");
        }
    }
    while let Some(committed) = waiting.join_next().await {
        committed.expect("no panic").expect("commits");
    }
    meter.stop(EVENTS)
}

fn decide(sandbox: &Sandbox, active: &Active, text: &str) -> Recorded {
    let Opened::Event(event) = read(Envelope::open(text).expect("an envelope")) else {
        panic!("the body is inline");
    };
    decided(sandbox, active, event, now_ms())
}
