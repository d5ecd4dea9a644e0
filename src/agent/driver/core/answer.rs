//! The consequence of the result of each call.

use super::{At, Call, Core, Exit, Goal, Has, Log, Logs, TerminateReason};
use crate::agent::runtime::Now;
use crate::exec::{FromError, News, differing};
use crate::lifecycle::{Answer, Decision, Event, EventKind, Failure, Operation, TaskState};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::mem;
use core::time::Duration;

/// The definition of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::agent::driver) enum Definition {
    Wanted,
    Applied,
}

/// Why a call failed: the text of the error, and its kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::agent::driver) struct Problem {
    pub(in crate::agent::driver) error: Box<str>,
    /// Whether the call is retried.
    pub(in crate::agent::driver) is_temporary: bool,
    /// Whether the call panicked. The workload may still run.
    pub(in crate::agent::driver) is_panic: bool,
}

impl Core {
    /// A call was dropped before its end. [`next`](Self::next) decides again.
    pub(in crate::agent::driver) fn dropped(&mut self, now: Now) {
        self.over(now);
    }

    /// An interrupted operation panicked when it was dropped. The workload may run, so `terminate`
    /// is called, and then the task fails (12).
    pub(in crate::agent::driver) fn drop_panicked(&mut self, error: String, now: Now) -> Logs {
        self.over(now);
        if self.goal != Goal::Live || self.task.state().is_terminal() {
            return Log::Panicked(error.into()).into();
        }
        let log = Log::Panicked(error.as_str().into());
        Logs::from(log).and(self.fail_after_terminate(Box::new(Failure::new(error))))
    }

    /// The driver has panicked outside of a call. `terminate` is called, and then the task fails
    /// (12). Returns none if the driver must end: it has panicked again, or the task cannot fail
    /// any more.
    pub(in crate::agent::driver) fn panicked(&mut self, error: String, now: Now) -> Option<Logs> {
        self.over(now);
        self.unreported = true;
        let is_removed = self.goal == Goal::Remove || self.remove_later;
        let has_ended = self.task.state().is_terminal();
        if self.goal == Goal::Live && !is_removed && !has_ended && self.terminate_reason().is_none()
        {
            return Some(self.fail_after_terminate(Box::new(Failure::new(error))).into());
        }
        self.rare_mut().last_error = Some(error.as_str().into());
        if is_removed {
            self.rare_mut().removal_error = Some(error.as_str().into());
            self.exit = Exit::RemovalFailed;
        }
        // The caller has logged the panic.
        if self.goal < Goal::Close && !has_ended {
            _ = self.unresolved(error, now);
        }
        None
    }

    /// `Executor::controller` has returned. `asked` is the number of the definition that it was
    /// called with (15).
    pub(in crate::agent::driver) fn resolved(
        &mut self,
        answer: Result<(), Problem>,
        asked: u32,
        now: Now,
    ) -> Logs {
        self.over(now);
        self.unreported = true;
        let Err(problem) = answer else {
            self.has = Has::Controller;
            self.definitions.made();
            self.change_rare(|rare| rare.last_error = None);
            self.change_rare(|rare| _ = rare.retries.count(Call::Controller, false));
            if self.goal == Goal::Live {
                self.deadline = At::NEVER;
            }
            return self.accepted(now);
        };
        let removing = self.goal == Goal::Remove;
        let again = problem.is_temporary || (removing && problem.is_panic);
        self.retry_at = self.delay(Call::Controller, now, again).into();
        if again {
            if !self.definitions.is_taken && !self.may_run {
                // No controller was made with this definition.
                self.definitions.applied = 0;
            }
            self.rare_mut().last_error = Some(problem.error.clone());
            if self.task.state().is_terminal() || removing {
                return Log::CallDelayed("controller", problem.error).into();
            }
            let failure = Box::new(Failure::new(String::from(problem.error)));
            return self.event(Event::Delayed(failure), now);
        }
        // A panic is not a refusal of the definition.
        if !problem.is_panic {
            self.definitions.unresolvable = asked;
            if !self.definitions.is_taken {
                self.definitions.applied = 0;
                if asked != self.definitions.wanted {
                    // The definition has changed in between: the executor is asked for the new
                    // one.
                    self.rare_mut().last_error = Some(problem.error.clone());
                    return Log::CallDelayed("controller", problem.error).into();
                }
            }
        }
        self.has = Has::Refusal;
        self.deadline = At::NEVER;
        self.change_rare(|rare| rare.last_error = None);
        if removing {
            // By the contract of the executor, there is nothing to remove.
            self.exit = Exit::Removed;
            self.goal = Goal::Close;
            return Log::Forgotten(problem.error).into();
        }
        self.unresolved(problem.error.into(), now)
    }

    fn accepted(&mut self, now: Now) -> Logs {
        let from = self.task.state();
        match self.task.resolved(Ok(()), now.utc) {
            Some(event) => self.recorded(event, FromError::default(), from, now),
            None => Logs::default(),
        }
    }

    /// There is no controller. The task is REJECTED or FAILED, unless it has ended already.
    pub(super) fn unresolved(&mut self, error: String, now: Now) -> Logs {
        let from = self.task.state();
        match self.task.resolved(Err(Failure::new(error)), now.utc) {
            Some(event) => self.recorded(event, FromError::default(), from, now),
            None => Logs::default(),
        }
    }

    /// An operation has returned. A panic is a failure for good, and the workload may run (12).
    pub(in crate::agent::driver) fn operated(
        &mut self,
        operation: Operation,
        answer: Answer,
        is_panic: bool,
        now: Now,
    ) -> Logs {
        self.over(now);
        let again = matches!(answer, Answer::Delayed(_) | Answer::Interrupted(_));
        let retry_at = self.delay(Call::Operate(operation), now, again);
        let mut terminates = None;
        let answer = match (answer, operation, self.terminate_reason()) {
            (Answer::Failed(failure), Operation::Shutdown, _) => {
                terminates = Some(TerminateReason::Shutdown);
                // This does not end the task: the error is noted, and `terminate` is called.
                Answer::Delayed(failure)
            }
            (Answer::Succeeded, Operation::Terminate, Some(TerminateReason::Failure(failure))) => {
                Answer::Failed(failure.clone())
            }
            (
                Answer::Failed(error),
                Operation::Terminate,
                Some(TerminateReason::Failure(first)),
            ) => Answer::Failed(Box::new(both(first, *error))),
            (Answer::Failed(failure), operation, None)
                if is_panic || (self.may_run && operation == Operation::Prepare) =>
            {
                terminates = Some(TerminateReason::Failure(failure.clone()));
                Answer::Delayed(failure)
            }
            (answer, _, _) => answer,
        };
        let logs = self.record(operation, answer, now);
        match terminates {
            Some(TerminateReason::Shutdown) => {
                let reason = "its shutdown did not succeed";
                return logs.and(self.must_terminate(TerminateReason::Shutdown, reason));
            }
            Some(TerminateReason::Failure(failure)) => {
                return logs.and(self.fail_after_terminate(failure));
            }
            None => {}
        }
        // A shutdown, a removal and a close do not wait for the delay (3, 9).
        let superseded = self.urgent && operation != Operation::Terminate;
        self.retry_at = retry_at.filter(|_| !superseded && self.goal == Goal::Live).into();
        logs
    }

    /// `update` has returned, for the definition of this number (5).
    pub(in crate::agent::driver) fn updated(
        &mut self,
        offered: u32,
        answer: Result<(), Problem>,
        now: Now,
    ) -> Logs {
        self.over(now);
        self.unreported = true;
        let again = answer.as_ref().is_err_and(|problem| problem.is_temporary);
        let retry_at = self.delay(Call::Update, now, again);
        if again {
            self.rare_mut().update_retry_at = retry_at;
        }
        self.definitions.is_offered = false;
        self.definitions.is_changed |= again;
        match answer {
            Ok(()) => {
                self.definitions.applied = offered;
                self.definitions.is_taken = true;
                self.change_rare(|rare| rare.update_deadline = None);
                self.change_rare(|rare| rare.last_error = None);
                self.change_rare(|rare| rare.refusal = None);
                Logs::default()
            }
            Err(problem) if again => {
                self.rare_mut().last_error = Some(problem.error.clone());
                Log::CallDelayed("update", problem.error).into()
            }
            Err(problem) => self.refuse_offer(offered, problem.error).into(),
        }
    }

    /// The wanted definition counts as refused.
    pub(super) fn refuse(&mut self, reason: Box<str>) -> Log {
        self.definitions.is_offered = false;
        self.definitions.is_changed = false;
        self.refuse_offer(self.definitions.wanted, reason)
    }

    fn refuse_offer(&mut self, offered: u32, reason: Box<str>) -> Log {
        let log = Log::DefinitionRefused(reason.clone());
        // If the wanted definition has changed in between, the new one was not refused.
        if offered == self.definitions.wanted {
            // If it has changed and changed back in between, it is offered again (5).
            if !self.definitions.is_changed {
                self.definitions.refused = offered;
            }
            self.rare_mut().refusal = Some(reason);
        }
        self.change_rare(|rare| rare.update_deadline = None);
        self.change_rare(|rare| rare.update_retry_at = None);
        self.change_rare(|rare| rare.last_error = None);
        self.unreported = true;
        log
    }

    /// `remove` has returned (9).
    pub(in crate::agent::driver) fn removed(
        &mut self,
        answer: Result<(), Problem>,
        now: Now,
    ) -> Logs {
        self.over(now);
        self.unreported = true;
        let again = answer.as_ref().is_err_and(|problem| problem.is_temporary);
        self.retry_at = self.delay(Call::Remove, now, again).into();
        match answer {
            Ok(()) => {
                self.exit = Exit::Removed;
                self.change_rare(|rare| rare.last_error = None);
                self.goal = self.goal.max(Goal::Close);
                Logs::default()
            }
            Err(problem) if again => {
                self.rare_mut().last_error = Some(problem.error.clone());
                Log::CallDelayed("remove", problem.error).into()
            }
            Err(problem) => self.removal_failed(problem.error),
        }
    }

    /// The time of the next attempt of a call that has returned, if `again` (7).
    fn delay(&mut self, call: Call, now: Now, again: bool) -> Option<Duration> {
        if !again {
            self.change_rare(|rare| _ = rare.retries.count(call, false));
            return None;
        }
        let before = self.rare_mut().retries.count(call, true)?;
        let delay = self.jitter.delay(&self.policy.backoff, before.into());
        Some(now.monotonic.saturating_add(delay))
    }

    /// Records a move that needs no call.
    pub(super) fn decided(&mut self, decision: &Decision, now: Now) -> Logs {
        match decision {
            Decision::Record(event) => self.event(event.clone(), now),
            Decision::Rest | Decision::Perform(_) => Logs::default(),
        }
    }

    /// `inspect` has returned a container status and ports, or none.
    pub(in crate::agent::driver) fn inspected(&mut self, known: Option<News>, now: Now) {
        self.inspection_due = false;
        let from_error = mem::take(&mut self.from_error);
        let news = known.and_then(|known| differing(&self.task, known, from_error));
        if let Some((container_status, port_status)) = news {
            self.task.inspected(container_status, port_status, now.utc);
            self.unreported = true;
        }
    }
}

/// Combines the failure of a task with the failure of the `terminate` that followed. The exit code
/// and the container status are those of `terminate`, if it has them.
fn both(first: &Failure, terminate: Failure) -> Failure {
    let mut failure = first.clone();
    failure.err = format!("{}; terminate: {}", first.err, terminate.err).into();
    failure.exit_code = terminate.exit_code.or(failure.exit_code);
    failure.container_status = terminate.container_status.or(failure.container_status);
    failure
}

impl Core {
    /// Records the answer of an operation.
    pub(super) fn record(&mut self, operation: Operation, answer: Answer, now: Now) -> Logs {
        let (from, kind) = (self.task.state(), answer.kind(operation));
        let from_error = FromError::of(&answer);
        match self.task.record(operation, answer, now.utc) {
            Ok(()) => self.recorded(kind, from_error, from, now),
            Err(error) => Log::Refused(error.to_string().into()).into(),
        }
    }

    /// Records an event that is not the answer of an operation.
    fn event(&mut self, event: Event, now: Now) -> Logs {
        let (from, kind) = (self.task.state(), event.kind());
        match self.task.advance(event, now.utc) {
            Ok(()) => self.recorded(kind, FromError::default(), from, now),
            Err(error) => Log::Refused(error.to_string().into()).into(),
        }
    }

    fn recorded(
        &mut self,
        event: EventKind,
        from_error: FromError,
        from: TaskState,
        now: Now,
    ) -> Logs {
        let to = self.task.state();
        self.history.push(now.utc, event);
        self.from_error = from_error;
        self.unreported = true;
        // Nothing is urgent after the end. Otherwise the inspection that follows would be
        // interrupted and called again forever.
        self.urgent &= !to.is_terminal();
        // An inspection must not delay `shutdown` or `terminate`.
        let pressing = self.urgent || self.terminate_reason().is_some();
        self.inspection_due = to >= TaskState::Starting && (to.is_terminal() || !pressing);
        if from != to {
            self.since = now.utc;
            self.change_rare(|rare| rare.retries = super::Retries::default());
            self.retry_at = At::NEVER;
            self.change_rare(|rare| rare.update_retry_at = None);
            self.deadline = At::NEVER;
            self.change_rare(|rare| rare.last_error = None);
            self.change_rare(|rare| rare.progress = None);
        }
        let fails = matches!(event, EventKind::Failed | EventKind::Unresolved | EventKind::Delayed);
        let err = self.task.err().filter(|_| fails).map(Into::into);
        Log::Recorded { event, from, to, desired: self.desired, err }.into()
    }
}
