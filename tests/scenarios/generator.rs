//! Scenarios by chance, and nasty ones: many things happen in the same
//! millisecond, most operations fail a few times, and the agent interferes.

use super::input::STATES;
use serde_json::{Map, Value, json};

/// `SplitMix64`: the same numbers on every machine, from now on.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

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

/// The scenario of this seed.
pub(crate) fn scenario(seed: u64) -> Value {
    let mut chance = Chance::new(seed);
    let shape = Shape::new(&mut chance);
    let mut controller = Map::new();
    for operation in
        ["update", "prepare", "start", "wait", "shutdown", "terminate", "remove", "close"]
    {
        if chance.percent(85) {
            controller.insert(operation.to_owned(), shape.calls(&mut chance, operation));
        }
    }
    json!({
        "scenario": format!("seed {seed}"),
        "task": task(&mut chance),
        "policy": shape.policy(&mut chance),
        "controller": controller,
        "script": shape.script(&mut chance),
        "until_ms": shape.until,
    })
}

fn task(chance: &mut Chance) -> Value {
    let state = match chance.below(10) {
        0..5 => chance.pick(&["new", "assigned", "accepted"]),
        5..9 => chance.pick(&["preparing", "ready", "starting", "running"]),
        _ => chance.pick(&STATES),
    };
    let desired = match chance.below(20) {
        0..15 => "running",
        15..17 => "ready",
        17 => "shutdown",
        _ => chance.pick(&STATES),
    };
    let mut status = json!({ "State": state });
    if chance.percent(20) {
        status["Message"] = json!(chance.pick(&["earlier", "prepared", "starting"]));
        status["Err"] = json!(chance.pick(&["", "e1", "old trouble"]));
        status["Timestamp"] = json!("2001-02-03T04:05:06.7Z");
    }
    if chance.percent(10) {
        status["ContainerStatus"] =
            json!({ "ContainerID": "old", "PID": 7, "ExitCode": chance.pick(&[0, 2]) });
    }
    if chance.percent(5) {
        status["PortStatus"] = json!({ "Ports": [
            { "Protocol": "tcp", "PublishMode": "host", "TargetPort": 80, "PublishedPort": 8080 }
        ]});
    }
    json!({ "id": "t1", "desired_state": desired, "status": status })
}

/// What the parts of a scenario have in common: the times are multiples of the
/// same one, so that they meet.
struct Shape {
    grid: u64,
    initial: u64,
    until: u64,
    trouble: u64,
}

impl Shape {
    fn new(chance: &mut Chance) -> Self {
        let grid = chance.pick(&[1, 1, 5, 10, 100, 1_000]);
        let initial = if grid == 1 { chance.below(4) } else { grid * (1 + chance.below(4)) };
        let until = grid * if chance.percent(5) { 600 } else { 60 + chance.below(200) };
        Self { grid, initial, until, trouble: chance.pick(&[30, 60, 75, 85, 90]) }
    }

    /// A time of up to so many steps; one in eight is a millisecond off, so that
    /// what nearly meets is seen as well.
    fn time(&self, chance: &mut Chance, steps: u64) -> u64 {
        let time = self.grid * chance.below(steps + 1);
        match chance.below(16) {
            0 => time + 1,
            1 => time.saturating_sub(1),
            _ => time,
        }
    }

    fn policy(&self, chance: &mut Chance) -> Value {
        let mut policy = json!({
            "retry_initial_ms": self.initial,
            "retry_factor": chance.pick(&[1.0, 1.0, 1.1, 1.5, 2.0, 2.0, 3.0, 10.0]),
            "retry_jitter": chance.pick(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.5, 1.0]),
            "retry_max_ms": match chance.below(8) {
                0 if self.grid == 1 => 0,
                1 => 1_000_000_000_000_000,
                2 => u64::MAX,
                _ => self.grid * chance.pick(&[1, 2, 4, 7, 10, 30]),
            },
        });
        for limit in ["prepare_deadline_ms", "start_deadline_ms", "shutdown_grace_ms"] {
            policy[limit] = match chance.below(10) {
                0..4 => Value::Null,
                4 => json!(0),
                5 => json!(chance.pick(&[u64::MAX, 1_000_000_000_000])),
                // Where retries meet it.
                6 => json!(self.initial * chance.pick(&[1, 2, 3, 7])),
                _ => json!(self.time(chance, 20)),
            };
        }
        if self.grid == 1_000 {
            // The defaults are of this size.
            for field in ["retry_initial_ms", "retry_max_ms", "retry_factor", "shutdown_grace_ms"] {
                if chance.percent(30) {
                    policy.as_object_mut().expect("an object").remove(field);
                }
            }
        }
        policy
    }

    /// What the calls of an operation do.
    fn calls(&self, chance: &mut Chance, operation: &str) -> Value {
        let last = chance.below(10);
        (0..=last).map(|n| self.call(chance, operation, n == last)).collect()
    }

    fn call(&self, chance: &mut Chance, operation: &str, last: bool) -> Value {
        let mut call = json!({});
        match chance.below(50) {
            0..10 => {}
            10..15 => call["takes_ms"] = json!(0),
            15 => call["takes_ms"] = json!(chance.pick(&[1, 1_000_000, u64::MAX])),
            16 => call["takes_ms"] = Value::Null,
            _ => call["takes_ms"] = json!(self.time(chance, 8)),
        }
        if operation == "wait" && last && chance.percent(60) {
            call["takes_ms"] = Value::Null;
        }
        // What repeats should mostly be the end of the trouble.
        let trouble = if last { self.trouble * 2 / 3 } else { self.trouble };
        if chance.percent(trouble) {
            call["error"] = error(chance);
        }
        call
    }

    fn script(&self, chance: &mut Chance) -> Value {
        let entries = chance.pick(&[2, 6, 9, 12, 12, 12, 12]);
        let mut times: Vec<u64> = Vec::new();
        for _ in 0..entries {
            let time = match times.last() {
                Some(same) if chance.percent(25) => *same,
                _ => self.time(chance, (self.until / self.grid).min(70)),
            };
            times.push(time);
        }
        times.sort_unstable();
        times.into_iter().map(|at| entry(chance, at)).collect()
    }
}

fn error(chance: &mut Chance) -> Value {
    let (kind, temporary) = match chance.below(20) {
        0..10 => ("failure", true),
        10 => ("failure", false),
        11..14 => ("canceled", chance.percent(20)),
        14..16 => ("deadline_exceeded", chance.percent(20)),
        16 => ("already_prepared", chance.percent(60)),
        17 => ("already_started", chance.percent(60)),
        18 => ("update_rejected", chance.percent(60)),
        _ => ("closed", chance.percent(60)),
    };
    let mut error = json!({ "message": chance.pick(&["e1", "e2", "e3: e1", ""]), "kind": kind });
    if temporary || chance.percent(30) {
        error["temporary"] = json!(temporary);
    }
    if chance.percent(25) {
        error["exit_code"] = json!(chance.pick(&[0, 1, 137, -1]));
    }
    if chance.percent(15) {
        error["container_status"] = json!({ "ContainerID": "c1", "PID": chance.pick(&[0, 42]), "ExitCode": chance.pick(&[0, 9]) });
    }
    error
}

fn entry(chance: &mut Chance, at: u64) -> Value {
    match chance.below(100) {
        0..2 => return json!({ "at_ms": at, "remove": true }),
        2..4 => return json!({ "at_ms": at, "close": true }),
        _ => {}
    }
    let mut update = json!({});
    if chance.percent(60) {
        update["version"] = json!(chance.pick(&[1, 1, 2, 2, 3, 4, 7]));
    }
    if chance.percent(45) {
        update["desired_state"] = json!(match chance.below(10) {
            0..6 => "running",
            6 => "complete",
            7 => chance.pick(&["shutdown", "remove", "orphaned"]),
            _ => chance.pick(&STATES),
        });
    }
    if chance.percent(8) {
        update["id"] = json!(chance.pick(&["t1", "t2", ""]));
    }
    json!({ "at_ms": at, "update": update })
}
