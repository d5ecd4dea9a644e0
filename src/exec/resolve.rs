//! `resolve`: gets the controller of a task from the executor.

use super::clock::WallClock;
use super::error::ControllerError;
use super::executor::{Assignment, Executor};
use super::trace;
use crate::lifecycle::{AnyTask, TaskState};

/// Gets the controller of a task from the executor, and records the result with
/// [`AnyTask::resolved`].
///
/// With a controller, a task before ACCEPTED becomes ACCEPTED. Any other task keeps its
/// state. Without one, a task before STARTING becomes REJECTED, and one in STARTING or
/// RUNNING becomes FAILED. A task that has ended only notes the error. Report the task's
/// status in both cases.
///
/// This is SwarmKit's `Resolve`, with one difference: a changed status has the time of
/// the change.
///
/// ```
/// use onward::exec::SystemClock;
/// use onward::testing::{Script, ScriptedExecutor};
/// use onward::{AnyTask, Assignment, Task, TaskState, resolve};
///
/// let executor = ScriptedExecutor::new(|_| Script::new());
/// let (mut task, assignment) = (AnyTask::from(Task::new()), Assignment::new("web.1", ()));
/// let resolved = resolve(&mut task, &assignment, &executor, &SystemClock);
/// let controller = futures::executor::block_on(resolved);
/// assert!(controller.is_ok());
/// assert_eq!(task.state(), TaskState::Accepted);
/// ```
///
/// # Errors
///
/// The executor's error. It is final for the task, even if it is temporary, because it is
/// already recorded in the status.
///
/// # Cancel safety
///
/// It is cancel-safe: the executor's future does not own the task. If you drop the future
/// of `resolve`, the task is unchanged, and you can call `resolve` again.
#[doc(alias = "Resolve")]
pub async fn resolve<E: Executor>(
    task: &mut AnyTask,
    assignment: &Assignment<E::Definition>,
    executor: &E,
    clock: &(impl WallClock + ?Sized),
) -> Result<E::Controller, ControllerError> {
    let controller = executor.controller(assignment).await;
    let answer = match &controller {
        // There is nothing to record, so the clock is not read.
        Ok(_) if task.state() >= TaskState::Accepted => return controller,
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_failure()),
    };
    let from = task.state();
    if let Some(event) = task.resolved(answer, clock.now()) {
        trace::recorded(event, from, task.state(), assignment.desired_state, task.err());
    }
    controller
}
