//! How a task gets its controller.

use super::clock::WallClock;
use super::error::ControllerError;
use super::executor::{Assignment, Executor};
use super::step::advance;
use crate::lifecycle::{AnyTask, Event, TaskState};
use alloc::boxed::Box;

/// Gets the controller for a task, and records how that went.
///
/// With a controller, a task before ACCEPTED is accepted; any other stays as it
/// is. Without one, a task before STARTING is rejected, one in STARTING or
/// RUNNING has failed, and one that has ended only notes it. The task's status
/// is to be reported either way.
///
/// This is SwarmKit's `Resolve`, with one difference: a status that changed
/// carries the time of the change.
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
/// What the executor answered. Temporary or not, it is final for the task: the
/// status says so already.
///
/// # Cancel safety
///
/// The executor's future does not own the task. Dropped before it is ready, the
/// task is as it was, and `resolve` can be called again.
#[doc(alias = "Resolve")]
pub async fn resolve<E: Executor>(
    task: &mut AnyTask,
    assignment: &Assignment<E::Definition>,
    executor: &E,
    clock: &(impl WallClock + ?Sized),
) -> Result<E::Controller, ControllerError> {
    let controller = executor.controller(assignment).await;
    let event = match &controller {
        Ok(_) if task.state() < TaskState::Accepted => Event::Accepted,
        Ok(_) => return controller,
        Err(error) => Event::Unresolved(Box::new(error.to_failure())),
    };
    // Neither is ever refused: every state takes the one or the other.
    _ = advance(task, assignment.desired_state, event, clock.now());
    controller
}
