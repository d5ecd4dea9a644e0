//! Readiness probes: their errors, and that no process of theirs is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/life.rs"]
mod life;

use std::pin::pin;

use futures::poll;
use life::Life;
use onward::{Controller, TaskState};
use process_agent::definition::ProcessDefinition;

/// A task with this probe that runs forever.
fn life(probe: &str, more: &str) -> Life {
    let probe = toml::Value::String(probe.to_owned());
    let ready = format!("ready = {{ command = ['sh', '-c', {probe}], interval = '10ms', {more} }}");
    let definition: ProcessDefinition =
        toml::from_str(&format!("command = ['sleep', '1000']\n{ready}")).unwrap();
    Life::of(definition)
}

const WORKLOAD: &str = "sleep\x001000\x00";

/// Starts the task, and drops the start when the probe has created `probing`.
async fn drop_a_start_that_probes(life: &mut Life) {
    life.reach(TaskState::Starting).await;
    let probing = life.path("probing");
    let mut start = pin!(life.controller.start());
    while !probing.exists() {
        assert!(poll!(&mut start).is_pending());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn no_process_of_a_probe_outlives_it() {
    let mut life = life("sleep 7771 & setsid sleep 7772 & exit 0", "");
    life.reach(TaskState::Running).await;
    assert_eq!(life.alive(), [WORKLOAD]);
    assert!(!life.path("task/probe").exists());
}

#[tokio::test]
async fn no_process_of_a_probe_outlives_a_failed_try() {
    let probe = "
        echo >> $TEST_HOME/tries
        test $(wc -l < $TEST_HOME/tries) -ge 4 && exit 0
        sleep 7771 & setsid sleep 7772 & exit 1
    ";
    let mut life = life(probe, "");
    life.reach(TaskState::Running).await;
    assert_eq!(life.lines("tries").len(), 4);
    assert_eq!(life.alive(), [WORKLOAD]);
}

#[tokio::test]
async fn the_error_has_the_output_of_the_last_try() {
    let mut life = life("echo hello; echo no route >&2; exit 4", "timeout = '2s'");
    let status = life.end(TaskState::Running).await;
    assert_eq!(status.state, TaskState::Failed);
    assert_eq!(
        status.err.as_deref(),
        Some("not ready within 2s: sh: exited with code 4: no route")
    );
}

#[tokio::test]
async fn a_probe_that_cannot_be_started_reports_the_reason() {
    let ready = "ready = { command = ['no-such-probe'], interval = '10ms', timeout = '100ms' }";
    let definition = toml::from_str(&format!("command = ['sleep', '1000']\n{ready}")).unwrap();
    let status = Life::of(definition).end(TaskState::Running).await;
    let expected = "not ready within 100ms: no-such-probe: \
                    the executable \"no-such-probe\" is not found; looked in ";
    let err = status.err.unwrap_or_default();
    assert!(err.starts_with(expected), "{err}");
}

#[tokio::test]
async fn a_probe_does_not_outlive_its_timeout() {
    let mut life =
        life("setsid sleep 7772 & echo > $TEST_HOME/probing; sleep 7771", "timeout = '1s'");
    let status = life.end(TaskState::Running).await;
    assert_eq!(status.err.as_deref(), Some("not ready within 1s: no try has finished"));
    assert!(life.path("probing").exists());
    assert_eq!(life.alive(), [""; 0]);
    assert!(!life.path("task/probe").exists());
}

const PROBES: &str = "setsid sleep 7772 & echo >> $TEST_HOME/probing; \
                      test -e $TEST_HOME/go || sleep 7771";

#[tokio::test]
async fn a_probe_does_not_outlive_the_task_if_the_start_was_dropped() {
    for operation in ["shutdown", "terminate", "remove"] {
        let mut life = life(PROBES, "");
        drop_a_start_that_probes(&mut life).await;
        match operation {
            "shutdown" => life.controller.shutdown().await.unwrap(),
            "terminate" => life.controller.terminate().await.unwrap(),
            _ => life.controller.remove().await.unwrap(),
        }
        assert_eq!(life.alive(), [""; 0], "{operation}");
    }
}

#[tokio::test]
async fn a_probe_does_not_outlive_a_process_that_ends_before_it_is_ready() {
    let mut life = life(PROBES, "");
    life.definition.command =
        ["sh", "-c", "while ! test -e $TEST_HOME/probing; do :; done; exit 3"]
            .map(str::to_owned)
            .to_vec();
    life.restart();
    let status = life.end(TaskState::Running).await;
    assert_eq!(status.err.as_deref(), Some("ended before it was ready: exited with code 3"));
    assert_eq!(life.alive(), [""; 0]);
}

#[tokio::test]
async fn a_start_after_a_dropped_one_tries_the_probe_again() {
    let mut life = life(PROBES, "");
    drop_a_start_that_probes(&mut life).await;
    std::fs::write(life.path("go"), "").unwrap();
    life.restart();
    life.reach(TaskState::Running).await;
    assert_eq!(life.lines("probing").len(), 2);
    assert_eq!(life.alive(), [WORKLOAD]);
}
