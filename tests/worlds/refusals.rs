//! Lines that are no worlds: the answer says what is wrong, and where.

use super::verdict;
use serde_json::{Value, json};

fn world() -> Value {
    json!({
        "world": "a", "policy": {}, "definitions": { "A": { "prepare": [{ "takes_ms": 1 }] } },
        "store": [{ "written": "all" }], "store_at": [{ "from_ms": 0, "to_ms": 1 }],
        "script": [{ "at_ms": 1, "assign": [{ "id": "a", "definition": "A" }] },
                   { "at_ms": 2, "update": [{ "remove": "a" }] }],
        "until_ms": 5,
    })
}

/// A world with another value there is refused, in words that hold all these.
#[track_caller]
fn refused(pointer: &str, value: Value, words: &[&str]) {
    let mut line = world();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    match line.pointer_mut(parent).unwrap() {
        Value::Array(values) => values[field.parse::<usize>().unwrap()] = value,
        object => object[field] = value,
    }
    let output = verdict::printed(&line.to_string());
    let answer: Value = serde_json::from_str(&output).unwrap();
    let error = answer["error"].as_str().unwrap_or_else(|| panic!("{output}"));
    assert!(error.starts_with("line 1: column "), "{error}");
    for word in words {
        assert!(error.contains(word), "{word} is not in: {error}");
    }
}

#[test]
fn the_world_that_the_others_are_made_of_is_one() {
    assert!(verdict::printed(&world().to_string()).contains("\"trace\""));
}

#[test]
fn a_script_entry_is_just_one_thing() {
    refused("/script/0", json!({ "at_ms": 1 }), &["script[0]", "expected one of `assign`"]);
    let two = json!({ "at_ms": 1, "close": true, "shut_down": true });
    refused("/script/1", two, &["script[1]", "expected one of `assign`"]);
    refused("/script/0", json!({ "at_ms": 1, "close": false }), &["script[0]", "only be true"]);
    refused("/script/0", json!({ "assign": [] }), &["script[0]", "at_ms"]);
    refused("/script/0", json!({ "at_ms": 1, "crash": {} }), &["script[0]", "restart_ms"]);
    refused("/script/0", json!({ "at_ms": 1, "listen": "first" }), &["script[0]", "`first`"]);
}

#[test]
fn a_task_has_an_id_and_a_known_definition() {
    refused("/script/0/assign/0/definition", json!("Q"), &["script[0]", "`a`", "`Q`"]);
    refused("/script/0/assign/0/desired_state", json!("up"), &["script[0]", "up"]);
    let both = json!({ "remove": "a", "id": "a", "definition": "A" });
    refused("/script/1/update/0", both, &["script[1]", "`remove` alone"]);
    refused("/script/1/update/0", json!({ "id": "a" }), &["script[1]", "`definition`"]);
}

#[test]
fn a_store_writes_none_all_or_a_number_of_changes() {
    refused("/store/0/written", json!("some"), &["store[0].written", "\"none\""]);
    refused("/store/0/written", json!(-1), &["store[0].written", "a number"]);
    refused("/store_at/0/from_ms", json!("x"), &["store_at[0]"]);
    refused("/definitions/A/prepare/0/takes_ms", json!(-1), &["definitions.A.prepare[0].takes_ms"]);
    refused("/policy/retry_factor", json!(0.5), &["retry_factor is 0.5"]);
    refused("/until_ms", Value::Null, &["until_ms"]);
}
