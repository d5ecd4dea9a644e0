//! Runs a scenario through the program and judges what it prints.

use super::cursor::{Check, violation};
use super::{generator, invariants, model, shrink};
use crate::conformance;
use serde_json::{Map, Value};
use std::panic::catch_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How long two runs may take, which take less than a millisecond: a driver that
/// spins must not hang the test.
const PATIENCE: Duration = Duration::from_secs(10);
const ENDLESS: &str = "the program does not come to an end";

/// What the program prints for this line.
pub(crate) fn printed(line: &str) -> String {
    let mut output = Vec::new();
    conformance::run(conformance::scenario, line.as_bytes(), &mut output)
        .expect("it is written to memory");
    String::from_utf8(output).expect("JSON is UTF-8")
}

/// Runs the scenario of a seed. Gives the length of its trace, or else a report.
pub(crate) fn of_seed(seed: u64) -> Result<usize, String> {
    let scenario = generator::scenario(seed);
    let first = match of(&scenario) {
        Ok(length) => return Ok(length),
        Err(violation) => violation,
    };
    if first.what == ENDLESS {
        return Err(format!("seed {seed}: {first}\n{scenario}"));
    }
    let rule = first.rule;
    let small = shrink::shrink(
        scenario,
        |smaller| matches!(of(smaller), Err(violation) if violation.rule == rule),
    );
    let violation = of(&small).map_or_else(|violation| violation.to_string(), |_| String::new());
    let trace = catch_unwind(|| printed(&small.to_string())).unwrap_or_default();
    let trace = trace.replace("},{\"at_ms\"", "},\n {\"at_ms\"");
    Err(format!("seed {seed}: {violation}\n{small}\n{trace}"))
}

/// Judges a scenario, which is run twice: the length of its trace.
pub(crate) fn of(scenario: &Value) -> Check<usize> {
    let line = scenario.to_string();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send([printed(&line), printed(&line)]));
    let [output, again] = match receiver.recv_timeout(PATIENCE) {
        Ok(outputs) => outputs,
        Err(RecvTimeoutError::Timeout) => return violation(7, ENDLESS),
        Err(RecvTimeoutError::Disconnected) => return violation(0, "the program has panicked"),
    };
    let length = judge(scenario, &output)?;
    if scenario["policy"]["retry_jitter"] == 0.0 && output != again {
        return violation(12, format!("another time it prints {again}"));
    }
    Ok(length)
}

/// Judges what was printed for a scenario: the length of the trace.
pub(crate) fn judge(scenario: &Value, output: &str) -> Check<usize> {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(output) else {
        return violation(0, format!("no object: {output}"));
    };
    let (name, trace, last) =
        (fields.remove("scenario"), fields.remove("trace"), fields.remove("final_status"));
    let (Some(name), Some(Value::Array(trace)), Some(last), true) =
        (name, trace, last, fields.is_empty())
    else {
        return violation(0, format!("expected `scenario`, `trace`, `final_status`: {output}"));
    };
    if name != scenario["scenario"] {
        return violation(0, format!("the scenario is called {name}"));
    }
    let scenario = serde_json::from_value(scenario.clone()).expect("a scenario");
    invariants::check(&scenario, &trace, &last)?;
    model::check(&scenario, &trace, &last)?;
    Ok(trace.len())
}
