//! `step`: runs one step of a task. It decides, performs, records and inspects.

use super::clock::WallClock;
use super::controller::{Controller, Inspected, Inspection};
use super::trace;
use crate::lifecycle::{
    Answer, AnyTask, ContainerStatus, Decision, EventKind, Operation, PortStatus, TaskState, decide,
};
use core::fmt;
use core::num::NonZeroI32;

/// The result of a step: what the loop does next.
///
/// It does not show whether the status has changed, because every step can change it. A
/// step that only inspected the container can change the status, and so can one whose
/// future was dropped. Call [`AnyTask::take_changed`] after each step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[must_use = "the outcome decides what to do next"]
pub enum Outcome {
    /// The task has moved. Call `step` again.
    Advanced,
    /// There is nothing to do. Wait until the desired state changes.
    #[doc(alias = "ErrTaskNoop")]
    Noop,
    /// The task has ended. No further step does anything.
    #[doc(alias = "ErrTaskDead")]
    Dead,
    /// The operation failed and can be retried. Wait, then call `step` again.
    #[doc(alias = "ErrTaskRetry")]
    Retry,
}

/// Moves a task one step towards the `desired` state, with at most one operation of its
/// controller.
///
/// It calls [`decide`], runs the operation with [`perform`], and records the answer with
/// [`AnyTask::record`]. From STARTING on it then calls [`Controller::inspect`]. Errors of
/// the controller are recorded in the task's status. Changes and errors are logged. Call
/// `step` in the task's [span](super::task_span), so that the log names the task.
///
/// It calls `prepare`, `start`, `wait`, `shutdown` and `inspect` of the controller. Your
/// loop calls `update`, `terminate`, `remove` and `close`.
///
/// This is SwarmKit's `Do` (`agent/exec/controller.go`). `docs/swarmkit.md` lists the
/// differences.
///
/// # Cancel safety
///
/// It is cancel-safe. If you drop its future, the task is either unchanged or has already
/// recorded the finished operation. The next `step` continues from there.
///
/// ```
/// use onward::exec::{Outcome, SystemClock, step};
/// use onward::lifecycle::{AnyTask, TaskState, TaskStatus};
/// # use onward::exec::{Controller, ControllerError};
/// # struct Nothing;
/// # impl Controller for Nothing {
/// #     type Definition = ();
/// #     async fn start(&mut self) -> Result<(), ControllerError> { Ok(()) }
/// #     async fn wait(&mut self) -> Result<(), ControllerError> { Ok(()) }
/// #     async fn shutdown(&mut self) -> Result<(), ControllerError> { Ok(()) }
/// # }
/// # let mut controller = Nothing;
///
/// # futures::executor::block_on(async {
/// // This is the whole loop, if the controller returns no temporary errors.
/// let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
/// while step(&mut task, TaskState::Running, &mut controller, &SystemClock).await
///     == Outcome::Advanced
/// {
///     if let Some(status) = task.take_changed() {
///         println!("{}: {}", status.state, status.message);
///     }
/// }
/// assert_eq!(task.state(), TaskState::Complete);
/// # });
/// ```
#[doc(alias = "Do")]
pub async fn step<C: Controller>(
    task: &mut AnyTask,
    desired: TaskState,
    controller: &mut C,
    clock: &(impl WallClock + ?Sized),
) -> Outcome {
    let from = task.state();
    let mut from_error = FromError::default();
    let outcome = match decide(from, desired) {
        Decision::Rest if from.is_terminal() => Outcome::Dead,
        Decision::Rest => Outcome::Noop,
        Decision::Record(event) => {
            let kind = event.kind();
            let recorded = task.advance(event, clock.now());
            log(recorded.map(|()| kind), from, desired, task)
        }
        Decision::Perform(operation) => {
            let answer = perform(operation, controller).await;
            let kind = answer.kind(operation);
            from_error = FromError::of(&answer);
            let recorded = task.record(operation, answer, clock.now());
            log(recorded.map(|()| kind), from, desired, task)
        }
    };
    if task.state() >= TaskState::Starting {
        let inspection = controller.inspect().await;
        trace::inspected(&inspection);
        let news = known(inspection).and_then(|news| differing(task, news, from_error));
        if let Some((container_status, port_status)) = news {
            task.inspected(container_status, port_status, clock.now());
        }
    }
    outcome
}

/// Logs the recorded event of a task that was in the state `from`. Returns the outcome of
/// the step.
fn log(
    recorded: Result<EventKind, impl fmt::Display>,
    from: TaskState,
    desired: TaskState,
    task: &AnyTask,
) -> Outcome {
    match recorded {
        Ok(event) => trace::recorded(event, from, task.state(), desired, task.err()),
        // A task accepts every decision of `decide` for its state. `tests/table.rs`
        // checks all pairs. If one were refused, a retry would be refused too.
        Err(refused) => {
            trace::refused(&refused);
            return Outcome::Noop;
        }
    }
    if task.state() == from { Outcome::Retry } else { Outcome::Advanced }
}

/// Runs one operation of a controller, and returns its answer for [`AnyTask::record`].
///
/// ```
/// use onward::exec::{Controller, WallClock, perform};
/// use onward::lifecycle::{AnyTask, InvalidOperationError, Operation};
///
/// /// Stops a task by force, which `step` never does.
/// async fn terminate(
///     task: &mut AnyTask,
///     controller: &mut impl Controller,
///     clock: &impl WallClock,
/// ) -> Result<(), InvalidOperationError> {
///     let answer = perform(Operation::Terminate, controller).await;
///     task.record(Operation::Terminate, answer, clock.now())
/// }
/// ```
///
/// # Cancel safety
///
/// The same as that of the operation; see [`Controller`].
pub async fn perform<C: Controller>(operation: Operation, controller: &mut C) -> Answer {
    let result = match operation {
        Operation::Prepare => controller.prepare().await,
        Operation::Start => controller.start().await,
        Operation::Wait => controller.wait().await,
        Operation::Shutdown => controller.shutdown().await,
        Operation::Terminate => controller.terminate().await,
    };
    match result {
        Ok(()) => Answer::Succeeded,
        Err(error) => error.into_answer(operation),
    }
}

/// The container's data in the error of an answer. It takes precedence over the
/// inspection that follows the answer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct FromError {
    /// Whether the error has the container's status.
    has_container_status: bool,
    /// The exit code, if the task ended with it.
    exit_code: Option<NonZeroI32>,
}

impl FromError {
    pub(crate) fn of(answer: &Answer) -> Self {
        let failure = answer.failure();
        let ended = failure.filter(|_| matches!(answer, Answer::Failed(_)));
        Self {
            has_container_status: failure.is_some_and(|f| f.container_status.is_some()),
            exit_code: ended.and_then(|failure| failure.exit_code),
        }
    }
}

/// A container status and ports that differ from those of the task.
pub(crate) type News = (Option<ContainerStatus>, Option<PortStatus>);

/// The values of an inspection, or `None` if it has none.
#[inline]
pub(crate) fn known(inspection: Inspection) -> Option<News> {
    // Inlined, so that an inspection without values is not even moved.
    match (inspection.container_status, inspection.port_status) {
        (Inspected::Unchanged, Inspected::Unchanged) => None,
        (container_status, port_status) => Some((value(container_status), value(port_status))),
    }
}

/// The values of an inspection that differ from the task's status, or `None` if all are
/// equal. [`AnyTask::inspected`] records them.
#[inline(never)]
pub(crate) fn differing(
    task: &AnyTask,
    (container_status, port_status): News,
    from_error: FromError,
) -> Option<News> {
    let container_status = container_status
        .filter(|_| !from_error.has_container_status)
        .map(|status| match from_error.exit_code {
            Some(code) => ContainerStatus { exit_code: Some(code.get()), ..status },
            None => status,
        })
        .filter(|status| task.container_status() != Some(status).filter(|s| !s.is_empty()));
    let port_status = port_status.filter(|ports| task.port_status() != ports);
    (container_status.is_some() || port_status.is_some()).then_some((container_status, port_status))
}

/// The value, if it is known.
fn value<T>(inspected: Inspected<T>) -> Option<T> {
    match inspected {
        Inspected::Known(value) => Some(value),
        Inspected::Unchanged | Inspected::Failed(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifecycle::TaskStatus;

    #[test]
    fn a_refused_record_rests_and_a_recorded_one_advances_or_is_retried() {
        let task = AnyTask::resume(TaskStatus::new(TaskState::Ready));
        let outcome = |from, recorded: Result<EventKind, &str>| {
            log(recorded, from, TaskState::Running, &task)
        };
        assert_eq!(outcome(TaskState::Preparing, Err("refused")), Outcome::Noop);
        assert_eq!(outcome(TaskState::Preparing, Ok(EventKind::Prepared)), Outcome::Advanced);
        assert_eq!(outcome(TaskState::Ready, Ok(EventKind::Delayed)), Outcome::Retry);
    }
}
