//! A scenario for each rule, written by hand, and its whole trace.
//!
//! A trace is written one entry a line: when, what, and of what. A status is its
//! state, its message, and its error after an exclamation mark.

use super::verdict;
use serde_json::{Value, json};
use std::fmt::Write;

/// Runs a scenario, to which what never matters here is added, and compares.
#[track_caller]
fn check(scenario: &Value, trace: &str) {
    let mut whole = json!({
        "scenario": "by hand",
        "task": { "id": "t1", "desired_state": "running", "status": { "State": "running" } },
        "policy": { "retry_initial_ms": 100, "retry_max_ms": 300, "retry_factor": 2.0,
            "retry_jitter": 0.0, "shutdown_grace_ms": 1000 },
        "until_ms": 10_000,
    });
    for (field, value) in scenario.as_object().unwrap() {
        match (&mut whole[field], value) {
            (Value::Object(fields), Value::Object(more)) => fields.extend(more.clone()),
            (field, value) => *field = value.clone(),
        }
    }
    let output = verdict::printed(&whole.to_string());
    let expected: Vec<&str> =
        trace.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(shown(&output), expected, "{output}");
    // And the checker agrees with the hand.
    verdict::judge(&whole, &output).unwrap();
}

fn shown(output: &str) -> Vec<String> {
    let output: Value = serde_json::from_str(output).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |entry: &Value| {
        let mut line = format!("{} {}", entry["at_ms"], text(&entry["event"]));
        if let Some(operation) = entry["operation"].as_str() {
            write!(line, " {operation}").unwrap();
        }
        if let Some(error) = entry["error"].as_str() {
            write!(line, " ! {error}").unwrap();
        }
        if let Some(reason) = entry["reason"].as_str() {
            write!(line, " {reason}").unwrap();
        }
        if let Some(status) = entry.get("status") {
            write!(line, " {}", text(&status["State"])).unwrap();
            for (mark, field) in [(",", "Message"), (" !", "Err")] {
                if let Some(text) = status[field].as_str() {
                    write!(line, "{mark} {text}").unwrap();
                }
            }
            if let Some(code) = status["ContainerStatus"]["ExitCode"].as_i64() {
                write!(line, " ({code})").unwrap();
            }
        }
        line
    };
    output["trace"].as_array().unwrap().iter().map(line).collect()
}

fn temporary(message: &str) -> Value {
    json!({ "message": message, "kind": "failure", "temporary": true })
}

fn fatal(message: &str) -> Value {
    json!({ "message": message, "kind": "failure" })
}

#[test]
fn rule_1_one_operation_at_a_time_takes_a_task_to_its_end() {
    check(
        &json!({
            "task": { "status": { "State": "assigned" } },
            "controller": { "prepare": [{ "takes_ms": 100 }], "start": [{ "takes_ms": 10 }], "wait": [{ "takes_ms": 5 }] },
        }),
        "0 status accepted, accepted
         0 status preparing, preparing
         0 call prepare
         100 return prepare
         100 status ready, prepared
         100 status starting, starting
         100 call start
         110 return start
         110 status running, started
         110 call wait
         115 return wait
         115 status complete, finished",
    );
}

#[test]
fn rule_2_after_its_end_a_task_is_only_removed_and_closed() {
    check(
        &json!({
            "controller": { "wait": [{ "error": { "message": "died", "kind": "failure", "exit_code": 3 } }] },
            "script": [
                { "at_ms": 5, "update": { "version": 2 } },
                { "at_ms": 6, "update": { "desired_state": "shutdown" } },
                { "at_ms": 7, "remove": true },
            ],
        }),
        "0 call wait
         0 return wait ! died
         0 status failed ! died (3)
         7 call remove
         7 return remove
         7 call close
         7 return close
         7 ended",
    );
}

#[test]
fn rule_3_a_shutdown_reaches_a_waiting_retry_at_once() {
    check(
        &json!({
            "controller": { "wait": [{ "error": temporary("lost") }], "shutdown": [{ "takes_ms": 20 }] },
            "script": [{ "at_ms": 50, "update": { "desired_state": "shutdown", "version": 2 } }],
        }),
        "0 call wait
         0 return wait ! lost
         0 status running ! lost
         50 call shutdown
         70 return shutdown
         70 status shutdown, shutdown",
    );
}

#[test]
fn rule_4_the_grace_covers_all_the_attempts_of_a_shutdown() {
    check(
        &json!({
            "task": { "desired_state": "shutdown" },
            "policy": { "shutdown_grace_ms": 350 },
            "controller": { "shutdown": [{ "takes_ms": 50, "error": temporary("busy") }], "terminate": [{ "error": temporary("slow") }, { "takes_ms": 9 }] },
        }),
        "0 call shutdown
         50 return shutdown ! busy
         50 status running ! busy
         150 call shutdown
         200 return shutdown ! busy
         350 call terminate
         350 return terminate ! slow
         350 status running ! slow
         450 call terminate
         459 return terminate
         459 status shutdown, terminated",
    );
}

#[test]
fn rule_5_an_update_between_a_failure_and_its_retry_does_not_change_the_delay() {
    check(
        &json!({
            "task": { "status": { "State": "preparing" } },
            "controller": {
                "prepare": [{ "takes_ms": 40, "error": temporary("cut") }, {}],
                "update": [{ "takes_ms": 30 }, { "error": fatal("unsupported") }],
            },
            "script": [
                { "at_ms": 10, "update": { "version": 2 } },
                { "at_ms": 20, "update": { "version": 3 } },
                { "at_ms": 500, "update": { "version": 4 } },
            ],
        }),
        "0 call prepare
         40 return prepare ! cut
         40 status preparing ! cut
         40 call update
         70 return update
         140 call prepare
         140 return prepare
         140 status ready, prepared
         140 status starting, starting
         140 call start
         140 return start
         140 status running, started
         140 call wait
         500 cancel wait
         500 call update
         500 return update ! unsupported
         500 call wait",
    );
}

#[test]
fn rule_6_another_desired_state_interrupts_nothing() {
    check(
        &json!({
            "policy": { "shutdown_grace_ms": 100 },
            "controller": { "shutdown": [{ "takes_ms": null }] },
            "script": [
                { "at_ms": 10, "update": { "desired_state": "complete" } },
                { "at_ms": 20, "update": { "desired_state": "shutdown" } },
                { "at_ms": 60, "update": { "desired_state": "remove" } },
            ],
        }),
        "0 call wait
         20 cancel wait
         20 call shutdown
         120 cancel shutdown
         120 call terminate
         120 return terminate
         120 status shutdown, terminated",
    );
}

#[test]
fn rule_7_delays_grow_to_their_limit_and_begin_again_in_another_state() {
    check(
        &json!({
            "task": { "status": { "State": "preparing" } },
            "controller": {
                "prepare": [{ "error": temporary("a") }, { "error": temporary("a") }, { "error": temporary("a") }, {}],
                "start": [{ "error": { "message": "b", "kind": "canceled" } }, {}],
            },
        }),
        "0 call prepare
         0 return prepare ! a
         0 status preparing ! a
         100 call prepare
         100 return prepare ! a
         300 call prepare
         300 return prepare ! a
         600 call prepare
         600 return prepare
         600 status ready, prepared
         600 status starting, starting
         600 call start
         600 return start ! b
         700 call start
         700 return start
         700 status running, started
         700 call wait",
    );
}

#[test]
fn rule_8_dropping_run_leaves_the_state_unchanged() {
    check(
        &json!({
            "task": { "status": { "State": "starting", "Message": "starting" } },
            "controller": { "start": [{ "takes_ms": 100 }] },
            "script": [{ "at_ms": 99, "close": true }],
        }),
        "0 call start
         99 cancel start
         99 call close
         99 return close
         99 ended",
    );
}

#[test]
fn rule_9_a_removal_is_retried_until_the_agent_ends() {
    check(
        &json!({
            "controller": { "remove": [{ "error": temporary("in use") }, { "takes_ms": null }], "close": [{ "takes_ms": 5, "error": fatal("odd") }] },
            "script": [
                { "at_ms": 10, "remove": true },
                { "at_ms": 20, "update": { "desired_state": "shutdown" } },
                { "at_ms": 400, "close": true },
            ],
        }),
        "0 call wait
         10 cancel wait
         10 call remove
         10 return remove ! in use
         110 call remove
         400 cancel remove
         400 call close
         405 return close ! odd
         405 ended",
    );
}

#[test]
fn rule_10_a_start_that_takes_too_long_is_terminated_before_it_fails() {
    check(
        &json!({
            "task": { "status": { "State": "ready" } },
            "policy": { "start_deadline_ms": 250 },
            "controller": { "start": [{ "takes_ms": 50, "error": temporary("busy") }, { "takes_ms": null }], "terminate": [{ "takes_ms": 30 }] },
            "script": [{ "at_ms": 260, "update": { "desired_state": "shutdown" } }],
        }),
        "0 status starting, starting
         0 call start
         50 return start ! busy
         50 status starting, starting ! busy
         150 call start
         250 cancel start
         250 call terminate
         280 return terminate
         280 status failed, starting ! start: deadline of 250ms exceeded; last error: busy",
    );
}

#[test]
fn rule_11_an_update_for_another_task_or_a_lower_state_is_refused() {
    check(
        &json!({
            "script": [
                { "at_ms": 1, "update": { "id": "t2", "version": 2 } },
                { "at_ms": 2, "update": { "desired_state": "ready", "version": 2 } },
                { "at_ms": 3, "update": { "id": "t1", "desired_state": "running", "version": 1 } },
            ],
        }),
        "0 call wait
         1 refused the update is for the task `t2`, and this is `t1`
         2 refused the desired state ready is lower than running: expected the same or a higher one",
    );
}

#[test]
fn simultaneous_events_are_handled_in_the_order_result_handle_deadline_retry() {
    check(
        &json!({
            "task": { "status": { "State": "preparing" } },
            "policy": { "prepare_deadline_ms": 100, "retry_max_ms": 50 },
            "controller": { "prepare": [{ "error": temporary("a") }, { "takes_ms": 50, "error": temporary("b") }], "update": [{ "takes_ms": 50 }] },
            "script": [{ "at_ms": 100, "update": { "version": 2 } }],
        }),
        "0 call prepare
         0 return prepare ! a
         0 status preparing ! a
         50 call prepare
         100 return prepare ! b
         100 status preparing ! b
         100 call update
         100 cancel update
         100 status rejected ! prepare: deadline of 100ms exceeded; last error: b",
    );
}
