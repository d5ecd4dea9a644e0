//! One step of a task: decide, perform, advance, inspect.

use super::clock::WallClock;
use super::controller::{Controller, Inquiry, Inspection};
use super::error::ControllerError;
use super::trace;
use crate::lifecycle::{
    AnyTask, ContainerStatus, Decision, Event, EventKind, InvalidTransition, Operation, PortStatus,
    TaskState, decide,
};
use core::num::NonZeroI32;
use time::UtcDateTime;

/// What a step came to, and so what to do next.
///
/// It does not say whether the status has changed: any step can change that,
/// also one that had nothing to do but ask for the container, or one that was
/// dropped while it asked. [`AnyTask::take_changed`] says that.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[must_use = "it says what to do next"]
pub enum Outcome {
    /// The task has moved: step on.
    Advanced,
    /// There is nothing to do until another state is desired: wait for that.
    #[doc(alias = "ErrTaskNoop")]
    Noop,
    /// The task has ended: there is nothing to do any more, ever.
    #[doc(alias = "ErrTaskDead")]
    Dead,
    /// The operation is to be tried again: wait a while, then step again.
    #[doc(alias = "ErrTaskRetry")]
    Retry,
}

/// Takes a task one step towards the `desired` state, by at most one operation
/// of its controller.
///
/// It decides with [`decide`], [`perform`]s the operation, [`advance`]s the
/// task, and [`inspect`]s what came of it. Errors of the controller are the
/// task's and go into its status. What happens is logged; call it inside the
/// task's [span](super::task_span), so that the log says which task it is.
///
/// Of the controller it calls `prepare`, `start`, `wait`, `shutdown` and
/// `inspect`. `update`, `terminate`, `remove` and `close` are for whoever loops.
///
/// This is SwarmKit's `Do` (`agent/exec/controller.go`), with the differences
/// that `docs/swarmkit.md` lists.
///
/// # Cancel safety
///
/// The operation's future does not own the task, so it is never lost. Dropped before the operation
/// has returned, the task is where it was; dropped after, during the inquiry,
/// it is where the operation took it. The next `step` goes on from there.
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
/// // A controller that never asks for another try needs no more of a loop.
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
    let event = match decide(task.state(), desired) {
        Decision::Rest => None,
        Decision::Record(event) => Some(event),
        Decision::Perform(operation) => Some(perform(operation, controller).await),
    };
    let progress = match event {
        Some(event) => advance(task, desired, event, clock.now()).unwrap_or_default(),
        None => Progress::resting(task),
    };
    if task.state() >= TaskState::Starting {
        inspect(task, controller, progress, clock).await;
    }
    progress.outcome
}

/// Performs an operation and says what happened; [`advance`] records it.
///
/// ```
/// use onward::exec::{Controller, WallClock, advance, inspect, perform};
/// use onward::lifecycle::{AnyTask, InvalidTransition, Operation, TaskState};
///
/// /// The last resort, which `step` never takes.
/// async fn terminate(
///     task: &mut AnyTask,
///     controller: &mut impl Controller,
///     clock: &impl WallClock,
/// ) -> Result<(), InvalidTransition> {
///     let event = perform(Operation::Terminate, controller).await;
///     let progress = advance(task, TaskState::Shutdown, event, clock.now())?;
///     inspect(task, controller, progress, clock).await;
///     Ok(())
/// }
/// ```
///
/// # Cancel safety
///
/// That of the operation; see [`Controller`].
pub async fn perform<C: Controller>(operation: Operation, controller: &mut C) -> Event {
    let answer = match operation {
        Operation::Prepare => controller.prepare().await,
        Operation::Start => controller.start().await,
        Operation::Wait => controller.wait().await,
        Operation::Shutdown => controller.shutdown().await,
        Operation::Terminate => controller.terminate().await,
    };
    outcome(operation, answer)
}

/// What has happened when an operation has answered this.
#[inline]
pub fn outcome(operation: Operation, answer: Result<(), ControllerError>) -> Event {
    match answer {
        Ok(()) => operation.succeeded(),
        Err(error) => error.into_event(operation),
    }
}

/// What recording an event came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// What to do next.
    pub outcome: Outcome,
    /// Whether the event had the container's status.
    container_is_known: bool,
    /// The exit code that was recorded, as the task ended with it.
    exit_code: Option<NonZeroI32>,
}

impl Default for Progress {
    /// None: there was nothing to record.
    fn default() -> Self {
        Self { outcome: Outcome::Noop, container_is_known: false, exit_code: None }
    }
}

impl Progress {
    /// There was nothing to do, for now or for ever.
    fn resting(task: &AnyTask) -> Self {
        let outcome = if task.state().is_terminal() { Outcome::Dead } else { Outcome::Noop };
        Self { outcome, ..Self::default() }
    }
}

/// Records an event on a task, and logs what it was.
///
/// # Errors
///
/// The event that the task refused. It is logged, and nothing has changed. What
/// [`decide`] and [`perform`] make is never refused.
pub fn advance(
    task: &mut AnyTask,
    desired: TaskState,
    event: Event,
    at: UtcDateTime,
) -> Result<Progress, InvalidTransition> {
    let from = task.state();
    let kind = event.kind();
    let failure = event.failure();
    let has_failure = failure.is_some();
    let container_is_known = failure.is_some_and(|failure| failure.container_status.is_some());
    let exit_code = failure.filter(|_| kind == EventKind::Failed).and_then(|f| f.exit_code);

    task.advance(event, at).inspect_err(trace::refused)?;
    if has_failure {
        trace::recorded(kind, task);
    }
    trace::state_change(from, task.state(), desired);
    let outcome = if task.state() != from {
        Outcome::Advanced
    } else if from.is_terminal() {
        Outcome::Dead
    } else {
        Outcome::Retry
    };
    Ok(Progress { outcome, container_is_known, exit_code })
}

/// Asks the controller for its container and its ports, and notes the answer.
/// What an error has told of the container, in the `progress` before this, comes
/// before what the controller says.
///
/// A failed inquiry is logged and changes nothing. Where there was no progress,
/// there is `Progress::default()`: so a task can be looked at between two steps,
/// too.
///
/// # Cancel safety
///
/// Dropped, nothing is noted.
pub async fn inspect<C: Controller>(
    task: &mut AnyTask,
    controller: &mut C,
    progress: Progress,
    clock: &(impl WallClock + ?Sized),
) {
    let inspection = controller.inspect().await;
    note(task, inspection, progress, clock);
}

/// Notes what a controller has said of its container and its ports; see
/// [`inspect`].
#[inline]
pub fn note(
    task: &mut AnyTask,
    inspection: Inspection,
    progress: Progress,
    clock: &(impl WallClock + ?Sized),
) {
    // In line, for then an inspection without news is not even moved.
    match (inspection.container_status, inspection.port_status) {
        (Inquiry::NothingNew, Inquiry::NothingNew) => {}
        (container_status, port_status) => {
            note_news(task, container_status, port_status, progress, clock);
        }
    }
}

#[inline(never)]
fn note_news(
    task: &mut AnyTask,
    container_status: Inquiry<ContainerStatus>,
    port_status: Inquiry<PortStatus>,
    progress: Progress,
    clock: &(impl WallClock + ?Sized),
) {
    let container_status = answer("container status", container_status)
        .filter(|_| !progress.container_is_known)
        .map(|status| match progress.exit_code {
            Some(exit_code) => ContainerStatus { exit_code: exit_code.get(), ..status },
            None => status,
        })
        .filter(|status| task.container_status() != Some(status).filter(|s| !s.is_empty()));
    let port_status =
        answer("container port status", port_status).filter(|ports| task.port_status() != ports);
    // The clock is read only where there is something to write.
    if container_status.is_some() || port_status.is_some() {
        task.inspected(container_status, port_status, clock.now());
    }
}

/// The answer, if there is one.
fn answer<T>(of: &'static str, inquiry: Inquiry<T>) -> Option<T> {
    match inquiry {
        Inquiry::NothingNew => None,
        Inquiry::Is(answer) => Some(answer),
        Inquiry::Failed(error) => {
            trace::failed_inquiry(of, &error);
            None
        }
    }
}
