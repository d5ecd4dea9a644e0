//! Tasks and keepers that are traced or stopped by a signal end nevertheless.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/task.rs"]
mod task;
#[path = "support/without_cgroup.rs"]
mod without_cgroup;

use std::{fs, process::Command, time::Duration};

use process_agent::keeper::{By, State};
use rustix::process::Signal;
use task::{GUARD, Task};
use without_cgroup::{run_again, skip};

/// Prints `ready` when it can be signalled, and then runs until a signal kills it.
const RUNS: &str = "echo ready; while :; do sleep 0.05; done";

/// A task that runs `script`, with the tracer as `$TEST_HOME/tracer`. `None` if the tracer cannot
/// be compiled.
fn shell(script: &str, test: &str) -> Option<Task> {
    let task = Task::shell_with(script, |definition| {
        definition.stop_grace = Duration::from_millis(100);
    });
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tracer.c");
    let compiled = Command::new("cc").arg(source).arg("-o").arg(task.path("tracer")).status();
    if compiled.is_ok_and(|status| status.success()) {
        return Some(task);
    }
    skip(test, "there is no C compiler");
    None
}

/// Waits for the result of the tracer. Returns `false` if the system refused it.
async fn is_traced(task: &Task, test: &str) -> bool {
    while !task.path("traced").exists() {
        tokio::task::yield_now().await;
    }
    let said = fs::read_to_string(task.path("traced")).unwrap();
    if said != "traced" {
        skip(test, &format!("tracing is refused: {said}"));
    }
    said == "traced"
}

#[tokio::test]
async fn a_remaining_tracer_and_its_tracee_do_not_delay_the_end() {
    let test = "a_remaining_tracer_and_its_tracee_do_not_delay_the_end";
    let script = "
        setsid sleep 1000 &
        setsid \"$TEST_HOME/tracer\" \"$TEST_HOME/traced\" $! &
        while ! test -e \"$TEST_HOME/traced\"; do sleep 0.01; done
        exit 6
    ";
    let Some(task) = shell(script, test) else { return };
    task.start().await;
    if is_traced(&task, test).await {
        assert_eq!(task.code().await, (6, By::Exit));
        assert_eq!(task.alive(), Vec::<String>::new());
    }
}

/// The tracer has left the group, so that the group's `KILL` does not reach it, and ignores the
/// stop signal.
const TRACED: &str = "
    (trap '' TERM; exec setsid \"$TEST_HOME/tracer\" \"$TEST_HOME/traced\" $$) &
    while :; do sleep 0.05; done
";

#[tokio::test]
async fn a_workload_that_is_traced_by_its_child_can_be_killed() {
    let test = "a_workload_that_is_traced_by_its_child_can_be_killed";
    let Some(task) = shell(TRACED, test) else { return };
    task.start().await;
    if is_traced(&task, test).await {
        task.keeper.kill().await.unwrap();
        assert_eq!(task.code().await, (137, By::Kill));
        assert_eq!(task.alive(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_workload_that_is_traced_by_its_child_is_killed_after_the_grace() {
    let test = "a_workload_that_is_traced_by_its_child_is_killed_after_the_grace";
    let Some(task) = shell(TRACED, test) else { return };
    task.start().await;
    if is_traced(&task, test).await {
        task.keeper.stop().await.unwrap();
        assert_eq!(task.code().await, (137, By::Kill));
        assert_eq!(task.alive(), Vec::<String>::new());
    }
}

/// At the same time, since each end waits until the keeper has been silent for long.
#[tokio::test]
async fn a_keeper_that_is_stopped_is_woken_and_is_killed_only_if_it_cannot_be() {
    let test = "a_keeper_that_is_stopped_is_woken_and_is_killed_only_if_it_cannot_be";
    tokio::join!(check_woken(), check_killed(test));
}

async fn end(task: &Task, force: bool) {
    let ended = tokio::time::timeout(GUARD, task.keeper.end(force)).await;
    ended.expect("the task did not end within the limit").unwrap();
}

async fn check_woken() {
    let task = Task::shell(RUNS);
    task.start().await;
    task.says("ready").await;
    Task::signal(task.keeper_pid(), Signal::STOP);
    end(&task, false).await;
    assert_eq!(task.code().await, (143, By::Stop));
}

async fn check_killed(test: &str) {
    let Some(task) = shell(RUNS, test) else { return };
    task.start().await;
    task.says("ready").await;
    let mut tracer = Command::new(task.path("tracer"))
        .arg(task.path("traced"))
        .args([&task.keeper_pid().to_string(), "stop"])
        .spawn()
        .unwrap();
    if is_traced(&task, test).await {
        end(&task, true).await;
        assert_eq!(task.keeper.state().await.unwrap(), State::Lost);
        assert_eq!(task.alive(), Vec::<String>::new());
    }
    tracer.kill().unwrap();
    tracer.wait().unwrap();
}

#[test]
fn all_tests_pass_without_a_cgroup() {
    run_again("all_tests_pass_without_a_cgroup");
}
