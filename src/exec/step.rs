//! One step of a task: decide, perform, advance, inspect.

use super::clock::WallClock;
use super::controller::{Controller, Inquiry};
use super::trace;
use crate::lifecycle::{AnyTask, Decision, Event, Failure, Operation, TaskState, decide};
use core::num::NonZeroI32;
use time::UtcDateTime;

/// What a step came to, and so what to do next.
///
/// It does not say whether the status has changed: any step can change that,
/// also one that had nothing to do but ask for the container, or one that was
/// dropped while it asked. Report the status whenever it differs from the one
/// that was reported last.
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
/// task's and go into its status.
///
/// This is SwarmKit's `Do` (`agent/exec/controller.go`), with the differences
/// that `docs/architecture.md` lists.
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
///     println!("{}", task.message());
/// }
/// assert_eq!(task.state(), TaskState::Complete);
/// # });
/// ```
#[doc(alias = "Do")]
pub async fn step<C: Controller>(
    task: &mut AnyTask,
    desired: TaskState,
    controller: &mut C,
    clock: &impl WallClock,
) -> Outcome {
    let mut known = Known::default();
    let outcome = match decide(task.state(), desired) {
        Decision::Rest if task.state().is_terminal() => Outcome::Dead,
        Decision::Rest => Outcome::Noop,
        Decision::Record(event) => advance(task, desired, event, clock.now()),
        Decision::Perform(operation) => {
            let event = perform(operation, controller).await;
            known = Known::from(&event);
            advance(task, desired, event, clock.now())
        }
    };
    if task.state() >= TaskState::Starting {
        inspect(task, controller, known, clock).await;
    }
    outcome
}

/// Performs an operation and says what happened; [`advance`] records it.
///
/// ```
/// use onward::exec::{Controller, Outcome, WallClock, advance, perform};
/// use onward::lifecycle::{AnyTask, Operation, TaskState};
///
/// /// The last resort, which `step` never takes.
/// async fn terminate(
///     task: &mut AnyTask,
///     controller: &mut impl Controller,
///     clock: &impl WallClock,
/// ) -> Outcome {
///     let event = perform(Operation::Terminate, controller).await;
///     advance(task, TaskState::Shutdown, event, clock.now())
/// }
/// ```
///
/// # Cancel safety
///
/// That of the operation; see [`Controller`].
pub async fn perform<C: Controller>(operation: Operation, controller: &mut C) -> Event {
    let (answer, done) = match operation {
        Operation::Prepare => (controller.prepare().await, Event::Prepared),
        Operation::Start => (controller.start().await, Event::Started),
        Operation::Wait => (controller.wait().await, Event::Finished),
        Operation::Shutdown => (controller.shutdown().await, Event::ShutDown),
        Operation::Terminate => (controller.terminate().await, Event::Terminated),
    };
    match answer {
        Ok(()) => done,
        Err(error) => error.into_event(operation),
    }
}

/// Records an event on a task, and logs the change of its state.
///
/// An event that the task refuses changes nothing and is logged; [`decide`] and
/// [`perform`] never make one.
pub fn advance(task: &mut AnyTask, desired: TaskState, event: Event, at: UtcDateTime) -> Outcome {
    let from = task.state();
    trace::failure(&event);
    if let Err(refused) = task.advance(event, at) {
        trace::refused(&refused);
        return Outcome::Noop;
    }
    trace::state_change(from, task.state(), desired);
    if task.state() == from { Outcome::Retry } else { Outcome::Advanced }
}

/// Asks the controller for its container and its ports, and notes the answer;
/// what is `known` from the operation's own error comes before it.
///
/// A failed inquiry is logged and changes nothing. Where there was no operation,
/// nothing is `known`: `Known::default()`. So it can be called between two
/// steps, too, for instance to look again while a task runs.
///
/// # Cancel safety
///
/// Dropped, nothing is noted.
pub async fn inspect<C: Controller>(
    task: &mut AnyTask,
    controller: &mut C,
    known: Known,
    clock: &impl WallClock,
) {
    let inspection = controller.inspect().await;
    let container_status = answer("container status", inspection.container_status)
        .filter(|_| !known.container_status)
        .map(|mut status| {
            if let Some(exit_code) = known.exit_code {
                status.exit_code = exit_code.get();
            }
            status
        });
    let port_status = answer("container port status", inspection.port_status);
    if container_status.is_some() || port_status.is_some() {
        task.inspected(container_status, port_status, clock.now());
    }
}

/// What an operation's own error has said of the container already.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Known {
    /// Whether it had the container's status.
    container_status: bool,
    /// The exit code that was recorded, as the task ended with it.
    exit_code: Option<NonZeroI32>,
}

impl From<&Event> for Known {
    fn from(event: &Event) -> Self {
        let carried = |failure: &Failure| failure.container_status.is_some();
        Self {
            container_status: event.failure().is_some_and(carried),
            exit_code: if let Event::Failed(failure) = event { failure.exit_code } else { None },
        }
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
