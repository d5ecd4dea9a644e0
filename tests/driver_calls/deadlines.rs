//! Deadlines of operations, `update` and `remove`.

use super::life::{Life, busy, policy, seconds, shutdown, update, waits};
use onward::agent::DriverExit;
use onward::agent::driver::DefinitionStatus;
use onward::lifecycle::TaskState;
use onward::testing::{Behavior, Call};

#[test]
fn a_phase_that_takes_too_long_fails_with_its_last_error() {
    let policy = policy().with_prepare_deadline(seconds(5)).with_start_deadline(seconds(5));
    let life = Life::of(policy.clone(), |_| waits().with(Call::Prepare, [busy()]));
    life.until(5_100);
    let err = "prepare: deadline of 5s exceeded; last error: busy";
    assert_eq!((life.state(), life.err().as_str()), (TaskState::Rejected, err));

    let life = Life::of(policy, |_| waits().with(Call::Start, [busy()]));
    life.until(5_100);
    let err = "start: deadline of 5s exceeded; last error: busy";
    assert_eq!((life.state(), life.err().as_str()), (TaskState::Failed, err));
    assert_eq!(life.calls().last(), Some(&Call::Terminate));
}

#[test]
fn an_update_that_takes_too_long_counts_as_refused() {
    let check = |behavior: Behavior, reason: &str| {
        let policy = policy().with_update_deadline(seconds(5));
        let life = Life::of(policy, move |_| waits().with(Call::Update, [behavior.clone()]));
        life.until(1_000);
        life.handle.update(update(2)).unwrap();
        life.until(5_900);
        assert_eq!(life.definition(), DefinitionStatus::Outdated);
        let late = life.until(6_100);
        assert_eq!(life.definition(), DefinitionStatus::Refused(reason.to_owned()));
        assert_eq!((late.next_attempt, late.last_error), (None, None));
        assert_eq!(life.calls().last(), Some(&Call::Wait), "the task goes on");
        life.handle.update(update(3)).unwrap();
        life.until(7_000);
        assert_eq!(life.definition(), DefinitionStatus::Outdated, "another one is offered");
        assert_eq!(life.calls().last(), Some(&Call::Update));
    };
    check(Behavior::hangs(), "update: deadline of 5s exceeded");
    check(busy(), "update: deadline of 5s exceeded; last error: busy");
}

#[test]
fn the_deadline_of_an_update_does_not_count_during_a_shutdown() {
    let policy = policy().with_update_deadline(seconds(5)).with_shutdown_grace(None);
    let life =
        Life::of(policy, |_| waits().with(Call::Update, [busy()]).with(Call::Shutdown, [busy()]));
    life.until(1_000);
    life.handle.update(update(2)).unwrap();
    life.until(1_500);
    life.handle.update(shutdown(2)).unwrap();
    let late = life.until(60_000);
    assert_eq!(late.definition, DefinitionStatus::Outdated);
    assert_eq!(late.last_error, None);
}

#[test]
fn a_removal_that_takes_too_long_has_failed_and_the_controller_is_closed() {
    let check = |behavior: Behavior, error: &str| {
        let policy = policy().with_remove_deadline(seconds(5));
        let life = Life::of(policy, move |_| waits().with(Call::Remove, [behavior.clone()]));
        life.until(1_000);
        life.handle.remove();
        life.until(5_900);
        assert_eq!(life.exit(), None);
        let late = life.until(6_100);
        let error = error.to_owned();
        assert_eq!(life.exit(), Some(DriverExit::RemovalFailed { error }));
        assert_eq!((life.calls().last(), late.last_error), (Some(&Call::Close), None));
    };
    check(Behavior::hangs(), "remove: deadline of 5s exceeded");
    check(busy(), "remove: deadline of 5s exceeded; last error: busy");
}

#[test]
fn the_deadline_of_a_removal_bounds_the_executor_too() {
    let policy = policy().with_remove_deadline(seconds(5));
    let life = Life::in_state(
        TaskState::Failed,
        policy,
        |driver| driver,
        |_| waits().with(Call::Controller, [busy()]),
    );
    life.until(500);
    life.handle.remove();
    life.until(5_600);
    let error = "remove: deadline of 5s exceeded; last error: busy".to_owned();
    assert_eq!(life.exit(), Some(DriverExit::RemovalFailed { error }));
}

#[test]
fn a_removal_during_the_first_poll_of_the_executor_has_its_deadline() {
    let policy = policy().with_controller_deadline(seconds(5)).with_remove_deadline(seconds(5));
    let life = Life::of(policy, |_| waits().with(Call::Controller, [Behavior::hangs()]));
    life.handle.remove();
    life.until(5_100);
    let error = "remove: deadline of 5s exceeded".to_owned();
    assert_eq!(life.exit(), Some(DriverExit::RemovalFailed { error }));
}
