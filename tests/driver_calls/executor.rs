//! `Executor::controller`, the first call of a driver.

use super::life::{Life, busy, policy, seconds, shutdown, update, waits};
use onward::agent::DriverExit;
use onward::agent::driver::DefinitionStatus;
use onward::lifecycle::TaskState;
use onward::testing::{Behavior, Call};

#[test]
fn an_executor_that_fails_for_now_is_asked_again_after_a_delay() {
    let life = Life::of(policy(), |_| {
        waits().with(Call::Controller, [busy(), busy(), Behavior::succeeds()])
    });
    let early = life.until(500);
    assert_eq!((early.status.state, life.err().as_str()), (TaskState::Assigned, "busy"));
    assert_eq!(early.last_error.as_deref(), Some("busy"));
    assert_eq!((early.attempt, early.next_attempt), (Some(2), Some(seconds(1))));
    assert_eq!(early.definition, DefinitionStatus::Pending);
    assert_eq!(life.until(1_500).next_attempt, Some(seconds(3)));
    let late = life.until(3_500);
    assert_eq!((late.status.state, late.last_error), (TaskState::Running, None));
    assert_eq!(late.definition, DefinitionStatus::Applied);
    let calls = [Call::Controller, Call::Controller, Call::Controller];
    assert_eq!(life.calls(), [&calls[..], &[Call::Prepare, Call::Start, Call::Wait]].concat());
}

#[test]
fn an_executor_that_refuses_is_asked_again_only_for_another_definition_or_a_removal() {
    let life = Life::of(policy(), |definition| match definition {
        1 => waits().with(Call::Controller, [Behavior::fails("unknown kind")]),
        _ => waits(),
    });
    life.until(3_600_000);
    assert_eq!((life.state(), life.err().as_str()), (TaskState::Rejected, "unknown kind"));
    assert_eq!(life.calls(), [Call::Controller]);
    life.handle.update(update(1)).unwrap();
    life.until(3_601_000);
    assert_eq!(life.calls(), [Call::Controller]);
    life.handle.update(update(2)).unwrap();
    life.until(3_602_000);
    assert_eq!((life.state(), life.definition()), (TaskState::Rejected, DefinitionStatus::Applied));
    assert_eq!(life.calls(), [Call::Controller, Call::Controller]);
    life.handle.remove();
    life.until(3_603_000);
    assert_eq!(life.calls()[2..], [Call::Remove, Call::Close]);
    assert_eq!(life.exit(), Some(DriverExit::Removed));
}

#[test]
fn a_refusal_of_an_outdated_definition_does_not_end_the_task() {
    let refuses = || Behavior::fails("unknown kind").after(seconds(10));
    let life = Life::of(policy(), move |definition| match definition {
        1 => waits().with(Call::Controller, [refuses()]),
        _ => waits(),
    });
    life.until(1_000);
    life.handle.update(update(2)).unwrap();
    life.until(11_000);
    assert_eq!((life.state(), life.definition()), (TaskState::Running, DefinitionStatus::Applied));
    assert_eq!(life.calls()[..3], [Call::Controller, Call::Controller, Call::Prepare]);
}

#[test]
fn a_definition_that_changes_during_the_executors_call_is_offered_to_the_controller() {
    let life = Life::of(policy(), |_| {
        waits().with(Call::Controller, [Behavior::succeeds().after(seconds(10))])
    });
    life.until(1_000);
    life.handle.update(update(2)).unwrap();
    life.until(9_000);
    assert_eq!(life.definition(), DefinitionStatus::Pending);
    life.until(11_000);
    assert_eq!(life.calls()[..3], [Call::Controller, Call::Update, Call::Prepare]);
}

#[test]
fn an_executor_that_takes_too_long_has_no_controller_and_the_text_has_the_last_error() {
    let check = |behavior: Behavior, err: &str| {
        let policy = policy().with_controller_deadline(seconds(5));
        let life = Life::of(policy, move |_| waits().with(Call::Controller, [behavior.clone()]));
        life.until(4_900);
        assert_eq!(life.state(), TaskState::Assigned);
        let late = life.until(5_100);
        assert_eq!((life.state(), life.err().as_str()), (TaskState::Rejected, err));
        assert_eq!((late.next_attempt, late.last_error), (None, None));
    };
    check(Behavior::hangs(), "controller: deadline of 5s exceeded");
    check(busy(), "controller: deadline of 5s exceeded; last error: busy");
}

#[test]
fn a_task_that_has_started_fails_without_a_controller() {
    let life = Life::in_state(
        TaskState::Running,
        policy(),
        |driver| driver,
        |_| waits().with(Call::Controller, [Behavior::fails("unknown kind")]),
    );
    life.until(1_000);
    assert_eq!((life.state(), life.err().as_str()), (TaskState::Failed, "unknown kind"));
}

#[test]
fn a_shutdown_and_a_removal_come_after_the_executor_and_a_close_does_not_wait_for_it() {
    let slow = || {
        Life::of(policy(), |_| {
            waits().with(Call::Controller, [Behavior::succeeds().after(seconds(10))])
        })
    };
    let life = slow();
    life.until(1_000);
    life.handle.update(shutdown(1)).unwrap();
    life.until(9_000);
    assert_eq!(life.calls(), [Call::Controller]);
    life.until(11_000);
    assert_eq!(life.calls(), [Call::Controller, Call::Shutdown]);
    assert_eq!(life.state(), TaskState::Shutdown);

    let life = slow();
    life.until(1_000);
    life.handle.remove();
    life.until(11_000);
    assert_eq!(life.calls(), [Call::Controller, Call::Remove, Call::Close]);
    assert_eq!(life.exit(), Some(DriverExit::Removed));

    let life = slow();
    life.until(1_000);
    life.handle.close();
    life.until(1_001);
    assert_eq!(life.calls(), [Call::Controller]);
    assert_eq!((life.exit(), life.state()), (Some(DriverExit::Closed), TaskState::Assigned));
}

#[test]
fn an_executor_that_panics_has_refused() {
    let life =
        Life::of(policy(), |_| waits().with(Call::Controller, [Behavior::panics("out of cheese")]));
    life.until(1_000);
    let err = "the executor panicked: out of cheese";
    assert_eq!((life.state(), life.err().as_str()), (TaskState::Rejected, err));
}
