//! Records the outcome of each call. Values of the embedder are read and dropped here, outside of
//! the lock. The core gets plain data. `now` is the time at which the call ended.

use super::core::{Logs, Problem};
use super::race::Outcome;
use super::shared::{Shared, Subject};
use crate::agent::panic::{Panic, caught, discard};
use crate::agent::runtime::Now;
use crate::exec::{
    Controller, ControllerError, Executor, Inspection, ProgressReporter, known, trace,
};
use crate::lifecycle::{Answer, Operation};
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;

/// The result of an operation of a controller.
type Returned = Result<(), ControllerError>;

impl Problem {
    /// Reads and drops an error. Both may panic.
    fn of(error: ControllerError, whose: &str) -> Self {
        let read = caught(move || {
            let is_temporary = error.is_retryable();
            Self { error: format!("{error:#}").into(), is_temporary, is_panic: false }
        });
        read.unwrap_or_else(|panic| Self::of_panic(panic, whose))
    }

    fn of_panic(panic: Panic, whose: &str) -> Self {
        let error = panic.of(whose).to_string().into();
        Self { error, is_temporary: false, is_panic: true }
    }
}

/// Prepares a new controller: calls `set_progress`, and stores its logs.
pub(super) fn set_up<E: Executor>(
    shared: &Arc<Shared<E::Definition>>,
    outcome: Outcome<Result<E::Controller, ControllerError>>,
) -> Option<Result<E::Controller, Problem>> {
    let mut controller = match outcome {
        Outcome::Dropped => return None,
        Outcome::Panicked(panic) | Outcome::DropPanicked(panic) => {
            return Some(Err(Problem::of_panic(panic, "executor")));
        }
        Outcome::Answer(Err(error)) => return Some(Err(Problem::of(error, "executor"))),
        Outcome::Answer(Ok(controller)) => controller,
    };
    let weak = Arc::downgrade(shared);
    let progress = ProgressReporter::new(move |line| {
        if let Some(shared) = weak.upgrade() {
            shared.report_progress(line);
        }
    });
    let logs = caught(|| {
        controller.set_progress(progress);
        controller.logs()
    });
    match logs {
        Ok(logs) => {
            shared.set_logs(logs);
            Some(Ok(controller))
        }
        Err(panic) => {
            let problem = Problem::of_panic(panic, "controller");
            discard("controller", controller);
            Some(Err(problem))
        }
    }
}

/// `Executor::controller` has returned, or was dropped.
pub(super) fn resolved<D, C>(
    shared: &Shared<D>,
    now: Now,
    asked: u32,
    made: Option<Result<C, Problem>>,
    slot: &mut Option<C>,
) -> Logs {
    let answer = match made {
        None => return dropped(shared, now),
        Some(Ok(controller)) => {
            *slot = Some(controller);
            Ok(())
        }
        Some(Err(problem)) => Err(problem),
    };
    let refused = answer.is_err();
    let (logs, applied) = shared.with(|state| {
        let logs = state.core.resolved(answer, asked, now);
        // No controller has this definition, so it is not applied.
        let forgets = refused && state.core.definitions.applied == 0;
        (logs, if forgets { state.applied.take() } else { None })
    });
    drop(applied);
    logs
}

/// An operation has returned, or was dropped.
pub(super) fn operated<D>(
    shared: &Shared<D>,
    now: Now,
    operation: Operation,
    outcome: Outcome<Returned>,
) -> Logs {
    let (answer, is_panic) = match outcome {
        Outcome::Dropped => return dropped(shared, now),
        Outcome::DropPanicked(panic) => {
            let error = panic.of("controller").to_string();
            return shared.with(|state| state.core.drop_panicked(error, now));
        }
        Outcome::Answer(Ok(())) => (Answer::Succeeded, false),
        Outcome::Answer(Err(error)) => match caught(move || error.into_answer(operation)) {
            Ok(answer) => (answer, false),
            Err(panic) => (panic.of("controller").into_answer(operation), true),
        },
        Outcome::Panicked(panic) => (panic.of("controller").into_answer(operation), true),
    };
    shared.with(|state| state.core.operated(operation, answer, is_panic, now))
}

/// `update` has returned, or was dropped.
pub(super) fn updated<D: PartialEq>(
    shared: &Shared<D>,
    now: Now,
    offered: &Subject<D>,
    outcome: Outcome<Returned>,
) -> Logs {
    let Some(answer) = answer_of(outcome) else { return dropped(shared, now) };
    let is_taken = answer.is_ok();
    let number = shared.number_of(offered);
    let (logs, before) = shared.with(|state| {
        let logs = state.core.updated(number, answer, now);
        let taken = is_taken.then(|| state.applied.replace(Arc::clone(&offered.assignment)));
        (logs, taken)
    });
    drop(before);
    logs
}

/// `remove` has returned, or was dropped.
pub(super) fn removed<D>(shared: &Shared<D>, now: Now, outcome: Outcome<Returned>) -> Logs {
    let Some(answer) = answer_of(outcome) else { return dropped(shared, now) };
    shared.with(|state| state.core.removed(answer, now))
}

/// `close` has returned.
pub(super) fn closed(outcome: Outcome<Returned>) {
    if let Some(Err(problem)) = answer_of(outcome) {
        tracing::error!(error = &*problem.error, "close of the controller failed");
    }
}

/// `inspect` has returned, or was dropped.
pub(super) fn inspected<D>(shared: &Shared<D>, now: Now, outcome: Outcome<Inspection>) {
    let inspection = match outcome {
        Outcome::Answer(inspection) => inspection,
        Outcome::Dropped => Inspection::default(),
        Outcome::Panicked(panic) | Outcome::DropPanicked(panic) => {
            let error = panic.of("controller");
            tracing::error!(error = format_args!("{error:#}"), "container status unavailable");
            Inspection::default()
        }
    };
    // It may have errors of the embedder, whose code may panic.
    let known = caught(move || {
        trace::inspected(&inspection);
        known(inspection)
    });
    let known = known.unwrap_or_else(|panic| {
        tracing::error!(error = %panic.of("controller"), "container status unavailable");
        None
    });
    shared.with(|state| state.core.inspected(known, now));
}

fn dropped<D>(shared: &Shared<D>, now: Now) -> Logs {
    shared.with(|state| state.core.dropped(now));
    Logs::default()
}

/// The result of a call that does not move the task. None if it was dropped.
fn answer_of(outcome: Outcome<Returned>) -> Option<Result<(), Problem>> {
    match outcome {
        Outcome::Dropped => None,
        Outcome::Answer(Ok(())) => Some(Ok(())),
        Outcome::Answer(Err(error)) => Some(Err(Problem::of(error, "controller"))),
        Outcome::Panicked(panic) | Outcome::DropPanicked(panic) => {
            Some(Err(Problem::of_panic(panic, "controller")))
        }
    }
}
