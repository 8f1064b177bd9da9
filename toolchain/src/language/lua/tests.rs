//! The SDK's JSON, in this machine's own Lua: values to text and back.

use mlua::{Lua, LuaOptions, StdLib};

/// Runs a chunk that has `json`, and says what it returns as text.
fn run(chunk: &str) -> Result<String, String> {
    let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH | StdLib::UTF8;
    let lua = Lua::new_with(libraries, LuaOptions::default()).expect("Lua starts");
    let json: mlua::Table = lua.load(include_str!("../../../../sdk/lua/json.lua")).eval().expect("it loads");
    lua.globals().set("json", json).expect("a global");
    lua.load(chunk).eval::<String>().map_err(|error| error.to_string())
}

#[test]
fn a_value_is_written_as_short_as_json_allows() {
    for (value, text) in [
        ("nil", "null"),
        ("json.null", "null"),
        ("true", "true"),
        ("9007199254740993", "9007199254740993"),
        ("0.1", "0.1"),
        ("1/3", "0.3333333333333333"),
        ("1e300", "1e+300"),
        (r#""</é\u{1F600}\127\0\b\f\n\r\t\31\"\\""#, "\"</é😀\u{7f}\\u0000\\b\\f\\n\\r\\t\\u001f\\\"\\\\\""),
        ("{}", "{}"),
        ("json.array {}", "[]"),
        ("{1, {2}, json.null}", "[1,[2],null]"),
        (r#"{b = 1, a = {c = "d"}}"#, r#"{"a":{"c":"d"},"b":1}"#),
        (r#"json.object {"b", 1, "a", false}"#, r#"{"b":1,"a":false}"#),
    ] {
        assert_eq!(run(&format!("return json.encode({value})")).as_deref(), Ok(text), "{value}");
    }
}

#[test]
fn what_json_has_not_is_not_written() {
    for (value, why) in [
        ("0/0", "JSON has no"),
        ("math.huge", "JSON has no inf"),
        ("function() end", "JSON has no function"),
        (r#""\xff""#, "not UTF-8"),
        ("{[true] = 1}", "a field's name in JSON is text, not a boolean"),
        ("(function() local t = {} t.t = t return t end)()", "too deep"),
    ] {
        match run(&format!("return json.encode({value})")) {
            Ok(text) => assert_eq!(text, why, "{value}"),
            Err(error) => assert!(error.contains(why), "{value}: {error}"),
        }
    }
}

#[test]
fn a_text_is_read_and_written_again() {
    for (text, again) in [
        (
            r#" { "a" : [ 1 , -2.5e3 , true , false , null , "" ] , "b" : { } } "#,
            r#"{"a":[1,-2500,true,false,null,""],"b":{}}"#,
        ),
        (r#""\u00e9\ud83d\ude00\ud83d\/\b\f\n\r\t\"\\""#, "\"é😀\u{fffd}/\\b\\f\\n\\r\\t\\\"\\\\\""),
        ("[]", "[]"),
        ("0", "0"),
        ("-0.0", "-0"),
        ("9223372036854775807", "9223372036854775807"),
        ("18446744073709551616", "1.8446744073709552e+19"),
    ] {
        let chunk = format!("return json.encode(json.decode([==[{text}]==]))");
        assert_eq!(run(&chunk).as_deref(), Ok(again), "{text}");
    }
}

#[test]
fn what_is_no_json_is_an_error_that_says_where() {
    for (text, why) in [
        ("", "ends too soon"),
        ("[1", "ends too soon"),
        ("\"a", "ends too soon"),
        ("[1,]", "from byte 4"),
        ("{\"a\" 1}", "from byte 6"),
        ("{a:1}", "from byte 2"),
        ("01", "from byte 1"),
        ("1.", "from byte 1"),
        ("+1", "from byte 1"),
        ("nul", "from byte 1"),
        ("1 2", "from byte 3"),
        ("\"\\x\"", "from byte 2"),
        ("\"\t\"", "from byte 2"),
        (&"[".repeat(200), "too deep"),
    ] {
        let error = run(&format!("return json.encode(json.decode([==[{text}]==]))")).expect_err(text);
        assert!(error.contains(why), "{text}: {error}");
    }
}
