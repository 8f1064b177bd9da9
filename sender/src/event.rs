//! An event as the sender puts it on the wire. Knows nothing of how assets live.

use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

/// One event to deliver. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The asset's id as text; empty when it is not known.
    pub asset: String,
    /// Which event of its asset this is, from 1: with [`Event::asset`] its identity. 0 when it is not known.
    pub revision: u64,
    /// Whether the same bytes were sent before.
    pub is_repeat: bool,
    /// The body, byte for byte.
    pub body: Arc<[u8]>,
}

impl Event {
    /// An event of which nothing is known but its body.
    #[must_use]
    pub fn of_bytes(body: &[u8]) -> Self {
        Self { asset: String::new(), revision: 0, is_repeat: false, body: body.into() }
    }
}

/// The body's fields in the order of the Events API's sample. `None` is absent, `Some(Value::Null)` is `null`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Wire {
    /// The asset's custom fields. The sender does not publish the shape of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field_values: Option<Value>,
    /// When the asset was made, as [`stamp`] writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Value>,
    /// The asset's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// Where it is: id and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Value>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Value>,
    /// Its type: id and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assettype: Option<Value>,
    /// Who has it: id and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loanee: Option<Value>,
    /// When it was changed, as [`stamp`] writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Value>,
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_type: Option<Value>,
    /// A field that the Events API does not name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_attributes: Option<Value>,
}

impl Wire {
    /// The JSON.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("JSON values can be written")
    }
}

/// JSON with every character outside ASCII as `\uXXXX`, as Python's `json` writes it by default.
#[must_use]
pub fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            text.push(c);
        } else {
            let mut units = [0; 2];
            text.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

/// Whether a time is written with its zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// As in the Events API's sample.
    Unsaid,
    /// With `+00:00`, as Python's `str(datetime)` writes an aware one.
    Utc,
}

/// A time as the sender writes it: Python's `str(datetime)`, which leaves the fraction out when there are no
/// microseconds.
#[must_use]
pub fn stamp(time: jiff::civil::DateTime, zone: Zone) -> String {
    let mut text = time.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let micros = time.subsec_nanosecond() / 1_000;
    if micros != 0 {
        text.push_str(&format!(".{micros:06}"));
    }
    if zone == Zone::Utc {
        text.push_str("+00:00");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_time_has_the_three_forms_of_the_sample_sender() {
        let with = date(2022, 9, 14).at(3, 3, 44, 456_537_000);
        let without = date(2022, 9, 14).at(3, 3, 44, 0);
        for (time, zone, text) in [
            (with, Zone::Unsaid, "2022-09-14 03:03:44.456537"),
            (without, Zone::Unsaid, "2022-09-14 03:03:44"),
            (with, Zone::Utc, "2022-09-14 03:03:44.456537+00:00"),
            (without, Zone::Utc, "2022-09-14 03:03:44+00:00"),
            (date(2022, 9, 14).at(3, 3, 44, 7_000), Zone::Unsaid, "2022-09-14 03:03:44.000007"),
        ] {
            assert_eq!(stamp(time, zone), text);
        }
    }

    #[test]
    fn escaped_json_says_the_same_in_ascii() {
        let json = r#"{"name":"Zoë's 笔记本 🧰"}"#;
        let ascii = escaped(json);
        assert!(ascii.is_ascii(), "{ascii}");
        let (a, b): (Value, Value) =
            (serde_json::from_str(json).expect("JSON"), serde_json::from_str(&ascii).expect("JSON"));
        assert_eq!(a, b);
    }

    #[test]
    fn absent_is_not_null() {
        let wire = Wire { id: Some(675.into()), loanee: Some(Value::Null), ..Wire::default() };
        assert_eq!(wire.json(), r#"{"id":675,"loanee":null}"#);
    }
}
