//! The mode `cases`: compares one `step` or one `resolve` with a recorded call of SwarmKit's
//! `Do` or `Resolve`.

use super::jsonl;
use super::scripted::{ContainerScript, ErrorScript, PortScript, Scripted};
use futures::executor::block_on;
use onward::exec::{Assignment, Outcome, resolve, step};
use onward::lifecycle::{AnyTask, TaskState, TaskStatus};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, UtcDateTime};

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    call: Call,
    desired_state: TaskState,
    status: TaskStatus,
    controller_error: Option<ErrorScript>,
    container: ContainerScript,
    port: PortScript,
    expect_calls: Option<Vec<String>>,
    expect_outcome: Option<String>,
    expect_stamped: Option<bool>,
    expect_status: Option<TaskStatus>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Call {
    Do,
    Resolve,
}

pub(crate) fn check(line: &str) -> super::Answer {
    let case: Case = jsonl::read(line)?;
    let before = case.status.timestamp.unwrap_or(UtcDateTime::UNIX_EPOCH);
    let now = before.saturating_add(Duration::SECOND);

    let mut task = AnyTask::resume(case.status.clone());
    let mut controller = Scripted {
        error: case.controller_error.clone(),
        container: case.container.clone(),
        port: case.port.clone(),
        calls: Vec::new(),
    };
    let outcome = match case.call {
        Call::Do => match block_on(step(&mut task, case.desired_state, &mut controller, &|| now)) {
            Outcome::Advanced => "advanced",
            Outcome::Noop | Outcome::Dead => "noop",
            Outcome::Retry => "retry",
        },
        Call::Resolve => {
            let assignment = Assignment::new("task", ()).with_desired_state(case.desired_state);
            match block_on(resolve(&mut task, &assignment, &controller, &|| now)) {
                Ok(_) => "resolved",
                Err(_) => "failed",
            }
        }
    };

    let stamped = task.timestamp() == Some(now);
    let status = jsonl::print(&task.status());
    let mut misses = Vec::new();
    let mut expect = |what: &str, expected: Option<Value>, actual: &Value| {
        if let Some(expected) = expected.filter(|expected| expected != actual) {
            misses.push(format!("{}: {what}: expected {expected}, was {actual}", case.name));
        }
    };
    expect("calls", case.expect_calls.map(Value::from), &json!(controller.calls));
    expect("outcome", case.expect_outcome.map(Value::from), &json!(outcome));
    expect("stamped", case.expect_stamped.map(Value::from), &json!(stamped));
    expect("status", case.expect_status.as_ref().map(jsonl::print), &status);

    let line =
        Line { case: &case.name, calls: &controller.calls, outcome, stamped, status: &status };
    Ok((serde_json::to_string(&line).map_err(|error| error.to_string())?, misses))
}

#[derive(Serialize)]
struct Line<'a> {
    case: &'a str,
    calls: &'a [&'static str],
    outcome: &'a str,
    stamped: bool,
    status: &'a Value,
}
