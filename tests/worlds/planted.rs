//! Right traces that were made wrong: the checker finds each wrong entry under the
//! number of its rule.

use super::{recorded, verdict};
use serde_json::{Value, json};

/// What the program prints for a world, to be changed.
struct Tampered {
    world: Value,
    printed: Value,
}

/// A recorded world whose trace is right.
fn right(name: &str) -> Tampered {
    right_world(recorded::named(name))
}

#[track_caller]
fn right_world(world: Value) -> Tampered {
    let output = verdict::printed(&world.to_string());
    let report = verdict::judge(&world, &output);
    assert!(report.is_empty(), "{}", report.text());
    Tampered { world, printed: serde_json::from_str(&output).expect("JSON") }
}

/// A world with one definition, A.
fn plain(lists: &Value, script: &Value) -> Value {
    let policy = json!({ "retry_initial_ms": 1_000, "retry_max_ms": 5_000, "retry_jitter": 0.0 });
    json!({
        "world": "plain", "policy": policy, "definitions": { "A": lists, "B": {} },
        "script": script, "until_ms": 100_000,
    })
}

fn a_runs() -> Value {
    json!([{ "id": "a", "definition": "A" }])
}

/// Whether an entry has all these fields.
fn has(entry: &Value, fields: &Value) -> bool {
    fields.as_object().unwrap().iter().all(|(name, value)| entry[name] == *value)
}

impl Tampered {
    fn trace(&mut self) -> &mut Vec<Value> {
        self.printed["trace"].as_array_mut().unwrap()
    }

    /// The place of the first entry with these fields.
    #[track_caller]
    fn at(&mut self, fields: &Value) -> usize {
        let found = self.trace().iter().position(|entry| has(entry, fields));
        found.unwrap_or_else(|| panic!("no entry has {fields}: {}", self.printed))
    }

    #[track_caller]
    fn entry(&mut self, fields: &Value) -> &mut Value {
        let place = self.at(fields);
        &mut self.trace()[place]
    }

    /// Every entry with these fields is gone.
    #[track_caller]
    fn without(mut self, fields: &Value) -> Self {
        self.at(fields);
        self.trace().retain(|entry| !has(entry, fields));
        self
    }

    /// Such an entry comes after the first one with these fields, at the same time.
    #[track_caller]
    fn with(mut self, after: &Value, entry: Value) -> Self {
        let place = self.at(after);
        let mut entry = entry;
        entry["at_ms"] = self.trace()[place]["at_ms"].clone();
        self.trace().insert(place + 1, entry);
        self
    }

    /// The call of an operation that returns at once comes there.
    #[track_caller]
    fn with_call(self, after: &Value, call: &Value) -> Self {
        let event = |event: &str| {
            let mut entry = call.clone();
            entry["event"] = json!(event);
            entry
        };
        self.with(after, event("return")).with(after, event("call"))
    }

    #[track_caller]
    fn breaks(self, rule: u8) {
        let report = verdict::judge(&self.world, &self.printed.to_string());
        assert!(report.breaks(rule), "rule {rule} is not broken, but: {}", report.text());
    }
}

fn call(operation: &str) -> Value {
    json!({ "event": "call", "operation": operation })
}

fn returned(operation: &str) -> Value {
    json!({ "event": "return", "operation": operation })
}

fn of(operation: &str) -> Value {
    json!({ "operation": operation })
}

fn of_a(operation: &str) -> Value {
    json!({ "operation": operation, "id": "a", "definition": "A" })
}

#[test]
fn rule_0_a_return_that_comes_early_or_with_another_outcome_is_found() {
    let mut world = right("p1");
    world.entry(&returned("prepare"))["at_ms"] = json!(50);
    world.breaks(0);
    let mut world = right("p1");
    world.entry(&returned("start"))["error"] = json!("broken");
    world.breaks(0);
    right("p1").without(&returned("start")).breaks(0);
    right("p1").without(&json!({ "event": "script", "index": 1 })).breaks(0);
    let mut world = right("p1");
    world.entry(&json!({ "event": "committed" }))["ok"] = json!(false);
    world.breaks(0);
    let mut world = right("p2");
    world.entry(&json!({ "event": "opened", "at_ms": 1_060 }))["stored"] = json!({});
    world.breaks(0);
    let mut world = right("p16");
    world.entry(&returned("found"))["ids"] = json!([]);
    world.breaks(0);
}

#[test]
fn rule_1_two_operations_or_commits_at_once_are_found() {
    right("p1")
        .with(
            &call("prepare"),
            json!({ "event": "call", "operation": "inspect", "id": "a", "definition": "A" }),
        )
        .breaks(1);
    right("p1").with(&json!({ "event": "commit" }), json!({ "event": "commit" })).breaks(1);
    right("p1").with_call(&returned("close"), &of_a("inspect")).breaks(1);
    right("p1").without(&of("controller")).breaks(1);
}

#[test]
fn rule_2_an_operation_after_the_end_is_found() {
    right("p1").with_call(&returned("wait"), &of_a("start")).breaks(2);
    right("p13").with_call(&returned("shutdown"), &of_a("shutdown")).breaks(2);
}

#[test]
fn rule_3_a_state_that_falls_is_found() {
    let complete =
        json!({ "event": "status", "status": { "Message": "finished", "State": "complete" } });
    let running = json!({ "event": "status", "listener": "first", "id": "a", "status": { "Message": "started", "State": "running" } });
    right("p1").with(&complete, running).breaks(3);
    let mut world = right("p1");
    let removal = world.at(&json!({ "event": "script", "index": 1 }));
    let committed = world.trace().iter_mut().skip(removal).find(|e| e["event"] == "committed");
    committed.unwrap()["stored"]["a"]["status"]["State"] = json!("running");
    world.breaks(3);
}

#[test]
fn rule_4_a_status_that_is_not_durable_is_found() {
    let mut world = right("p1");
    let running =
        json!({ "event": "status", "status": { "Message": "started", "State": "running" } });
    let place = world.at(&running);
    world.trace().swap(place, place - 1);
    world.breaks(4);
}

#[test]
fn rule_5_an_operation_without_a_durable_reason_is_found() {
    right("p1").with_call(&returned("start"), &of_a("shutdown")).breaks(5);
    right("p1").with_call(&returned("start"), &of_a("remove")).breaks(5);
    let update = json!({ "operation": "update", "id": "a", "definition": "A", "offered": "B" });
    right("p1").with_call(&returned("prepare"), &update).breaks(5);
    let record = json!({ "event": "script", "index": 0 });
    right("p1").with_call(&record, &of_a("controller")).breaks(5);
}

#[test]
fn rule_6_an_ok_that_is_not_stored_is_found() {
    let mut world = right("p1");
    world.entry(&json!({ "event": "answer", "index": 0 }))["refused"] = json!(["a"]);
    world.breaks(6);
    let mut world = right("p13");
    world.entry(&json!({ "event": "answer", "index": 2 }))["refused"] = json!([]);
    world.breaks(6);
    let mut world = right("p1");
    let answer = world.entry(&json!({ "event": "answer", "index": 1 }));
    (answer["ok"], answer["error"]) = (Value::Null, json!("no"));
    world.breaks(6);
    let mut world = right("p14");
    let answer = world.entry(&json!({ "event": "answer", "index": 1 }));
    (answer["ok"], answer["error"]) = (json!(true), Value::Null);
    world.breaks(6);
    let mut world = right("p1");
    world.entry(&json!({ "event": "committed" }))["stored"]["a"]["desired_state"] = json!("ready");
    world.breaks(6);
}

#[test]
fn rule_6_a_message_of_which_a_crash_leaves_a_part_is_found() {
    let tasks = json!([{ "id": "a", "definition": "A" }, { "id": "b", "definition": "A" }]);
    let script = json!([{ "at_ms": 0, "assign": tasks }, { "at_ms": 5, "crash": { "restart_ms": 100_000 } }]);
    let mut world = plain(&json!({}), &script);
    world["store"] = json!([{ "takes_ms": 10, "written": "all" }]);
    let mut world = right_world(world);
    // The world ends before the restart: let the next agent begin, without b.
    let stored = world.printed["stored"]["a"].clone();
    world.world["script"][1]["crash"]["restart_ms"] = json!(5);
    let committed = world.entry(&json!({ "event": "committed" }));
    committed["stored"] = json!({ "a": stored });
    world.trace().push(json!({ "at_ms": 10, "event": "opened", "stored": { "a": stored } }));
    world.breaks(6);
}

#[test]
fn rule_7_what_a_failed_message_has_left_is_found() {
    let script = json!([{ "at_ms": 0, "assign": a_runs() }]);
    let mut world = plain(&json!({}), &script);
    world["store"] = json!([{ "fails": true, "written": "all" }]);
    // It ends before the agent writes again what it does not know.
    world["until_ms"] = json!(900);
    let answer = json!({ "event": "answer", "index": 0 });
    right_world(world.clone()).with_call(&answer, &of_a("controller")).breaks(7);
    // A later message is ok, and names nothing.
    let mut world = right_world(world);
    let later = json!({ "at_ms": 900, "update": [] });
    world.world["script"].as_array_mut().unwrap().push(later);
    world.trace().push(json!({ "at_ms": 900, "event": "script", "index": 1 }));
    world.trace().push(json!({ "at_ms": 900, "event": "answer", "index": 1, "ok": true }));
    world.breaks(7);
}

#[test]
fn rule_8_a_controller_of_another_definition_is_found() {
    let mut world = right("p4");
    let crash = world.at(&json!({ "event": "crashed" }));
    for entry in world.trace().iter_mut().skip(crash) {
        if entry["definition"] == "B" {
            entry["definition"] = json!("A");
        }
    }
    world.breaks(8);
}

#[test]
fn rule_9_a_definition_that_was_not_taken_or_not_stored_is_found() {
    let applied = |definition: &Value| {
        let mut world = right("p9");
        for entry in world.trace().iter_mut().filter(|entry| entry["event"] == "committed") {
            for stored in entry["stored"].as_object_mut().unwrap().values_mut() {
                stored["applied"] = definition.clone();
            }
        }
        for stored in world.printed["stored"].as_object_mut().unwrap().values_mut() {
            stored["applied"] = definition.clone();
        }
        world
    };
    applied(&json!("B")).breaks(9);
    applied(&Value::Null).breaks(9);
}

#[test]
fn rules_10_and_12_a_record_that_goes_before_its_task_is_removed_is_found() {
    right("p1").without(&of("remove")).breaks(10);
    right("p1").without(&of("remove")).breaks(12);
    // Nothing was made of it, and it was not removed.
    let script = json!([
        { "at_ms": 0, "assign": [{ "id": "a", "definition": "A", "desired_state": "shutdown" }] },
        { "at_ms": 1_000, "assign": [] },
    ]);
    right_world(plain(&json!({}), &script)).without(&of("remove")).breaks(12);
}

#[test]
fn rule_11_an_end_that_is_told_while_the_workload_runs_is_found() {
    let running =
        json!({ "event": "status", "status": { "Message": "started", "State": "running" } });
    let failed = json!({ "event": "status", "listener": "first", "id": "a", "status": { "State": "failed" } });
    right("p1").with(&running, failed).breaks(11);
    let error = json!({ "kind": "failure", "message": "broken" });
    let lists = json!({ "shutdown": [{ "error": error }], "wait": [{ "takes_ms": null }] });
    let down = json!([{ "id": "a", "definition": "A", "desired_state": "shutdown" }]);
    let script = json!([{ "at_ms": 0, "assign": a_runs() }, { "at_ms": 1_000, "assign": down }]);
    right_world(plain(&lists, &script)).without(&of("terminate")).breaks(11);
}

#[test]
fn rule_13_what_is_found_and_not_reconciled_is_found() {
    right("p1").without(&of("found")).breaks(13);
    right("p16").without(&of("reconcile")).breaks(13);
    let reconcile = json!({ "operation": "reconcile", "id": "a" });
    right("p1").with_call(&json!({ "event": "gone" }), &reconcile);
    right("p1").with_call(&returned("prepare"), &reconcile).breaks(13);
    let stray = json!({ "event": "call", "operation": "reconcile", "id": "z" });
    right("p16").with(&call("reconcile"), stray).breaks(13);
}

#[test]
fn rule_14_a_message_without_an_answer_is_found() {
    right("p1").without(&json!({ "event": "answer", "index": 1 })).breaks(14);
    right("p11").without(&json!({ "event": "answer", "index": 1 })).breaks(14);
    // `shut_down` is answered before all has ended.
    let mut world = right("p11");
    let place = world.at(&json!({ "event": "answer", "index": 1 }));
    let answer = world.trace().remove(place);
    world.with(&json!({ "event": "script", "index": 1 }), answer).breaks(14);
    // It shuts nothing down.
    let mut world = right("p11");
    let place = world.at(&json!({ "event": "script", "index": 1 }));
    world.trace().retain(|entry| entry["at_ms"].as_u64() <= Some(1_000));
    world.trace().truncate(place + 1);
    world.breaks(14);
}

#[test]
fn rule_15_an_agent_that_goes_on_after_its_close_is_found() {
    let script = json!([{ "at_ms": 0, "assign": a_runs() }, { "at_ms": 1_000, "close": true }]);
    right_world(plain(&json!({}), &script)).without(&json!({ "event": "ended" })).breaks(15);
    right("p10").without(&of("close")).breaks(15);
    right("p10").with_call(&json!({ "event": "answer", "index": 1 }), &of_a("inspect")).breaks(15);
    right("p1").with(&json!({ "event": "gone" }), json!({ "event": "ended" })).breaks(15);
}

#[test]
fn rule_16_a_listener_that_is_told_too_much_or_too_little_is_found() {
    let gone = json!({ "event": "gone", "listener": "first", "id": "a" });
    right("p1").without(&json!({ "event": "gone" })).breaks(16);
    right("p1").with(&gone, gone.clone()).breaks(16);
    right("p1").with(&returned("wait"), gone).breaks(16);
    right("p9").without(&json!({ "listener": "second", "at_ms": 1_000, "id": "b" })).breaks(16);
    let late = json!({ "event": "status", "listener": "second", "id": "a", "status": { "Message": "started", "State": "running" } });
    right("p9").with(&json!({ "event": "answer", "index": 3 }), late).breaks(16);
}

#[test]
fn rule_17_a_shutdown_that_is_not_called_at_once_is_found() {
    right("p13").without(&of("shutdown")).breaks(17);
    let script = json!([{ "at_ms": 0, "assign": [{ "id": "a", "definition": "A", "desired_state": "shutdown" }] }]);
    right_world(plain(&json!({}), &script)).without(&of("shutdown")).breaks(17);
}

#[test]
fn rule_18_a_definition_that_is_offered_again_or_on_the_way_to_the_end_is_found() {
    let again = json!({ "operation": "update", "id": "a", "definition": "B", "offered": "C" });
    let refused = json!({ "event": "return", "operation": "update", "offered": "C" });
    right("p4").with_call(&refused, &again).breaks(18);
    let update = json!({ "operation": "update", "id": "a", "definition": "A", "offered": "A" });
    right("p5")
        .with_call(&json!({ "event": "cancel", "operation": "shutdown" }), &update)
        .breaks(18);
}

#[test]
fn rule_19_what_stands_still_is_found() {
    let mut world = right("p9");
    world.printed["tasks"]["a"]["status"] = json!({ "State": "running" });
    world.breaks(19);
    let ended = json!({ "event": "status", "listener": "first", "id": "b", "at_ms": 2_500 });
    right("p9").without(&ended).breaks(19);
    // Nothing comes after `prepare`.
    let lists = json!({ "prepare": [{ "takes_ms": 100 }] });
    let mut world = right_world(plain(&lists, &json!([{ "at_ms": 0, "assign": a_runs() }])));
    let place = world.at(&returned("prepare"));
    world.trace().truncate(place + 1);
    let committed = world.trace().iter().rfind(|entry| entry["event"] == "committed").cloned();
    let stored = committed.unwrap()["stored"].clone();
    (world.printed["stored"], world.printed["tasks"]) = (stored.clone(), stored);
    world.breaks(19);
}

/// What an executor refuses for good.
fn refused() -> Value {
    json!({ "executor": [{ "error": { "kind": "failure", "message": "unknown kind of task" } }] })
}

#[test]
fn rule_2_a_task_that_an_agent_has_found_may_be_terminated_before_its_end() {
    let error = json!({ "kind": "failure", "message": "broken" });
    let script = json!([
        { "at_ms": 0, "assign": a_runs() },
        { "at_ms": 100, "crash": { "restart_ms": 10 } },
    ]);
    let mut world = plain(&json!({ "prepare": [{ "error": error }] }), &script);
    // The record is of a message that failed.
    world["store"] = json!([{ "fails": true, "written": "all" }]);
    right_world(world).with_call(&returned("terminate"), &of_a("terminate")).breaks(2);
}

#[test]
fn rule_7_only_a_message_that_failed_before_leaves_nothing() {
    let script = json!([
        { "at_ms": 0, "assign": a_runs() },
        { "at_ms": 1_000, "shut_down": true },
        { "at_ms": 1_050, "assign": [] },
    ]);
    let mut world = plain(&json!({ "shutdown": [{ "takes_ms": 100 }] }), &script);
    let failure = json!({ "from_ms": 1_050, "to_ms": 1_051, "fails": true, "written": "all" });
    world["store_at"] = json!([failure]);
    // `shut_down` is ok while the set that failed after it is still stored.
    let mut right = right_world(world.clone());
    let place = right.at(&json!({ "event": "answer", "index": 1 }));
    assert_eq!(right.trace()[place]["ok"], true);
    // What failed before it is not.
    world["script"][1] = json!({ "at_ms": 1_050, "update": [{ "id": "b", "definition": "A" }] });
    world["script"][2] = json!({ "at_ms": 1_060, "shut_down": true });
    let mut world = right_world(world);
    let place = world.at(&json!({ "event": "committed", "at_ms": 1_060 }));
    let stored = world.trace()[place]["stored"].as_object_mut().unwrap();
    assert_eq!(stored.remove("b"), Some(Value::Null));
    world.breaks(7);
}

#[test]
fn rule_9_only_a_commit_that_began_before_stores_what_no_controller_took() {
    let script = json!([
        { "at_ms": 0, "assign": [{ "id": "a", "definition": "X" }] },
        { "at_ms": 10, "assign": a_runs() },
        { "at_ms": 1_000, "assign": [] },
    ]);
    let mut world = plain(&json!({}), &script);
    world["definitions"]["X"] = refused();
    world["definitions"]["X"]["executor"][0]["takes_ms"] = json!(1_050);
    world["store_at"] = json!([{ "from_ms": 1_000, "to_ms": 1_001, "takes_ms": 100 }]);
    // A was taken at 1,050, while X was stored.
    let stored = json!({ "event": "committed", "at_ms": 1_100 });
    let mut world = right_world(world);
    let place = world.at(&stored);
    assert_eq!(world.trace()[place]["stored"]["a"]["applied"], "X");
    let mut next = world.trace().iter_mut().skip(place + 1);
    let next = next.find(|entry| has(entry, &stored) && entry["stored"]["a"].is_object());
    next.unwrap()["stored"]["a"]["applied"] = json!("X");
    world.breaks(9);
}

#[test]
fn rule_9_a_definition_that_was_refused_is_not_stored_beside_another_one() {
    let script = json!([
        { "at_ms": 0, "assign": [{ "id": "a", "definition": "X" }] },
        { "at_ms": 100, "assign": a_runs() },
    ]);
    let mut world = plain(&json!({}), &script);
    world["definitions"]["X"] = refused();
    let mut world = right_world(world);
    world.entry(&json!({ "event": "committed", "at_ms": 100 }))["stored"]["a"]["applied"] =
        json!("X");
    world.breaks(9);
}

#[test]
fn rule_11_what_was_found_is_no_workload_of_a_task_that_was_not_started() {
    let interrupted = json!([{ "error": { "kind": "canceled", "message": "interrupted" } }]);
    let b = json!([{ "id": "a", "definition": "B" }]);
    let script = json!([{ "at_ms": 0, "assign": a_runs() }, { "at_ms": 500, "assign": b }]);
    let mut world = plain(&json!({ "prepare": interrupted }), &script);
    world["definitions"]["B"]["prepare"] = interrupted;
    world["policy"]["prepare_deadline_ms"] = json!(700);
    world["found"] = json!({ "strays": ["a"] });
    right_world(world.clone());
    // It is started, and so is the workload its own.
    world["definitions"] = json!({ "A": {}, "B": {} });
    let running =
        json!({ "event": "status", "status": { "Message": "started", "State": "running" } });
    let failed = json!({ "event": "status", "listener": "first", "id": "a", "status": { "State": "failed" } });
    right_world(world).with(&running, failed).breaks(11);
}

#[test]
fn rule_14_a_shutdown_may_wait_for_the_next_task_of_an_id_that_is_to_end_too() {
    let next = json!([{ "id": "a", "definition": "B", "desired_state": "shutdown" }]);
    let script = json!([
        { "at_ms": 0, "assign": a_runs() },
        { "at_ms": 100, "shut_down": true },
        { "at_ms": 110, "assign": [] },
        { "at_ms": 120, "assign": next },
    ]);
    let mut world = plain(&json!({}), &script);
    world["definitions"]["B"]["executor"] = json!([{ "takes_ms": 500 }]);
    world["store_at"] = json!([{ "from_ms": 100, "to_ms": 101, "takes_ms": 100 }]);
    right_world(world).without(&json!({ "event": "answer", "index": 1 })).breaks(14);
}

#[test]
fn rules_14_and_17_only_a_deadline_that_is_over_has_ended_a_task() {
    let interrupted = json!([{ "error": { "kind": "canceled", "message": "interrupted" } }]);
    let down = json!([{ "id": "a", "definition": "A", "desired_state": "shutdown" }]);
    let script = json!([{ "at_ms": 0, "assign": a_runs() }, { "at_ms": 10, "assign": down }]);
    let mut world = plain(&json!({ "prepare": interrupted }), &script);
    world["policy"]["prepare_deadline_ms"] = json!(700);
    world["store_at"] = json!([{ "from_ms": 10, "to_ms": 11, "takes_ms": 900 }]);
    right_world(world.clone());
    let mut shut_down = world.clone();
    shut_down["script"][1] = json!({ "at_ms": 10, "shut_down": true });
    right_world(shut_down.clone());
    // It is not over yet.
    world["store_at"][0]["takes_ms"] = json!(600);
    right_world(world).without(&of("shutdown")).breaks(17);
    shut_down["store_at"][0]["takes_ms"] = json!(600);
    shut_down["definitions"]["A"]["shutdown"] = json!([{ "takes_ms": 50 }]);
    let mut early = right_world(shut_down);
    let place = early.at(&json!({ "event": "answer", "index": 1 }));
    let answer = early.trace().remove(place);
    early.with(&call("shutdown"), answer).breaks(14);
}
