//! Removals with `Policy::shutdown_before_removal`.

use super::life::{Life, policy, seconds, waits};
use onward::agent::driver::UpdateError;
use onward::agent::{DriverExit, Policy};
use onward::lifecycle::TaskState;
use onward::testing::{Behavior, Call};

fn gentle() -> Policy {
    policy().with_shutdown_before_removal(true)
}

#[test]
fn a_removal_shuts_down_first_only_if_the_policy_says_so() {
    let calls_of = |policy| {
        let life = Life::of(policy, |_| waits());
        life.until(1_000);
        life.handle.remove();
        life.until(2_000);
        assert_eq!(life.exit(), Some(DriverExit::Removed));
        life.calls().split_off(4)
    };
    assert_eq!(calls_of(gentle()), [Call::Shutdown, Call::Remove, Call::Close]);
    assert_eq!(calls_of(policy()), [Call::Remove, Call::Close]);
}

#[test]
fn a_shutdown_before_a_removal_has_its_grace_and_refuses_updates() {
    let life = Life::of(gentle().with_shutdown_grace(seconds(3)), |_| {
        waits().with(Call::Shutdown, [Behavior::hangs()])
    });
    life.until(1_000);
    life.handle.remove();
    life.until(2_000);
    assert_eq!(life.handle.update(super::life::update(2)), Err(UpdateError::Ended));
    life.handle.remove();
    life.until(3_900);
    assert_eq!(life.calls().last(), Some(&Call::Shutdown));
    life.until(4_100);
    let calls = [Call::Shutdown, Call::Terminate, Call::Remove, Call::Close];
    assert_eq!(life.calls()[4..], calls);
    assert_eq!(life.state(), TaskState::Shutdown);
}

#[test]
fn a_task_that_has_ended_is_removed_at_once() {
    let life = Life::in_state(TaskState::Complete, gentle(), |driver| driver, |_| waits());
    life.until(1_000);
    life.handle.remove();
    life.until(2_000);
    assert_eq!(life.calls(), [Call::Controller, Call::Remove, Call::Close]);
}

#[test]
fn a_removal_ends_if_the_executor_refuses_or_its_deadline_expires() {
    for behavior in [Behavior::fails("unknown kind").after(seconds(4)), Behavior::hangs()] {
        let policy = gentle().with_controller_deadline(seconds(5)).with_remove_deadline(seconds(5));
        let life = Life::of(policy, move |_| waits().with(Call::Controller, [behavior.clone()]));
        life.until(1_000);
        life.handle.remove();
        life.until(20_000);
        assert!(life.exit().is_some(), "the removal has ended");
    }
}
