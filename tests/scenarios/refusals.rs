//! Lines that are no scenarios: the answer says what is wrong, and where.

use super::verdict;
use serde_json::{Value, json};

fn scenario() -> Value {
    json!({
        "scenario": "a", "task": { "id": "t1", "desired_state": "running", "status": { "State": "assigned" } },
        "policy": {}, "controller": { "prepare": [{ "error": { "message": "m", "kind": "failure" } }] },
        "script": [{ "at_ms": 1, "update": { "version": 2 } }, { "at_ms": 2, "close": true }],
        "until_ms": 5,
    })
}

/// A scenario with another value there is refused, in words that hold all these.
#[track_caller]
fn refused(pointer: &str, value: Value, words: &[&str]) {
    let mut line = scenario();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    match line.pointer_mut(parent).unwrap() {
        Value::Array(values) => values[field.parse::<usize>().unwrap()] = value,
        object => object[field] = value,
    }
    answered(&line.to_string(), words);
}

/// The same without that field.
#[track_caller]
fn missing(pointer: &str, words: &[&str]) {
    let mut line = scenario();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    line.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
    answered(&line.to_string(), words);
}

#[track_caller]
fn answered(line: &str, words: &[&str]) {
    let output = verdict::printed(line);
    let answer: Value = serde_json::from_str(&output).unwrap();
    let error = answer["error"].as_str().unwrap_or_else(|| panic!("{output}"));
    assert!(error.starts_with("line 1: column "), "{error}");
    for word in words {
        assert!(error.contains(word), "{word} is not in: {error}");
    }
}

#[test]
fn the_scenario_that_the_others_are_made_of_is_one() {
    assert!(verdict::printed(&scenario().to_string()).contains("\"trace\""));
}

#[test]
fn an_invalid_policy_is_refused_with_its_field_and_value() {
    refused("/policy/retry_factor", json!(0.5), &["policy", "retry_factor is 0.5", "at least 1"]);
    refused("/policy/retry_factor", json!(-1), &["policy", "retry_factor is -1"]);
    refused("/policy/retry_jitter", json!(2), &["policy", "retry_jitter is 2", "from 0 to 1"]);
    refused("/policy/retry_jitter", json!(-0.1), &["policy", "retry_jitter is -0.1"]);
    refused("/policy/retry_factor", json!("2"), &["policy.retry_factor", "string"]);
    refused("/policy/retry_initial_ms", json!(-1), &["policy.retry_initial_ms", "-1"]);
    refused("/policy/prepare_deadline_ms", json!(1.5), &["policy.prepare_deadline_ms", "1.5"]);
    refused("/policy/shutdown_grace_ms", json!(-5), &["policy.shutdown_grace_ms", "-5"]);
    refused("/policy/retry_max_ms", Value::Null, &["policy.retry_max_ms", "null"]);
}

#[test]
fn a_factor_that_is_not_finite_is_refused() {
    let line =
        scenario().to_string().replace("\"policy\":{}", "\"policy\":{\"retry_factor\":1e999}");
    answered(&line, &["number out of range"]);
}

#[test]
fn negative_times_are_refused() {
    refused("/until_ms", json!(-1), &["until_ms", "-1"]);
    refused(
        "/controller/prepare",
        json!([{ "takes_ms": -3 }]),
        &["controller.prepare[0].takes_ms", "-3"],
    );
    refused("/script/0", json!({ "at_ms": -2, "close": true }), &["script[0]", "-2"]);
}

#[test]
fn an_unknown_action_or_none_is_refused() {
    // An unknown field is ignored: what is wrong is that none of these is there.
    let words = ["script[0]", "update", "remove", "close"];
    refused("/script/0", json!({ "at_ms": 1, "restart": true }), &words);
    refused("/script/0", json!({ "at_ms": 1 }), &words);
}

#[test]
fn an_unknown_kind_or_state_is_refused() {
    let kind = json!([{ "error": { "message": "m", "kind": "oops" } }]);
    refused("/controller/prepare", kind, &["controller.prepare[0].error.kind", "oops", "canceled"]);
    refused("/task/desired_state", json!("Running"), &["task.desired_state", "Running"]);
    refused("/task/status", json!({ "State": "completed" }), &["task.status.State", "completed"]);
    refused("/script/0/update/desired_state", json!("up"), &["script[0]", "up"]);
}

#[test]
fn missing_fields_are_named_with_what_they_are_missing_in() {
    missing("/scenario", &["scenario"]);
    missing("/task", &["task"]);
    missing("/until_ms", &["until_ms"]);
    missing("/task/id", &["task", "id"]);
    missing("/task/desired_state", &["task", "desired_state"]);
    missing("/task/status", &["task", "status"]);
    missing("/task/status/State", &["task.status", "State"]);
    missing("/script/0/at_ms", &["script[0]", "at_ms"]);
    missing("/controller/prepare/0/error/kind", &["controller.prepare[0].error", "kind"]);
    missing("/controller/prepare/0/error/message", &["controller.prepare[0].error", "message"]);
}

#[test]
fn a_value_that_is_not_an_object_is_refused() {
    for line in ["[]", "1", "{", "{} {}", "nonsense"] {
        answered(line, &[]);
    }
    refused("/task", json!([]), &["task"]);
    refused("/controller/prepare", json!({}), &["controller.prepare"]);
    refused("/script", json!({}), &["script"]);
}
