//! Tables of two texts and what differs, and bodies made to make the comparison dear.

use super::*;
use serde_json::Value;

#[test]
fn what_differs_is_pointed_at() {
    for (previous, json, expected) in [
        ("{}", "{}", &[][..]),
        (r#"{"a":1}"#, r#"{"a":2}"#, &["/a"]),
        (r#"{"a":1,"b":2}"#, r#"{"b":3,"a":2}"#, &["/b", "/a"]),
        // New, gone, and neither: null is not the same as nothing.
        (r#"{"a":1}"#, r#"{"b":1}"#, &["/b", "/a"]),
        (r#"{"a":null}"#, "{}", &["/a"]),
        ("{}", r#"{"a":null}"#, &["/a"]),
        // Objects key by key; what is gone at the end of its object.
        (r#"{"a":{"x":1,"y":2},"b":1}"#, r#"{"a":{"z":1,"y":2},"b":2}"#, &["/a/z", "/a/x", "/b"]),
        (r#"{"a":{"b":{"c":1,"d":1}}}"#, r#"{"a":{"b":{"c":2,"d":1}}}"#, &["/a/b/c"]),
        (r#"{"a":{"b":1}}"#, r#"{"a":null}"#, &["/a"]),
        (r#"{"a":{"b":1}}"#, r#"{"a":[1]}"#, &["/a"]),
        (r#"{"a":1}"#, r#"{"a":{"b":1}}"#, &["/a"]),
        ("{}", r#"{"a":{"b":1}}"#, &["/a"]),
        // Lists as a whole.
        (r#"{"a":[1,{"b":1}]}"#, r#"{"a":[1,{"b":2}]}"#, &["/a"]),
        (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, &["/a"]),
        (r#"{"a":[1]}"#, r#"{"a":[1,1]}"#, &["/a"]),
        (r#"{"a":[{"b":1,"c":1}]}"#, r#"{"a":[{"b":1}]}"#, &["/a"]),
        (r#"{"a":[{"b":1}]}"#, r#"{"a":[{"b":1,"c":1}]}"#, &["/a"]),
        // Digits count.
        (r#"{"a":1}"#, r#"{"a":1.0}"#, &["/a"]),
        (r#"{"a":1}"#, r#"{"a":"1"}"#, &["/a"]),
        (r#"{"a":123456789012345678901234567890}"#, r#"{"a":123456789012345678901234567891}"#, &["/a"]),
        (r#"{"a":true}"#, r#"{"a":false}"#, &["/a"]),
        (r#"{"a":""}"#, r#"{"a":" "}"#, &["/a"]),
        // Keys that have to be escaped, and the empty one.
        (
            r#"{"a/b":1,"m~n":1,"~1":1,"":1}"#,
            r#"{"a/b":2,"m~n":2,"~1":2,"":2}"#,
            &["/a~1b", "/m~0n", "/~01", "/"],
        ),
        (r#"{"\u0061":1}"#, r#"{"a":2}"#, &["/a"]),
    ] {
        assert_eq!(changed(previous, json), expected, "{previous} -> {json}");
    }
}

#[test]
fn another_spelling_is_no_change() {
    for (previous, json) in [
        (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
        (r#"{"a":1}"#, "\r\n{ \"a\"\t: 1 }\n"),
        (r#"{"a":{"x":1,"y":[1,{"z":2,"w":3}]}}"#, r#"{"a":{"y":[ 1, {"w":3, "z":2} ],"x":1}}"#),
        (r#"{"a":"é"}"#, r#"{"a":"\u00e9"}"#),
        (r#"{"\u0061":"a\/b"}"#, r#"{"a":"a/b"}"#),
        ("[1, 2]", "[1,2]"),
        ("1", " 1 "),
    ] {
        assert_eq!(changed(previous, json), [""; 0], "{previous} -> {json}");
        assert_eq!(changed(json, previous), [""; 0], "{json} -> {previous}");
    }
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    assert_eq!(changed(r#"{"a":1,"b":1,"a":2}"#, r#"{"a":2,"b":1}"#), [""; 0]);
    assert_eq!(changed(r#"{"a":2,"b":1}"#, r#"{"a":1,"b":1,"a":2}"#), [""; 0]);
    assert_eq!(changed(r#"{"a":1,"b":1,"a":2}"#, r#"{"a":1,"b":1,"a":3}"#), ["/a"]);
    assert_eq!(changed(r#"{"a":1,"a":2}"#, "{}"), ["/a"]);
    // What stands in the same place in both, with the key again elsewhere.
    assert_eq!(changed(r#"{"a":1,"b":1,"a":2}"#, r#"{"a":3,"b":1,"a":2}"#), [""; 0]);
    assert_eq!(changed(r#"{"a":1,"b":1}"#, r#"{"a":1,"b":1,"a":1}"#), [""; 0]);
    assert_eq!(changed(r#"{"a":1,"b":1,"a":2}"#, r#"{"a":1,"b":1}"#), ["/a"]);
    assert_eq!(changed("{}", r#"{"a":1,"a":2}"#), ["/a"]);
    assert_eq!(changed(r#"{"l":[{"a":1,"a":2}]}"#, r#"{"l":[{"a":2}]}"#), [""; 0]);
}

#[test]
fn what_is_no_object_has_changed_as_a_whole() {
    for (previous, json) in
        [("[]", "{}"), ("{}", "1"), ("", "{}"), ("{}", "{"), ("[1]", "[2]"), (r#"{"a":1}"#, r#"{"a":1}x"#)]
    {
        assert_eq!(changed(previous, json), [""], "{previous} -> {json}");
    }
}

#[test]
fn a_string_that_is_no_text_is_compared_as_it_is_spelled() {
    let lone = |more: &str| format!(r#"{{"a":"\ud800{more}","b":1}}"#);
    assert_eq!(changed(&lone(""), &lone("").replace(":1", ":2")), ["/b"]);
    assert_eq!(changed(&lone(""), &lone("x")), ["/a"]);
}

#[test]
fn an_object_with_more_changes_than_there_is_room_for_has_changed_as_a_whole() {
    let object = |keys: usize, value: usize| {
        let fields: Vec<_> = (0..keys).map(|n| format!("\"{n}\":{value}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    assert_eq!(changed(&object(POINTERS_MAX, 1), &object(POINTERS_MAX, 2)).len(), POINTERS_MAX);
    assert_eq!(changed(&object(POINTERS_MAX + 1, 1), &object(POINTERS_MAX + 1, 2)), [""]);
    assert_eq!(changed("{}", &object(100_000, 1)), [""]);
    assert_eq!(changed(&object(100_000, 1), "{}"), [""]);
    assert_eq!(changed(&object(100_000, 1), &object(100_001, 1)), ["/100000"]);
}

#[test]
fn many_pointers_below_a_long_key_do_not_multiply_it() {
    let long = "k".repeat(POINTERS_BYTES_MAX / 4);
    let object = |value: usize| {
        let fields: Vec<_> = (0..200).map(|n| format!("\"{n}\":{value}")).collect();
        format!("{{\"{long}\":{{{}}}}}", fields.join(","))
    };
    assert_eq!(changed(&object(1), &object(2)), [""]);
    let short = format!("{{\"{long}\":1}}");
    assert_eq!(changed(&short, "{}"), [format!("/{long}")]);
}

#[test]
fn objects_are_looked_into_down_to_a_depth() {
    let nested = |depth: usize, last: &str| format!("{}{last}{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    for (depth, pointer_depth) in
        [(1, 1), (DEPTH_MAX, DEPTH_MAX), (DEPTH_MAX + 1, DEPTH_MAX), (100, DEPTH_MAX)]
    {
        let found = changed(&nested(depth, "1"), &nested(depth, "2"));
        assert_eq!(found, ["/a".repeat(pointer_depth)], "{depth}");
    }
    // Above it space does not count, below it does.
    assert_eq!(changed(&nested(DEPTH_MAX, "1"), &nested(DEPTH_MAX, " 1")), [""; 0]);
    assert_eq!(changed(&nested(DEPTH_MAX + 1, "1"), &nested(DEPTH_MAX + 1, " 1")), ["/a".repeat(DEPTH_MAX)]);
    let lists = |depth: usize, last: &str| format!("{}{last}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(changed(&lists(DEPTH_MAX, "1"), &lists(DEPTH_MAX, " 1")), [""; 0]);
    assert_eq!(changed(&lists(DEPTH_MAX + 1, "1"), &lists(DEPTH_MAX + 1, " 1")), [""]);
    assert_eq!(changed(&lists(100_000, "1"), &lists(100_000, " 1")), [""]);
    assert_eq!(changed(&nested(100_000, "1"), &nested(100_000, "2")).len(), 1);
}

/// An object of few keys, in any order, some of which stand twice, with values of which many are the same.
fn any_object(random: &mut fastrand::Rng, depth: u32) -> String {
    let mut fields = String::new();
    for _ in 0..random.usize(0..5) {
        let key = ["a", "b", "c", r"\u0061", "d/"][random.usize(0..5)];
        let value = match random.u32(0..6) {
            0 if depth < 3 => any_object(random, depth + 1),
            1 if depth < 3 => format!("[{},1]", any_object(random, depth + 1)),
            2 => r#""x""#.to_owned(),
            3 => r#""\u0078""#.to_owned(),
            _ => random.u32(0..3).to_string(),
        };
        let (comma, space) = (if fields.is_empty() { "" } else { "," }, &"  "[random.usize(0..3)..]);
        fields.push_str(&format!("{comma}{space}\"{key}\":{space}{value}"));
    }
    format!("{{{fields}}}")
}

/// The same, found out by reading both and looking at every key.
fn plainly(old: &Value, new: &Value, at: &str, found: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
                let below = format!("{at}/{}", key.replace('/', "~1"));
                match (old.get(key), new.get(key)) {
                    (Some(old), Some(new)) => plainly(old, new, &below, found),
                    _ => found.push(below),
                }
            }
        }
        _ if old == new => {}
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn it_is_what_reading_both_and_looking_at_every_key_would_find() {
    let mut random = fastrand::Rng::with_seed(0x6368_616e);
    let mut differed = 0;
    for _ in 0..20_000 {
        let old = any_object(&mut random, 0);
        // Mostly the same text with one digit changed: as two states of an asset are.
        let new = match random.u32(0..4) {
            0 => any_object(&mut random, 0),
            1 => old.replacen('1', "2", 1),
            2 => old.replace('0', "2"),
            _ => old.replace(' ', ""),
        };
        let mut plain = Vec::new();
        let read = |json: &str| serde_json::from_str::<Value>(json).expect("it is JSON");
        plainly(&read(&old), &read(&new), "", &mut plain);
        let mut found = changed(&old, &new);
        plain.sort();
        found.sort();
        assert_eq!(found, plain, "{old} and {new}");
        differed += usize::from(!found.is_empty());
    }
    assert!(differed > 5_000, "only {differed} differed");
}
