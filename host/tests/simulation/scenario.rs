//! What the sender does in a run, and what must come of it.

use super::world::START_MS;
use fastrand::Rng;
use std::collections::HashMap;
use tidegate_envelope::{Receipt, SourceName, Unsealed};

/// Where effects go.
pub(crate) const TARGETS: [&str; 3] = ["target.example", "other.example", "third.example"];

/// What a message on the queue says, and when it gets there.
#[derive(Clone)]
pub(crate) struct Posted {
    pub(crate) receipt: Receipt,
    pub(crate) text: String,
    pub(crate) at_ms: u64,
    /// What it is spread over queues by.
    pub(crate) subject: String,
}

/// One change of one asset, as the sender tells it: once, or several times.
pub(crate) struct Told {
    pub(crate) asset: u32,
    pub(crate) kind: &'static str,
    pub(crate) second: u32,
    pub(crate) steps: Vec<String>,
    /// What its steps lead to says.
    pub(crate) then: String,
    /// One for each time that the sender told it.
    pub(crate) receipts: Vec<Receipt>,
}

/// How the plugins' manifests differ between runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Asks {
    /// They are asked about what arrives in order.
    First,
    /// They ask for what is stale, too.
    All,
}

pub(crate) struct Scenario {
    pub(crate) told: Vec<Told>,
    pub(crate) posted: Vec<Posted>,
    pub(crate) by_receipt: HashMap<Receipt, usize>,
    pub(crate) assets: u32,
    pub(crate) asks: Asks,
    pub(crate) batch_max: usize,
    pub(crate) share_ms_max: u64,
    pub(crate) subjects_bytes_max: usize,
    pub(crate) effects_per_minute_max: u32,
    /// How many steps each host lives, but for the last.
    pub(crate) lives: Vec<u64>,
    /// Messages that are no envelopes.
    pub(crate) strays: usize,
}

/// What must come of asking about these steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Decided,
    Skipped,
    Parked,
    /// The plugin said so itself, and what is behind it goes on.
    OutOfTheWay,
}

pub(crate) fn source() -> SourceName {
    SourceName::new("amj").expect("a name")
}

impl Told {
    /// Asset 0 stands for none.
    pub(crate) fn subject(&self) -> String {
        if self.asset == 0 { String::new() } else { self.asset.to_string() }
    }

    pub(crate) fn body(&self) -> String {
        let Self { kind, second, .. } = self;
        let id = if self.asset == 0 { String::new() } else { format!("\"id\":{},", self.asset) };
        let steps = self.steps.join("; ");
        let then = if self.then.is_empty() { String::new() } else { format!(" >> {}", self.then) };
        let stamp = if *kind == "asset.create" { "created_at" } else { "updated_at" };
        let (minute, second) = (second / 60, second % 60);
        format!(
            "{{\"event_type\":\"{kind}\",{id}\"{stamp}\":\"2026-01-01 00:{minute:02}:{second:02}.000001\",\"do\":\"{steps}{then}\"}}"
        )
    }

    pub(crate) fn posted(&self, source: &SourceName, receipt: Receipt, at_ms: u64) -> Posted {
        let unsealed = Unsealed {
            receipt,
            source,
            profile: Some("amj"),
            method: "POST",
            headers: &[],
            content_type: Some("application/json"),
        };
        let text = unsealed.seal(self.body().as_bytes()).expect("it fits");
        Posted { receipt, text, at_ms, subject: self.subject() }
    }

    pub(crate) fn has(&self, verb: &str) -> bool {
        self.steps.iter().any(|step| step.starts_with(verb))
    }

    pub(crate) fn effects(&self) -> usize {
        self.steps.iter().filter(|step| step.starts_with("put")).count()
    }

    pub(crate) fn expected(&self) -> Expected {
        let ends = self.steps.iter().find_map(|step| match step.split(' ').next() {
            Some("trap") => Some(Expected::Parked),
            Some("park") => Some(Expected::OutOfTheWay),
            Some("skip") => Some(Expected::Skipped),
            _ => None,
        });
        ends.unwrap_or(Expected::Decided)
    }
}

impl Scenario {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        let assets = rng.u32(1..=4);
        let has_none = rng.u8(..4) == 0;
        let mut scenario = Self {
            told: Vec::new(),
            posted: Vec::new(),
            by_receipt: HashMap::new(),
            assets,
            asks: if rng.u8(..3) == 0 { Asks::All } else { Asks::First },
            batch_max: rng.usize(1..=8),
            share_ms_max: if rng.u8(..4) == 0 { 0 } else { 10_000 },
            subjects_bytes_max: if rng.bool() { 0 } else { 1 << 20 },
            effects_per_minute_max: if rng.u8(..8) == 0 { 4 } else { 600 },
            lives: (0..rng.usize(..=4)).map(|_| rng.u64(5..150)).collect(),
            strays: usize::from(rng.u8(..8) == 0),
        };
        for number in 0..rng.usize(3..=20) {
            let asset = rng.u32(u32::from(!has_none)..=assets);
            scenario.tell(rng, number, asset);
        }
        for _ in 0..scenario.strays {
            let (receipt, text) = (Receipt::new(START_MS, 1), "no envelope".into());
            let posted = Posted { receipt, text, at_ms: START_MS, subject: String::new() };
            scenario.posted.extend([posted.clone(), posted]);
        }
        scenario
    }

    /// A change, told once or several times, each of them posted once or twice.
    fn tell(&mut self, rng: &mut Rng, number: usize, asset: u32) {
        let place = u32::try_from(number).expect("a small number");
        let happened_ms = START_MS + u64::from(place) * 150 + rng.u64(..150);
        let kind = match rng.u8(..20) {
            0 => "asset.delete",
            1 | 2 => "asset.create",
            _ => "asset.update",
        };
        let (steps, then) = steps(rng, number, asset);
        // No two of one time: what is drawn out of order is so by much.
        let mut told = Told { asset, kind, second: place, steps, then, receipts: Vec::new() };
        if rng.u8(..6) == 0 {
            told.second += 40;
        }
        let times = if rng.u8(..4) == 0 { rng.u64(2..=3) } else { 1 };
        for time in 0..times {
            let accepted_ms = happened_ms + time * rng.u64(1..800);
            let receipt = Receipt::new(accepted_ms, (u128::from(place) << 8) | u128::from(time));
            told.receipts.push(receipt);
            self.by_receipt.insert(receipt, number);
            for _ in 0..if rng.u8(..6) == 0 { 2 } else { 1 } {
                // Most come soon, in the order they were told; some late.
                let late_ms = if rng.u8(..5) == 0 { rng.u64(..2_000) } else { rng.u64(..60) };
                self.posted.push(told.posted(&source(), receipt, accepted_ms + late_ms));
            }
        }
        self.told.push(told);
    }
}

/// What an event says, and what the events that it leads to say.
fn steps(rng: &mut Rng, number: usize, asset: u32) -> (Vec<String>, String) {
    let mut steps = Vec::new();
    let mut then = String::new();
    if rng.u8(..6) == 0 {
        steps.push(format!("retry {} {}", rng.u32(1..400), rng.u32(1..=2)));
    }
    if asset != 0 && rng.u8(..3) != 0 {
        steps.push("count".to_owned());
    }
    for effect in 0..rng.usize(..=2) {
        let target = TARGETS[rng.usize(..TARGETS.len())];
        steps.push(format!("put https://{target}/{number}/{effect} {{'number':{number}}}"));
    }
    match rng.u8(..6) {
        0 => steps.push(format!("emit loan.ended {asset}")),
        1 => steps.push(format!("wake {} later", rng.u32(..3_000))),
        _ => {}
    }
    if steps.iter().any(|step| step.starts_with("emit") || step.starts_with("wake")) {
        let counts = if asset != 0 && rng.bool() { "; count" } else { "" };
        then = format!("note told-{number}{counts}");
    }
    match rng.u8(..24) {
        0 => steps.push("trap".to_owned()),
        1 => steps.push("park enough".to_owned()),
        2 => steps.push("skip".to_owned()),
        _ => {}
    }
    (steps, then)
}
