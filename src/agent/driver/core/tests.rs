//! Regression tests for faults that the exploration of the core has found.

use super::{Applied, Call, Core, Definition, Definitions, Next, Problem};
use crate::agent::policy::Policy;
use crate::agent::runtime::Now;
use crate::lifecycle::{Answer, AnyTask, Failure, Operation, TaskState, TaskStatus};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;
use time::UtcDateTime;

fn now() -> Now {
    Now { monotonic: Duration::from_secs(1), utc: UtcDateTime::UNIX_EPOCH }
}

fn core(state: TaskState, applied: Applied) -> Core {
    let task = AnyTask::resume(TaskStatus::new(state));
    Core::new("a", task, TaskState::Running, Definitions::new(applied), now().utc)
}

/// The next call, and its definition.
fn call(core: &mut Core) -> (Call, Definition) {
    for _ in 0..8 {
        match core.next(now()) {
            Next::Recorded(_) => {}
            Next::Call(call) => return (call, core.begin(call, now())),
            other => panic!("expected a call, was {other:?}"),
        }
    }
    panic!("expected a call within eight decisions");
}

fn make(core: &mut Core) {
    assert_eq!(call(core).0, Call::Controller);
    drop(core.resolved(Ok(()), 1, now()));
}

fn refusal(is_panic: bool) -> Result<(), Problem> {
    Err(Problem { error: "no".into(), is_temporary: false, is_panic })
}

#[test]
fn an_inspection_after_the_end_is_not_interrupted() {
    let mut core = core(TaskState::Preparing, Applied::Nothing);
    make(&mut core);
    assert_eq!(call(&mut core).0, Call::Operate(Operation::Prepare));
    core.want(TaskState::Shutdown, 1).unwrap();
    let answer = Answer::Failed(Box::new(Failure::new("no image")));
    drop(core.operated(Operation::Prepare, answer, false, now()));
    assert_eq!(core.task.state(), TaskState::Rejected);
    assert_eq!(call(&mut core).0, Call::Inspect);
    assert!(!core.interrupts(Call::Inspect), "otherwise it is dropped and called again forever");
}

#[test]
fn a_removal_continues_if_the_executor_refuses_during_the_shutdown() {
    let mut core = core(TaskState::Running, Applied::Wanted);
    core.set_policy(Arc::new(Policy::default().with_shutdown_before_removal(true)));
    assert_eq!(call(&mut core).0, Call::Controller);
    core.remove();
    drop(core.resolved(refusal(false), 1, now()));
    assert_eq!(call(&mut core).0, Call::Controller);
}

#[test]
fn another_controller_gets_the_whole_grace_of_a_shutdown() {
    let shutdown = Call::Operate(Operation::Shutdown);
    let mut core = core(TaskState::Running, Applied::Wanted);
    core.want(TaskState::Shutdown, 1).unwrap();
    make(&mut core);
    assert_eq!(call(&mut core).0, shutdown);
    core.abandoned();
    make(&mut core);
    assert_eq!(call(&mut core).0, shutdown);
    assert!(core.deadline_of(shutdown, now().monotonic).is_some(), "terminate must follow");
}

#[test]
fn a_panic_of_the_executor_does_not_refuse_the_definition() {
    let mut core = core(TaskState::Running, Applied::Other);
    assert_eq!(call(&mut core), (Call::Controller, Definition::Applied));
    drop(core.resolved(refusal(true), 1, now()));
    core.remove();
    assert_eq!(call(&mut core), (Call::Controller, Definition::Applied));
}

#[test]
fn after_a_restart_the_executor_is_asked_for_the_definition_that_may_run() {
    let mut core = core(TaskState::Assigned, Applied::Nothing);
    assert!(core.may_run());
    core.want(TaskState::Running, 2).unwrap();
    assert_eq!(call(&mut core), (Call::Controller, Definition::Applied));
    drop(core.resolved(refusal(false), 1, now()));
    core.ask_again();
    assert_eq!(call(&mut core), (Call::Controller, Definition::Wanted));
}

#[test]
fn the_deadline_of_an_update_does_not_expire_during_a_shutdown() {
    let mut core = core(TaskState::Running, Applied::Other);
    core.set_policy(Arc::new(Policy::default().with_update_deadline(Duration::from_secs(1))));
    make(&mut core);
    core.inspected(None, now());
    assert_eq!(call(&mut core).0, Call::Update);
    core.want(TaskState::Shutdown, 2).unwrap();
    core.dropped(now());
    core.sleep_ended(Duration::from_secs(9));
    assert_eq!(call(&mut core).0, Call::Operate(Operation::Shutdown));
    assert!(core.rare().refusal.is_none(), "the controller has refused nothing");
}

#[test]
fn a_temporary_error_of_the_executor_leaves_no_applied_definition() {
    let mut core = core(TaskState::Assigned, Applied::Nothing);
    assert_eq!(call(&mut core), (Call::Controller, Definition::Wanted));
    assert_eq!(core.definitions.applied, 1, "a controller may be made of it");
    let later = Problem { error: "busy".into(), is_temporary: true, is_panic: false };
    drop(core.resolved(Err(later), 1, now()));
    assert_eq!(core.definitions.applied, 0, "otherwise it is stored beside the next definition");
}

#[test]
fn a_definition_that_changed_back_during_its_refusal_is_offered_to_a_new_controller() {
    let mut core = core(TaskState::Preparing, Applied::Other);
    make(&mut core);
    assert_eq!(call(&mut core).0, Call::Update);
    core.want(TaskState::Running, 1).unwrap();
    core.want(TaskState::Running, 3).unwrap();
    drop(core.updated(3, refusal(false), now()));
    core.abandoned();
    make(&mut core);
    assert_eq!(call(&mut core), (Call::Update, Definition::Wanted));
}
