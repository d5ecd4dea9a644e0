//! Worlds by chance: a few tasks, many messages, and each kind of trouble in one
//! world of ten to four.

use serde_json::{Map, Value, json};

/// `SplitMix64`: the same numbers on every machine, from now on.
pub(crate) struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn percent(&mut self, of_a_hundred: u64) -> bool {
        self.below(100) < of_a_hundred
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let n = self.below(from.len() as u64);
        from[usize::try_from(n).expect("an index")].clone()
    }
}

const IDS: [&str; 3] = ["a", "b", "c"];

/// The world of this seed.
pub(crate) fn world(seed: u64) -> Value {
    let mut chance = Chance(seed);
    let policy = policy(&mut chance);
    let definitions = definitions(&mut chance);
    let script = script(&mut chance);
    let last = script.last().map_or(0, |entry| entry["at_ms"].as_u64().unwrap_or_default());
    let mut world = json!({
        "world": format!("seed {seed}"),
        "policy": policy,
        "definitions": definitions,
        "script": script,
        "until_ms": last + 90_000,
        "seed": chance.below(1_000),
    });
    if chance.percent(30) {
        let count = chance.below(12);
        world["store"] = (0..=count).map(|_| commit(&mut chance)).collect();
    }
    if chance.percent(25) {
        let count = chance.pick(&[1, 1, 2]);
        world["store_at"] = (0..count).map(|_| window(&mut chance, last)).collect();
    }
    if chance.percent(25) {
        world["found"] = found(&mut chance);
    }
    world
}

fn policy(chance: &mut Chance) -> Value {
    json!({
        "retry_initial_ms": chance.pick(&[100, 1_000]),
        "retry_max_ms": chance.pick(&[1_000, 5_000]),
        "retry_factor": chance.pick(&[1.0, 2.0]),
        "retry_jitter": 0.0,
        "prepare_deadline_ms": chance.pick(&[json!(null), json!(null), json!(700)]),
        "start_deadline_ms": chance.pick(&[json!(null), json!(null), json!(700)]),
        "shutdown_grace_ms": chance.pick(&[json!(100), json!(2_000), json!(2_000), json!(null)]),
    })
}

fn definitions(chance: &mut Chance) -> Value {
    // In some worlds most calls are plain, so that what is left can be seen.
    let trouble = chance.pick(&[5, 15, 40]);
    let mut definitions = Map::new();
    for name in ["A", "B", "C"] {
        let mut lists = Map::new();
        for operation in [
            "executor",
            "prepare",
            "start",
            "wait",
            "shutdown",
            "terminate",
            "remove",
            "close",
            "update",
            "inspect",
        ] {
            let likely = match operation {
                "executor" | "close" | "inspect" => trouble / 2,
                _ => trouble,
            };
            if chance.percent(likely) {
                let count = 1 + chance.below(3);
                let calls = (0..count).map(|n| call(chance, operation, n + 1 == count)).collect();
                lists.insert(operation.to_owned(), calls);
            }
        }
        definitions.insert(name.to_owned(), Value::Object(lists));
    }
    let refusal = json!({ "kind": "failure", "message": "unknown kind of task" });
    let update = match chance.below(3) {
        0 => json!([{ "takes_ms": chance.pick(&[0, 10]) }]),
        _ => json!([{ "error": { "kind": "update_rejected", "message": "not that" } }]),
    };
    let takes = chance.pick(&[0, 0, 0, 50, 1_000]);
    definitions.insert(
        "X".to_owned(),
        json!({ "executor": [{ "takes_ms": takes, "error": refusal }], "update": update }),
    );
    Value::Object(definitions)
}

fn call(chance: &mut Chance, operation: &str, last: bool) -> Value {
    let mut call = json!({ "takes_ms": chance.pick(&[0, 0, 1, 10, 50, 500, 3_000]) });
    let never = if operation == "wait" { 40 } else { 7 };
    if chance.percent(never) {
        call["takes_ms"] = Value::Null;
    }
    let fails = if last { 20 } else { 45 };
    if operation != "inspect" && chance.percent(fails) {
        call["error"] = error(chance, operation);
    }
    let has_effect = ["prepare", "start", "shutdown", "terminate", "remove"];
    if has_effect.contains(&operation) && chance.percent(20) {
        call["took_effect"] = json!(true);
    }
    call
}

fn error(chance: &mut Chance, operation: &str) -> Value {
    let flaky = json!({ "kind": "failure", "message": "flaky", "temporary": true });
    match (operation, chance.below(10)) {
        ("wait", 0..6) => json!({ "kind": "failure", "message": "exit 3", "exit_code": 3 }),
        ("update", 0..=3) => json!({ "kind": "update_rejected", "message": "not that" }),
        ("shutdown" | "terminate" | "prepare" | "start" | "remove", 0..=3) => {
            json!({ "kind": "canceled", "message": "interrupted" })
        }
        ("executor", 0..7) => flaky,
        (_, 4..6) => json!({ "kind": "failure", "message": "broken" }),
        _ => flaky,
    }
}

fn commit(chance: &mut Chance) -> Value {
    let mut commit = json!({ "takes_ms": chance.pick(&[0, 0, 0, 10, 100, 1_000]) });
    if chance.percent(25) {
        commit["fails"] = json!(true);
    }
    if chance.percent(35) {
        commit["written"] = json!(chance.pick(&["none", "all", "all"]));
    }
    if chance.percent(2) {
        commit["takes_ms"] = Value::Null;
    }
    commit
}

fn window(chance: &mut Chance, last: u64) -> Value {
    let from = chance.below(last + 1);
    let mut window = commit(chance);
    window["from_ms"] = json!(from);
    window["to_ms"] = json!(from + chance.pick(&[1, 100, 1_000, 5_000]));
    if chance.percent(50) {
        window["fails"] = json!(true);
    }
    window
}

fn found(chance: &mut Chance) -> Value {
    let strays: Vec<_> = ["a", "b", "c", "z"].into_iter().filter(|_| chance.percent(40)).collect();
    let mut call = json!({ "takes_ms": chance.pick(&[0, 0, 10, 50, 1_000]) });
    if chance.percent(15) {
        call["error"] = json!({ "kind": "failure", "message": "cannot look" });
    }
    let mut reconcile = Map::new();
    for id in &strays {
        let count = 1 + chance.below(2);
        let calls = (0..count).map(|_| {
            let mut call = json!({ "takes_ms": chance.pick(&[0, 10, 100, 1_000, 10_000]) });
            match chance.below(10) {
                0 => call["takes_ms"] = Value::Null,
                1..4 => call["error"] = json!({ "kind": "failure", "message": "stuck" }),
                _ => {}
            }
            call
        });
        reconcile.insert((*id).to_owned(), calls.collect());
    }
    let calls = if chance.percent(50) { json!([call, {}]) } else { json!([call]) };
    json!({ "strays": strays, "calls": calls, "reconcile": reconcile })
}

fn script(chance: &mut Chance) -> Vec<Value> {
    let (mut at, mut script) = (0, Vec::new());
    let (crashes, listens, closes) = (chance.percent(30), chance.percent(20), chance.percent(12));
    if chance.percent(30) {
        at = chance.pick(&[1, 100, 500, 1_000]);
    }
    let count = 2 + chance.below(9);
    for n in 0..count {
        script.push(match chance.below(100) {
            0..12 if crashes && n > 0 => {
                json!({ "at_ms": at, "crash": { "restart_ms": chance.pick(&[0, 10, 10, 1_000, 5_000]) } })
            }
            12..17 if listens => json!({ "at_ms": at, "listen": chance.pick(&["second", "third"]) }),
            17..21 if listens => json!({ "at_ms": at, "unlisten": chance.pick(&["second", "third"]) }),
            21..25 if closes => json!({ "at_ms": at, "close": true }),
            25..29 => json!({ "at_ms": at, "shut_down": true }),
            29..65 => json!({ "at_ms": at, "assign": full_set(chance) }),
            _ => json!({ "at_ms": at, "update": changes(chance) }),
        });
        at += chance.pick(&[0, 0, 1, 1, 10, 50, 100, 500, 1_000, 1_000, 3_000]);
    }
    if closes && chance.percent(50) {
        script.push(json!({ "at_ms": at, "close": true }));
        script.push(
            json!({ "at_ms": at + chance.pick(&[0, 500, 5_000]), "assign": full_set(chance) }),
        );
        at += 5_000;
    }
    if crashes && chance.percent(60) {
        script.push(json!({ "at_ms": at, "crash": { "restart_ms": 10 } }));
        if chance.percent(50) {
            script.push(json!({ "at_ms": at + 1_000, "assign": full_set(chance) }));
        }
    }
    script
}

fn full_set(chance: &mut Chance) -> Value {
    let ids: Vec<_> = IDS.into_iter().filter(|_| chance.percent(50)).collect();
    ids.into_iter().map(|id| task(chance, id)).collect()
}

fn changes(chance: &mut Chance) -> Value {
    let mut ids: Vec<_> = IDS.into_iter().filter(|_| chance.percent(40)).collect();
    if ids.is_empty() {
        ids.push(chance.pick(&IDS));
    }
    let change = |id: &str, chance: &mut Chance| {
        if chance.percent(25) { json!({ "remove": id }) } else { task(chance, id) }
    };
    let mut changes: Vec<_> = ids.iter().map(|id| change(id, chance)).collect();
    if chance.percent(2) {
        // It names an id twice.
        changes.push(change(ids[0], chance));
    }
    changes.into()
}

fn task(chance: &mut Chance, id: &str) -> Value {
    let definition = chance.pick(&["A", "A", "A", "A", "B", "B", "B", "C", "C", "X"]);
    let desired = match chance.below(20) {
        0..15 => "running",
        15 => "ready",
        16..19 => "shutdown",
        _ => "remove",
    };
    let mut task = json!({ "id": id, "definition": definition, "desired_state": desired });
    if chance.percent(5) {
        task["status"] =
            json!({ "State": chance.pick(&["assigned", "preparing", "running", "complete"]) });
    }
    task
}
