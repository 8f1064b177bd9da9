//! Whatever order the events of an asset come in, and however often: they end in the same. Each order is that of a source
//! of its own, so that the bytes are the same.

use super::host::Part;
use super::queue::BadQueue;
use super::run::runtime;
use super::scenario::{Asks, Scenario, Told};
use super::world::{self, Clock, START_MS};
use super::{check, host};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use tidegate::pipeline::Pipeline;
use tidegate::queue::Queue as _;
use tidegate::store::Store as _;
use tidegate::store::sql::SqlStore;
use tidegate::subject::SubjectKey;
use tidegate::turn::Turn;
use tidegate_envelope::{Digest, Receipt, SourceName};

/// Sets of events that are drawn, and orders of each.
const SETS: usize = 120;
const ORDERS: usize = 8;

/// What the events of an asset end in.
#[derive(Debug, PartialEq)]
struct End {
    kind: String,
    sha256: Digest,
    occurred_at_us: Option<u64>,
    is_deleted: bool,
    memories: BTreeMap<String, String>,
    /// One for each effect.
    requests: Vec<String>,
}

struct Stage {
    store: SqlStore,
    pipeline: Arc<Pipeline<SqlStore>>,
    sources: usize,
}

impl Stage {
    async fn set(asks: Asks, set: usize) -> Self {
        world::begin(7);
        world::be_calm(true);
        world::is_born(Clock::default(), None);
        let scenario = Scenario {
            asks,
            share_ms_max: 10_000,
            effects_per_minute_max: 600,
            ..world::draw(Scenario::draw)
        };
        let name = format!("permutation-{asks:?}-{set}-{:?}", std::thread::current().id());
        let (store, mut disk) = SqlStore::in_memory(&name, world::pause).expect("a store");
        let pipeline = host::middle(&Part::alone(store.clone()).0, &scenario).await;
        let pipeline = pipeline.expect("memory is always there").pipeline;
        host::record_versions(&store, &mut disk, asks).await;
        tokio::spawn(async move {
            while disk.wait().await {
                disk.write().expect("writes");
            }
        });
        Self { store, pipeline, sources: 0 }
    }

    /// What these end in when they come in this order, in batches of any size.
    async fn end_of(&mut self, rng: &mut Rng, told: &[Told], order: &[usize]) -> End {
        self.sources += 1;
        let source = SourceName::new(&format!("source-{}", self.sources)).expect("a name");
        let posted = order.iter().enumerate().map(|(place, number)| {
            // Some are delivered again, the others sent again.
            let copy = if rng.bool() { 0 } else { u128::try_from(place).expect("few") };
            let receipt = Receipt::new(
                START_MS,
                (copy << 32)
                    | (u128::try_from(*number).expect("few") << 16)
                    | u128::try_from(self.sources).expect("few"),
            );
            told[*number].posted(&source, receipt, START_MS)
        });
        let queue = BadQueue::new(posted.collect(), self.store.clone());
        while !queue.is_empty() {
            let pulled = queue.pull(rng.usize(1..=6)).await.expect("a calm queue");
            self.pipeline.process(&queue, pulled.deliveries, Turn::alone()).await;
        }
        self.read(&source).await
    }

    async fn read(&self, source: &SourceName) -> End {
        let key = SubjectKey { source: source.clone(), subject: "1".into() };
        let state = self.store.subjects(vec![key]).await.expect("reads").remove(0);
        let mark = state.mark.expect("something came");
        let rows = check::rows(&self.store).await;
        let here = rows.iter().filter(|row| row.source == *source);
        let mut requests: Vec<_> = here
            .flat_map(|row| &row.effects)
            .map(|effect| format!("{} {}", effect.key.split('/').nth(1).expect("a plugin"), effect.request))
            .collect();
        requests.sort();
        let memories = state.memories.into_iter().map(|(plugin, memory)| {
            let body = memory.body.as_deref().map(String::from_utf8_lossy).unwrap_or_default().into_owned();
            (plugin.to_string(), body)
        });
        End {
            kind: mark.kind,
            sha256: mark.sha256,
            occurred_at_us: mark.occurred_at_us,
            is_deleted: mark.is_deleted,
            memories: memories.collect(),
            requests,
        }
    }
}

/// Up to six events of one asset; no two of one time, where that is asked for.
fn events(rng: &mut Rng, count: usize, are_distinct: bool) -> Vec<Told> {
    let told = |number: usize| Told {
        asset: 1,
        kind: match rng.u8(..6) {
            0 => "asset.delete",
            1 => "asset.create",
            _ => "asset.update",
        },
        second: if are_distinct { u32::try_from(number).expect("few") } else { rng.u32(..3) },
        steps: vec![
            format!("remember {number}"),
            format!("put https://target.example/{number} {{'number':{number}}}"),
        ],
        then: String::new(),
        receipts: Vec::new(),
    };
    (0..count).map(told).collect()
}

/// Each of them up to four times, in any order.
fn order(rng: &mut Rng, count: usize) -> Vec<usize> {
    let mut order: Vec<_> =
        (0..count).flat_map(|number| std::iter::repeat_n(number, rng.usize(1..=4))).collect();
    rng.shuffle(&mut order);
    order
}

/// Every order of so many.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let longer = |shorter: Vec<usize>| {
        (0..=last).map(move |place| {
            let mut order = shorter.clone();
            order.insert(place, last);
            order
        })
    };
    orders(last).into_iter().flat_map(longer).collect()
}

#[test]
fn any_order_of_up_to_four_copies_of_up_to_six_events_ends_in_the_same() {
    runtime().block_on(async {
        let mut rng = Rng::with_seed(1);
        for set in 0..SETS {
            let mut stage = Stage::set(Asks::All, set).await;
            let count = rng.usize(1..=6);
            let told = events(&mut rng, count, false);
            let first = stage.end_of(&mut rng, &told, &(0..count).collect::<Vec<_>>()).await;
            for _ in 0..ORDERS {
                let order = order(&mut rng, count);
                let end = stage.end_of(&mut rng, &told, &order).await;
                assert_eq!(end, first, "set {set}, order {order:?}");
            }
        }
    });
}

#[test]
fn every_order_of_four_events_ends_in_the_same() {
    runtime().block_on(async {
        let mut rng = Rng::with_seed(2);
        for set in 0..12 {
            let mut stage = Stage::set(Asks::All, set).await;
            let told = events(&mut rng, 4, false);
            let first = stage.end_of(&mut rng, &told, &[0, 1, 2, 3]).await;
            for order in orders(4) {
                let end = stage.end_of(&mut rng, &told, &order).await;
                assert_eq!(end, first, "set {set}, order {order:?}");
            }
        }
    });
}

/// Then what is stale causes nothing, so the effects depend on what came first: but not the last one's, and none comes twice.
#[test]
fn a_plugin_that_is_not_asked_about_what_is_stale_ends_with_the_last() {
    runtime().block_on(async {
        let mut rng = Rng::with_seed(3);
        for set in 0..SETS {
            let mut stage = Stage::set(Asks::First, set).await;
            let count = rng.usize(1..=6);
            let told = events(&mut rng, count, true);
            let last = (0..count).max_by_key(|number| (told[*number].kind == "asset.delete", *number));
            let last = last.expect("there is one");
            for _ in 0..ORDERS {
                let order = order(&mut rng, count);
                let End { sha256, memories, requests, .. } = stage.end_of(&mut rng, &told, &order).await;
                assert_eq!(sha256, Digest::of(told[last].body().as_bytes()), "set {set}, order {order:?}");
                assert_eq!(memories["actor"], last.to_string(), "set {set}, order {order:?}");
                let newest = format!("actor PUT https://target.example/{last}");
                assert!(requests.contains(&newest), "set {set}, order {order:?}: {requests:?}");
                assert!(requests.windows(2).all(|two| two[0] != two[1]), "set {set}: {requests:?}");
            }
        }
    });
}
