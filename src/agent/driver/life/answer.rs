//! What becomes of an answer of the controller.

use super::{Because, Call, Goal, Life, Offer, Retries, exceeded};
use crate::agent::driver::Ended;
use crate::agent::timer::Timer;
use crate::exec::{ControllerError, FromError, Inspection, WallClock, news, trace};
use crate::lifecycle::{Answer, Event, EventKind, Operation, TaskState};
use alloc::boxed::Box;
use alloc::format;
use core::mem;
use core::time::Duration;
use time::UtcDateTime;

impl<D> Life<D> {
    /// An operation has returned.
    pub(in crate::agent::driver) fn operated(
        &mut self,
        operation: Operation,
        answer: Result<(), ControllerError>,
        timer: &impl Timer,
        clock: &impl WallClock,
    ) {
        let answer = answer.map_or_else(|e| e.into_answer(operation), |()| Answer::Succeeded);
        let again = matches!(answer, Answer::Delayed(_) | Answer::Interrupted(_));
        let retry_at = self.delay(Call::Operate(operation), timer, again);
        let answer = match (answer, operation, self.last_resort) {
            (Answer::Failed(failure), Operation::Shutdown, _) => {
                self.resort(Because::Shutdown);
                // Not the end: it is noted, and the workload ended by force.
                Answer::Delayed(failure)
            }
            (Answer::Succeeded, Operation::Terminate, Some(Because::StartDeadline)) => {
                let late = exceeded(Operation::Start, self.policy.start_deadline);
                Answer::Failed(Box::new(late))
            }
            (Answer::Failed(mut failure), Operation::Terminate, Some(Because::StartDeadline)) => {
                let late = exceeded(Operation::Start, self.policy.start_deadline).err;
                failure.err = format!("{late}; terminate: {}", failure.err).into();
                Answer::Failed(failure)
            }
            (answer, _, _) => answer,
        };
        self.record_answer(operation, answer, clock.now());
        // What is called instead does not wait (rules 3 and 9).
        let superseded = self.urgent && operation != Operation::Terminate;
        self.retry_at = retry_at.filter(|_| !superseded && self.goal == Goal::Live);
    }

    /// The controller has taken, or not taken, the definition after so many
    /// changes (rule 5).
    pub(in crate::agent::driver) fn updated(
        &mut self,
        offer: &Offer<D>,
        answer: Result<(), ControllerError>,
        timer: &impl Timer,
    ) {
        let again = answer.as_ref().is_err_and(ControllerError::is_retryable);
        self.update_retry_at = self.delay(Call::Update, timer, again);
        if self.update_retry_at.is_some() {
            delayed("update", &answer);
            return;
        }
        self.taken = offer.changes;
        self.refused = answer.err().map(|error| {
            let reason = format!("{error:#}");
            tracing::warn!(version = offer.version, error = reason, "definition refused");
            Box::new((offer.version, reason))
        });
    }

    /// The controller has removed what the task had, or has not (rule 9).
    pub(in crate::agent::driver) fn removed(
        &mut self,
        answer: Result<(), ControllerError>,
        timer: &impl Timer,
    ) {
        let again = answer.as_ref().is_err_and(ControllerError::is_retryable);
        self.retry_at = self.delay(Call::Remove, timer, again);
        if self.retry_at.is_some() {
            delayed("removal", &answer);
        } else {
            self.goal = self.goal.max(Goal::Close);
            self.ended = answer.map_or_else(Ended::Left, |()| Ended::Removed);
            if let Ended::Left(error) = &self.ended {
                tracing::error!(error = format_args!("{error:#}"), "task not removed");
            }
        }
    }

    /// When a call that has returned is tried again, if it is; counts how often
    /// it was (rule 7).
    fn delay(&mut self, call: Call, timer: &impl Timer, again: bool) -> Option<Duration> {
        let before = self.retries.count(call, again)?;
        if !again {
            return None;
        }
        let delay = self.jitter.delay(&self.policy, before.into());
        Some(timer.now().saturating_add(delay))
    }

    /// Records an event.
    pub(in crate::agent::driver) fn record(&mut self, event: Event, at: UtcDateTime) {
        let (before, kind) = (self.task.state(), event.kind());
        self.from_error = FromError::default();
        match self.task.advance(event, at) {
            Ok(()) => self.recorded(kind, before, at),
            Err(refused) => trace::refused(&refused),
        }
    }

    fn record_answer(&mut self, operation: Operation, answer: Answer, at: UtcDateTime) {
        let (before, kind) = (self.task.state(), answer.kind(operation));
        self.from_error = FromError::of(&answer);
        match self.task.record(operation, answer, at) {
            Ok(()) => self.recorded(kind, before, at),
            Err(refused) => trace::refused(&refused),
        }
    }

    fn recorded(&mut self, kind: EventKind, before: TaskState, at: UtcDateTime) {
        let after = self.task.state();
        self.history.push(at, kind);
        trace::recorded(kind, before, after, self.desired, self.task.err());
        // Not before the end is called for: an inquiry may take its time.
        let pressing = self.urgent || (self.last_resort.is_some() && !after.is_terminal());
        self.inspection_due = after >= TaskState::Starting && !pressing;
        if before != after {
            self.since = at;
            self.retries = Retries::default();
            self.retry_at = None;
            self.update_retry_at = None;
            self.deadline = None;
        }
    }

    /// The controller has said what its container and its ports are, or has not,
    /// and is not asked again until something has happened.
    pub(in crate::agent::driver) fn inspected(
        &mut self,
        answer: Option<Inspection>,
        clock: &impl WallClock,
    ) {
        self.inspection_due = false;
        let from_error = mem::take(&mut self.from_error);
        let Some(inspection) = answer else { return };
        trace::inspected(&inspection);
        if let Some((container_status, ports)) = news(&self.task, inspection, from_error) {
            self.task.inspected(container_status, ports, clock.now());
        }
    }
}

/// What is no operation, and so not told by the status, is tried again.
fn delayed(what: &str, answer: &Result<(), ControllerError>) {
    if let Err(error) = answer {
        tracing::debug!(error = format_args!("{error:#}"), "{what} delayed");
    }
}
