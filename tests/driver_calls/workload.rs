//! Tests that a task does not end while its workload may run.

use super::life::{Life, policy, seconds, waits};
use onward::lifecycle::TaskState;
use onward::testing::{Behavior, Call, Script};

/// The calls and the final status of a task whose workload may already run.
fn taken_up(policy: onward::agent::Policy, script: Script) -> Life {
    let change = |driver: onward::agent::Driver<_>| driver.with_possible_workload();
    let life = Life::in_state(TaskState::Preparing, policy, change, move |_| script.clone());
    life.until(60_000);
    life
}

#[test]
fn a_workload_that_may_run_is_ended_before_the_task_is_rejected() {
    let script = || waits().with(Call::Prepare, [Behavior::fails("no space")]);
    let life = taken_up(policy(), script());
    assert_eq!(life.calls(), [Call::Controller, Call::Prepare, Call::Terminate]);
    assert_eq!((life.state(), life.err().as_str()), (TaskState::Rejected, "no space"));

    let life = Life::of(policy(), move |_| script());
    life.until(60_000);
    assert_eq!(life.calls(), [Call::Controller, Call::Prepare]);
}

#[test]
fn a_workload_that_may_run_is_ended_before_a_preparation_has_taken_too_long() {
    let script = waits().with(Call::Prepare, [Behavior::hangs()]);
    let life = taken_up(policy().with_prepare_deadline(seconds(5)), script);
    assert_eq!(life.calls(), [Call::Controller, Call::Prepare, Call::Terminate]);
    let err = "prepare: deadline of 5s exceeded";
    assert_eq!((life.state(), life.err().as_str()), (TaskState::Rejected, err));
}

#[test]
fn the_status_has_both_errors_if_terminate_fails_too() {
    let script = waits()
        .with(Call::Prepare, [Behavior::fails("no space")])
        .with(Call::Terminate, [Behavior::fails("no such process")]);
    let life = taken_up(policy(), script);
    assert_eq!(life.err(), "no space; terminate: no such process");
}

#[test]
fn a_panic_of_an_operation_is_followed_by_terminate_before_the_task_ends() {
    let cases = [
        (Call::Prepare, TaskState::Rejected),
        (Call::Start, TaskState::Failed),
        (Call::Wait, TaskState::Failed),
    ];
    for (call, state) in cases {
        let life = Life::of(policy(), move |_| {
            let slow = Behavior::succeeds().after(seconds(5));
            waits().with(call, [Behavior::panics("out of cheese")]).with(Call::Terminate, [slow])
        });
        let early = life.until(4_000);
        assert!(!early.status.state.is_terminal(), "{call:?}: its workload may run");
        assert!(early.terminating_since.is_some());
        life.until(6_000);
        assert_eq!(life.calls()[life.calls().len() - 2..], [call, Call::Terminate]);
        let err = "the controller panicked: out of cheese";
        assert_eq!((life.state(), life.err().as_str()), (state, err), "{call:?}");
    }
}

#[test]
fn terminate_follows_a_failure_without_an_inspection() {
    for call in [Call::Wait, Call::Shutdown] {
        let life = Life::of(policy(), move |_| {
            let script = waits().with(call, [Behavior::panics("out of cheese")]);
            script.with(Call::Terminate, [Behavior::hangs()])
        });
        life.until(1_000);
        _ = life.handle.update(super::life::shutdown(1));
        life.until(2_000);
        let calls = life.trace.calls();
        let failed = calls.iter().rposition(|other| *other == call).unwrap();
        assert_eq!(calls[failed + 1..], [Call::Terminate], "{call:?}");
    }
}

#[test]
fn a_task_is_inspected_after_its_end_even_if_a_shutdown_was_requested_during_terminate() {
    let policy = policy().with_start_deadline(seconds(1));
    let life = Life::of(policy, |_| {
        waits()
            .with(Call::Start, [Behavior::hangs()])
            .with(Call::Terminate, [Behavior::succeeds().after(seconds(5))])
            .with(Call::Inspect, [Behavior::succeeds().after(seconds(2))])
    });
    life.until(4_000);
    life.handle.update(super::life::shutdown(1)).unwrap();
    life.until(20_000);
    assert_eq!(life.state(), TaskState::Failed);
    let last = life.trace.entries().pop().unwrap().to_string();
    assert!(last.contains("inspect succeeded"), "{last}");
}
