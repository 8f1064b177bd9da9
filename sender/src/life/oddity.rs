//! What real senders do that a careless receiver trips over, and how often. Knows nothing of assets' lives.

use crate::event::{Wire, Zone, escaped};
use serde_json::{Value, json};

/// How often each oddity comes, of a thousand events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities {
    /// A field is `null`.
    pub null: u32,
    /// A field is missing.
    pub absent: u32,
    /// There is a field that the Events API does not name.
    pub extra: u32,
    /// A field has another type than the Events API's table says.
    pub wrong_type: u32,
    /// A number is written as text in the id, or the other way round.
    pub id_as_text: u32,
    /// Of a thousand assets: its id is beyond 2^53, where JavaScript's numbers are no longer exact.
    pub big_id: u32,
    /// Of a thousand assets: its name is not ASCII.
    pub unicode: u32,
    /// What is not ASCII is escaped.
    pub escaped: u32,
    /// A time has no microseconds.
    pub whole_second: u32,
    /// A time has `+00:00`.
    pub zone: u32,
    /// The same bytes are sent again soon after.
    pub repeat: u32,
    /// The event is sent after some that are newer.
    pub late: u32,
}

impl Oddities {
    /// None: every event is as the Events API's sample.
    pub const NONE: Self = Self {
        null: 0,
        absent: 0,
        extra: 0,
        wrong_type: 0,
        id_as_text: 0,
        big_id: 0,
        unicode: 0,
        escaped: 0,
        whole_second: 0,
        zone: 0,
        repeat: 0,
        late: 0,
    };
    /// A sender on an ordinary day.
    pub const SOME: Self = Self {
        null: 30,
        absent: 10,
        extra: 5,
        wrong_type: 2,
        id_as_text: 2,
        big_id: 5,
        unicode: 100,
        escaped: 500,
        whole_second: 2,
        zone: 2,
        repeat: 10,
        late: 10,
    };
    /// A sender on its worst day.
    pub const MANY: Self = Self {
        null: 150,
        absent: 150,
        extra: 150,
        wrong_type: 150,
        id_as_text: 200,
        big_id: 200,
        unicode: 500,
        escaped: 500,
        whole_second: 200,
        zone: 300,
        repeat: 150,
        late: 150,
    };
}

/// Whether something that happens to so many of a thousand happens now.
pub(super) fn happens(rng: &mut fastrand::Rng, of_thousand: u32) -> bool {
    rng.u32(0..1_000) < of_thousand
}

/// How a time is written now.
pub(super) fn zone(rng: &mut fastrand::Rng, oddities: &Oddities) -> Zone {
    if happens(rng, oddities.zone) { Zone::Utc } else { Zone::Unsaid }
}

/// The body, with what is odd about it. At most one field is damaged, and never the id: two events of one asset
/// thus never become the same bytes.
pub(super) fn body(rng: &mut fastrand::Rng, oddities: &Oddities, mut wire: Wire) -> String {
    damage(rng, oddities, &mut wire);
    if happens(rng, oddities.extra) {
        wire.custom_attributes = Some(json!({ "audited": rng.bool(), "cost": { "currency": "EUR" } }));
    }
    if happens(rng, oddities.id_as_text) {
        wire.id = wire.id.map(|id| match id {
            Value::Number(number) => Value::String(number.to_string()),
            other => other,
        });
    }
    let json = wire.json();
    if happens(rng, oddities.escaped) { escaped(&json) } else { json }
}

/// Takes away, empties or falsifies one field.
fn damage(rng: &mut fastrand::Rng, oddities: &Oddities, wire: &mut Wire) {
    let drawn = rng.u32(0..1_000);
    let fields = [
        &mut wire.field_values,
        &mut wire.created_at,
        &mut wire.location,
        &mut wire.name,
        &mut wire.assettype,
        &mut wire.loanee,
        &mut wire.updated_at,
        &mut wire.event_type,
    ];
    let chosen = rng.usize(0..fields.len());
    let field = fields.into_iter().nth(chosen).expect("one of the fields was drawn");
    if drawn < oddities.null {
        *field = Some(Value::Null);
    } else if drawn < oddities.null + oddities.absent {
        *field = None;
    } else if drawn < oddities.null + oddities.absent + oddities.wrong_type {
        *field = Some(wrong_type(rng, field.take()));
    }
}

/// A value of another type than this one.
fn wrong_type(rng: &mut fastrand::Rng, value: Option<Value>) -> Value {
    let others = [json!([]), json!({}), json!(true), json!(-1.5), json!("none"), json!([[{}]])];
    let is_other = |other: &Value| {
        value.as_ref().is_none_or(|value| std::mem::discriminant(value) != std::mem::discriminant(other))
    };
    let others: Vec<_> = others.into_iter().filter(is_other).collect();
    rng.choice(others).expect("no value has all types")
}
