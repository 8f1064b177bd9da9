//! What the generator promises, over streams long enough for every oddity to come.

use super::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};

const EVENTS: usize = 20_000;

fn life(seed: u64, oddities: Oddities) -> Vec<Event> {
    Life::new(LifeOptions { seed, assets: 100, oddities }).take(EVENTS).collect()
}

fn json(event: &Event) -> Value {
    serde_json::from_slice(&event.body).expect("every event is JSON")
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_makes_others() {
    for oddities in [Oddities::NONE, Oddities::SOME, Oddities::MANY] {
        assert_eq!(life(7, oddities), life(7, oddities));
        assert_ne!(life(7, oddities), life(8, oddities));
    }
}

#[test]
fn without_oddities_every_event_has_the_fields_of_the_sample_in_its_order() {
    let sample = include_str!("../../../tests/samples/asset-update.json");
    let order = |text: &str| {
        let keys = [
            "field_values",
            "created_at",
            "id",
            "location",
            "name",
            "assettype",
            "loanee",
            "updated_at",
            "event_type",
        ];
        keys.map(|key| text.find(&format!("\"{key}\"")).unwrap_or_else(|| panic!("{text} has no {key}")))
    };
    // The first `id` and `name` of the sample are those of a field value, so the order is taken from the others.
    let by_place = |text: &str| {
        let places = order(text);
        [places[0], places[1], places[3], places[5], places[6], places[7], places[8]].is_sorted()
    };
    assert!(by_place(sample), "the sample's own order");
    let sample: Value = serde_json::from_str(sample).expect("the sample is JSON");
    let sample_keys: BTreeSet<_> = sample.as_object().expect("an object").keys().cloned().collect();
    for event in life(1, Oddities::NONE) {
        let text = std::str::from_utf8(&event.body).expect("text");
        assert!(by_place(text), "{text}");
        let value = json(&event);
        let keys: BTreeSet<_> = value.as_object().expect("an object").keys().cloned().collect();
        assert_eq!(keys, sample_keys);
        assert_eq!(value["id"].to_string(), event.asset);
        for time in ["created_at", "updated_at"] {
            let text = value[time].as_str().expect("a time is text");
            assert!(text.len() == "2022-11-11 05:05:07.302773".len() || text.len() == 19, "{text}");
        }
    }
}

#[test]
fn an_asset_is_created_once_first_and_nothing_follows_its_end() {
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in life(2, Oddities::NONE) {
        let kind = json(&event)["event_type"].as_str().expect("a kind").to_owned();
        let of_asset = kinds.entry(event.asset).or_default();
        of_asset.push(kind);
        assert_eq!(u64::try_from(of_asset.len()).expect("few"), event.revision);
    }
    let mut ended = 0;
    for (asset, kinds) in &kinds {
        let (first, rest) = kinds.split_first().expect("an asset has events");
        assert_eq!(first, "asset.create", "{asset}");
        assert!(rest.iter().all(|kind| kind != "asset.create"), "{asset}");
        let end = kinds.iter().position(|kind| kind == "asset.delete");
        assert!(end.is_none_or(|end| end + 1 == kinds.len()), "{asset} lives on: {kinds:?}");
        ended += usize::from(end.is_some());
    }
    assert!(ended > 100, "{ended} assets ended");
}

#[test]
fn the_same_bytes_are_the_same_event_and_only_that() {
    for oddities in [Oddities::NONE, Oddities::SOME, Oddities::MANY] {
        let mut identities: HashMap<Vec<u8>, (String, u64)> = HashMap::new();
        let mut repeats = 0;
        for event in life(3, oddities) {
            let identity = (event.asset, event.revision);
            match identities.insert(event.body.to_vec(), identity.clone()) {
                Some(before) => {
                    assert_eq!(before, identity);
                    assert!(event.is_repeat, "{identity:?}");
                    repeats += 1;
                }
                // A repeat may come before what it repeats, when that is late.
                None => assert!(!event.is_repeat || oddities.late > 0, "{identity:?}"),
            }
        }
        assert_eq!(repeats > 0, oddities.repeat > 0, "{repeats} repeats");
    }
}

#[test]
fn on_its_worst_day_every_oddity_comes() {
    let events = life(4, Oddities::MANY);
    let seen = |what: &str, is: &dyn Fn(&str, &Value) -> bool| {
        let count = events
            .iter()
            .filter(|event| is(std::str::from_utf8(&event.body).expect("text"), &json(event)))
            .count();
        assert!(count > 50, "{what}: {count} of {EVENTS}");
    };
    seen("a field is null", &|_, value| value["location"].is_null() && value.get("location").is_some());
    seen("a field is missing", &|_, value| value.get("assettype").is_none());
    seen("an extra field", &|_, value| value.get("custom_attributes").is_some());
    seen("a name that is no text", &|_, value| value["name"].is_object());
    seen("a time that is no text", &|_, value| value["updated_at"].is_number());
    seen("an id as text", &|_, value| value["id"].is_string());
    seen("an id beyond 2^53", &|_, value| value["id"].as_u64().is_some_and(|id| id > BIG));
    seen("unicode as it is", &|text, _| !text.is_ascii());
    seen("unicode escaped", &|text, _| text.contains("\\u"));
    seen("a time without a fraction", &|_, value| {
        value["updated_at"].as_str().is_some_and(|t| t.len() == 19)
    });
    seen("a time with a zone", &|_, value| {
        value["updated_at"].as_str().is_some_and(|t| t.ends_with(".302773+00:00") || t.ends_with("+00:00"))
    });
    let late = events
        .windows(2)
        .filter(|pair| pair[0].asset == pair[1].asset && pair[0].revision > pair[1].revision);
    assert!(late.count() > 10, "events overtake others of their asset");
    assert!(events.iter().filter(|event| event.is_repeat).count() > 50);
}
