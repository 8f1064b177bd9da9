//! Makes the events of many assets that are bought, lent, moved and thrown away. The same seed makes the same
//! events, byte for byte. Knows nothing of delivery.

mod oddity;

pub use oddity::Oddities;

use crate::event::{Event, Wire, Zone, stamp};
use jiff::civil::{DateTime, date};
use jiff::{SignedDuration, ToSpan as _};
use oddity::happens;
use serde_json::{Value, json};

/// Events between an event and its repeat, or the place an event is late for.
const LATE_BY_MAX: u64 = 8;
/// Events that wait for their place at the same time.
const HELD_MAX: usize = 64;
/// The time between two events in the sender's own clock.
const STEP_US_MAX: i64 = 2_000_000;
/// The first asset has the id of the Events API's sample.
const FIRST_ID: u64 = 675;
/// What is added to an id to take it beyond 2^53.
const BIG: u64 = 1 << 53;

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct LifeOptions {
    /// Everything follows from it.
    pub seed: u64,
    /// Assets alive at the same time, once so many were made.
    pub assets: usize,
    /// What is odd, and how often.
    pub oddities: Oddities,
}

/// An endless stream of events.
#[derive(Clone, Debug)]
pub struct Life {
    rng: fastrand::Rng,
    oddities: Oddities,
    now: DateTime,
    assets: Vec<Asset>,
    assets_max: usize,
    id_next: u64,
    /// Events for a later place: the number that has to be reached first.
    held: Vec<(u64, Event)>,
    given: u64,
}

#[derive(Clone, Debug)]
struct Asset {
    id: u64,
    revision: u64,
    created_at: DateTime,
    name: String,
    kind: Value,
    location: Value,
    loanee: Value,
    cost: u32,
}

/// What happens to an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Rename,
    Lend,
    Return,
    Move,
    Reprice,
    Delete,
}

const KINDS: [(u64, &str); 4] =
    [(86, "2 in 3 Laptop"), (87, "Phone"), (88, "Beamer"), (89, "Measuring instrument")];
const PLACES: [(u64, &str); 4] =
    [(50, "My IT Office"), (51, "Warehouse 2"), (52, "Zürich, 3. OG"), (53, "東京オフィス")];
const PEOPLE: [(u64, &str); 5] = [
    (142, "John Do"),
    (143, "Ada Lovelace"),
    (144, "Zoë Ångström"),
    (145, "李小龙"),
    (146, "O'Brien \"Bob\""),
];
const NAMES: [&str; 3] = ["Spare", "Pool", "Loaner"];
const UNICODE_NAMES: [&str; 4] = ["Ersatzgerät", "予備機", "Запасной", "🧰 Toolbox"];

impl Life {
    /// A world in which nothing has happened yet.
    #[must_use]
    pub fn new(options: LifeOptions) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(options.seed),
            oddities: options.oddities,
            now: date(2022, 11, 11).at(5, 5, 7, 302_773_000),
            assets: Vec::new(),
            assets_max: options.assets.max(1),
            id_next: FIRST_ID,
            held: Vec::new(),
            given: 0,
        }
    }

    /// The next thing that happens, whatever its place.
    fn happen(&mut self) -> Event {
        self.tick();
        let is_growing =
            self.assets.len() < self.assets_max && (self.assets.is_empty() || self.rng.u8(..) < 64);
        let place = if is_growing {
            let asset = self.create();
            self.assets.push(asset);
            self.assets.len() - 1
        } else {
            self.rng.usize(0..self.assets.len())
        };
        let step = if is_growing { Step::Create } else { self.draw_step(place) };
        let event = self.take_step(place, step);
        if step == Step::Delete {
            self.assets.swap_remove(place);
        }
        event
    }

    fn tick(&mut self) {
        let passed = SignedDuration::from_micros(self.rng.i64(1..STEP_US_MAX));
        self.now = self.now.saturating_add(passed);
        // 1 of a million by itself; more often when asked for. The clock never goes back.
        if happens(&mut self.rng, self.oddities.whole_second) {
            let whole = self.now.with().subsec_nanosecond(0).build().expect("a whole second is a time");
            self.now = whole.saturating_add(1.second());
        }
    }

    fn create(&mut self) -> Asset {
        let number = self.id_next;
        self.id_next += 1;
        let id = if happens(&mut self.rng, self.oddities.big_id) { BIG + number } else { number };
        let is_unicode = happens(&mut self.rng, self.oddities.unicode);
        let names: &[&str] = if is_unicode { &UNICODE_NAMES } else { &NAMES };
        let stem = self.rng.choice(names).expect("there are names");
        Asset {
            id,
            revision: 0,
            created_at: self.now,
            name: format!("{stem}-{:02}", number % 100),
            kind: self.one_of(&KINDS),
            location: self.one_of(&PLACES),
            loanee: Value::Null,
            cost: 1_200,
        }
    }

    fn one_of(&mut self, list: &[(u64, &str)]) -> Value {
        let (id, name) = self.rng.choice(list).expect("the list is not empty");
        json!({ "id": id, "name": name })
    }

    fn draw_step(&mut self, place: usize) -> Step {
        let is_lent = self.assets.get(place).is_some_and(|asset| !asset.loanee.is_null());
        match self.rng.u32(0..100) {
            0..35 if is_lent => Step::Return,
            0..35 => Step::Lend,
            35..60 => Step::Move,
            60..75 => Step::Rename,
            75..97 => Step::Reprice,
            _ => Step::Delete,
        }
    }

    fn take_step(&mut self, place: usize, step: Step) -> Event {
        let (person, location) = (self.one_of(&PEOPLE), self.one_of(&PLACES));
        let asset = self.assets.get_mut(place).expect("the place of an asset was drawn");
        asset.revision += 1;
        match step {
            Step::Create | Step::Delete => {}
            Step::Rename => asset.name.push('*'),
            Step::Lend => asset.loanee = person,
            Step::Return => asset.loanee = Value::Null,
            Step::Move => asset.location = location,
            Step::Reprice => asset.cost -= asset.cost / 10,
        }
        let asset = asset.clone();
        let zone = oddity::zone(&mut self.rng, &self.oddities);
        let wire = wire(&asset, step, self.now, zone);
        let body = oddity::body(&mut self.rng, &self.oddities, wire);
        Event {
            asset: asset.id.to_string(),
            revision: asset.revision,
            is_repeat: false,
            body: body.into_bytes().into(),
        }
    }

    /// Keeps an event for one of the next places.
    fn hold(&mut self, event: Event) {
        let place = self.given + 1 + self.rng.u64(1..=LATE_BY_MAX);
        self.held.push((place, event));
    }
}

impl Iterator for Life {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let due = self.held.iter().position(|(place, _)| *place <= self.given);
        let event = match due {
            Some(index) => self.held.remove(index).1,
            None => loop {
                let event = self.happen();
                let has_room = self.held.len() < HELD_MAX;
                if has_room && happens(&mut self.rng, self.oddities.late) {
                    self.hold(event);
                    continue;
                }
                if has_room && happens(&mut self.rng, self.oddities.repeat) {
                    self.hold(Event { is_repeat: true, ..event.clone() });
                }
                break event;
            },
        };
        self.given += 1;
        Some(event)
    }
}

/// The event's fields when nothing is odd about it.
fn wire(asset: &Asset, step: Step, now: DateTime, zone: Zone) -> Wire {
    let kind = match step {
        Step::Create => "asset.create",
        Step::Delete => "asset.delete",
        _ => "asset.update",
    };
    // The count makes each event of an asset another, even where its time is missing.
    let fields = json!([
        { "id": 9, "name": "Purchase cost", "value": asset.cost.to_string() },
        { "id": 10, "name": "Changes", "value": asset.revision.to_string() },
    ]);
    Wire {
        field_values: Some(fields),
        created_at: Some(stamp(asset.created_at, zone).into()),
        id: Some(asset.id.into()),
        location: Some(asset.location.clone()),
        name: Some(asset.name.clone().into()),
        assettype: Some(asset.kind.clone()),
        loanee: Some(asset.loanee.clone()),
        updated_at: Some(stamp(now, zone).into()),
        event_type: Some(kind.into()),
        custom_attributes: None,
    }
}

#[cfg(test)]
mod tests;
