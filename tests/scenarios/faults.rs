//! What generated scenarios have found in the driver and in the program, as
//! small as they could be made.

use super::verdict;
use serde_json::{Value, json};

/// The scenario ends, and keeps every rule.
#[track_caller]
fn keeps_every_rule(task: &Value, policy: &Value, controller: &Value, script: &Value, until: u64) {
    let scenario = json!({
        "scenario": 1, "task": task, "policy": policy, "controller": controller,
        "script": script, "until_ms": until,
    });
    if let Err(violation) = verdict::of(&scenario) {
        panic!("{violation}");
    }
}

fn task(state: &str, desired: &str) -> Value {
    json!({ "id": "t1", "desired_state": desired, "status": { "State": state } })
}

#[test]
fn a_removal_that_is_retried_does_not_spin_on_the_grace_of_the_shutdown() {
    keeps_every_rule(
        &task("running", "shutdown"),
        &json!({ "retry_initial_ms": 20, "retry_jitter": 0.0, "shutdown_grace_ms": 7 }),
        &json!({
            "shutdown": [{ "takes_ms": null }],
            "remove": [{ "error": { "message": "in use", "kind": "failure", "temporary": true } }, {}],
        }),
        &json!([{ "at_ms": 5, "remove": true }]),
        100,
    );
}

#[test]
fn requests_after_a_removal_are_ignored_and_not_refused() {
    keeps_every_rule(
        &task("running", "running"),
        &json!({ "retry_jitter": 0.0 }),
        &json!({ "remove": [{ "takes_ms": 30 }] }),
        &json!([{ "at_ms": 10, "remove": true }, { "at_ms": 20, "update": { "id": "t2" } }]),
        100,
    );
}

#[test]
fn a_driver_has_not_ended_while_close_is_in_flight() {
    keeps_every_rule(
        &task("running", "running"),
        &json!({ "retry_jitter": 0.0 }),
        &json!({ "close": [{ "takes_ms": 30 }] }),
        &json!([{ "at_ms": 10, "close": true }]),
        20,
    );
}

#[test]
fn a_request_comes_before_a_deadline_even_at_the_beginning() {
    keeps_every_rule(
        &task("preparing", "running"),
        &json!({ "retry_jitter": 0.0, "prepare_deadline_ms": 0 }),
        &json!({ "prepare": [{ "error": { "message": "cut", "kind": "failure", "temporary": true } }] }),
        &json!([{ "at_ms": 0, "update": { "desired_state": "shutdown" } }]),
        10,
    );
}

#[test]
fn a_retry_that_became_due_during_an_update_follows_at_once() {
    keeps_every_rule(
        &task("starting", "running"),
        &json!({ "retry_initial_ms": 1, "retry_factor": 1.0, "retry_jitter": 0.0 }),
        &json!({
            "start": [{ "takes_ms": 6, "error": { "message": "busy", "kind": "failure", "temporary": true } }],
            "update": [{ "takes_ms": 5 }],
        }),
        &json!([
            { "at_ms": 1, "update": { "version": 2 } },
            { "at_ms": 11, "update": { "desired_state": "ready" } },
        ]),
        11,
    );
}

#[test]
fn a_delay_of_zero_stays_the_shortest_delay() {
    keeps_every_rule(
        &task("running", "running"),
        &json!({ "retry_initial_ms": 0, "retry_factor": 10.0, "retry_jitter": 0.0 }),
        &json!({ "wait": [{ "error": { "message": "cut", "kind": "canceled" } }] }),
        &json!([]),
        320,
    );
}
