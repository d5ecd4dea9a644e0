//! What follows from the answer to a call.

use super::{At, Call, Core, Exit, Goal, Has, LastResort, Log, Logs};
use crate::agent::runtime::Now;
use crate::exec::{FromError, News, differing};
use crate::lifecycle::{Answer, Decision, Event, EventKind, Failure, Operation, TaskState};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::mem;
use core::time::Duration;

/// Which definition a call is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::agent::driver) enum Definition {
    Wanted,
    Applied,
}

/// Why a call did not succeed: what follows, and the error's text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::agent::driver) struct Problem {
    pub(in crate::agent::driver) error: Box<str>,
    /// The call is made again.
    pub(in crate::agent::driver) is_temporary: bool,
    /// It panicked: that is final for the task, and says nothing about its workload.
    pub(in crate::agent::driver) is_panic: bool,
}

impl Core {
    /// A call was dropped before its end: what to do instead is decided anew.
    pub(in crate::agent::driver) fn dropped(&mut self, now: Now) {
        self.over(now);
    }

    /// The drop of an interrupted operation panicked, so nothing is known of the workload: it
    /// is ended first, and the task has failed (12).
    pub(in crate::agent::driver) fn broke(&mut self, error: String, now: Now) -> Logs {
        self.over(now);
        if self.goal != Goal::Live || self.task.state().is_terminal() {
            return Log::Panicked(error.into()).into();
        }
        let log = Log::Panicked(error.as_str().into());
        Logs::from(log).and(self.fail_after_terminate(Box::new(Failure::new(error))))
    }

    /// The driver has panicked outside of a call. The task has failed, after a `terminate`
    /// (12). Returns none if the driver ends: it has panicked again, or the task can fail no
    /// more.
    pub(in crate::agent::driver) fn panicked(&mut self, error: String, now: Now) -> Option<Logs> {
        self.over(now);
        self.touched = true;
        let is_removed = self.goal == Goal::Remove || self.remove_later;
        let has_ended = self.task.state().is_terminal();
        if self.goal == Goal::Live && !is_removed && !has_ended && self.last_resort().is_none() {
            return Some(self.fail_after_terminate(Box::new(Failure::new(error))).into());
        }
        self.rare_mut().last_error = Some(error.as_str().into());
        if is_removed {
            self.rare_mut().removal_error = Some(error.as_str().into());
            self.exit = Exit::RemovalFailed;
        }
        // Its failure is logged with the panic.
        if self.goal < Goal::Close && !has_ended {
            _ = self.unresolved(error, now);
        }
        None
    }

    /// The executor has answered. `wanted` is the number of the definition that it was asked
    /// for (15).
    pub(in crate::agent::driver) fn resolved(
        &mut self,
        answer: Result<(), Problem>,
        asked: u32,
        now: Now,
    ) -> Logs {
        self.over(now);
        self.touched = true;
        let Err(problem) = answer else {
            self.has = Has::Controller;
            self.definitions.made();
            self.ease(|rare| rare.last_error = None);
            self.ease(|rare| _ = rare.retries.count(Call::Controller, false));
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
                // Nothing was made of it.
                self.definitions.applied = 0;
            }
            self.rare_mut().last_error = Some(problem.error.clone());
            if self.task.state().is_terminal() || removing {
                return Log::CallDelayed("controller", problem.error).into();
            }
            let failure = Box::new(Failure::new(String::from(problem.error)));
            return self.event(Event::Delayed(failure), now);
        }
        // A panic says nothing about the definition.
        if !problem.is_panic {
            self.definitions.unresolvable = asked;
            if !self.definitions.is_taken {
                self.definitions.applied = 0;
                if asked != self.definitions.wanted {
                    // Another definition has come meanwhile: the executor is asked for that one.
                    self.rare_mut().last_error = Some(problem.error.clone());
                    return Log::CallDelayed("controller", problem.error).into();
                }
            }
        }
        self.has = Has::Refusal;
        self.deadline = At::NEVER;
        self.ease(|rare| rare.last_error = None);
        if removing {
            // By its contract the executor has nothing of this task.
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

    /// There is no controller: the task is REJECTED or FAILED, unless it has ended.
    pub(super) fn unresolved(&mut self, error: String, now: Now) -> Logs {
        let from = self.task.state();
        match self.task.resolved(Err(Failure::new(error)), now.utc) {
            Some(event) => self.recorded(event, FromError::default(), from, now),
            None => Logs::default(),
        }
    }

    /// An operation has returned. A panic counts as a failure for good, and says nothing about
    /// the workload (12).
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
        let mut resorts = None;
        let answer = match (answer, operation, self.last_resort()) {
            (Answer::Failed(failure), Operation::Shutdown, _) => {
                resorts = Some(LastResort::Shutdown);
                // Not the end: it is noted, and the workload is ended by force.
                Answer::Delayed(failure)
            }
            (Answer::Succeeded, Operation::Terminate, Some(LastResort::Failure(failure))) => {
                Answer::Failed(failure.clone())
            }
            (Answer::Failed(error), Operation::Terminate, Some(LastResort::Failure(first))) => {
                Answer::Failed(Box::new(both(first, *error)))
            }
            (Answer::Failed(failure), operation, None)
                if is_panic || (self.may_run && operation == Operation::Prepare) =>
            {
                resorts = Some(LastResort::Failure(failure.clone()));
                Answer::Delayed(failure)
            }
            (answer, _, _) => answer,
        };
        let logs = self.record(operation, answer, now);
        match resorts {
            Some(LastResort::Shutdown) => {
                let reason = "its shutdown did not succeed";
                return logs.and(self.resort(LastResort::Shutdown, reason));
            }
            Some(LastResort::Failure(failure)) => {
                return logs.and(self.fail_after_terminate(failure));
            }
            None => {}
        }
        // What is called instead does not wait (3, 9).
        let superseded = self.urgent && operation != Operation::Terminate;
        self.retry_at = retry_at.filter(|_| !superseded && self.goal == Goal::Live).into();
        logs
    }

    /// The controller has taken, or not taken, the definition of this number (5).
    pub(in crate::agent::driver) fn updated(
        &mut self,
        offered: u32,
        answer: Result<(), Problem>,
        now: Now,
    ) -> Logs {
        self.over(now);
        self.touched = true;
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
                self.ease(|rare| rare.update_deadline = None);
                self.ease(|rare| rare.last_error = None);
                self.ease(|rare| rare.refusal = None);
                Logs::default()
            }
            Err(problem) if again => {
                self.rare_mut().last_error = Some(problem.error.clone());
                Log::CallDelayed("update", problem.error).into()
            }
            Err(problem) => self.refuse_offer(offered, problem.error).into(),
        }
    }

    /// The controller does not take the wanted definition.
    pub(super) fn refuse(&mut self, reason: Box<str>) -> Log {
        self.definitions.is_offered = false;
        self.definitions.is_changed = false;
        self.refuse_offer(self.definitions.wanted, reason)
    }

    fn refuse_offer(&mut self, offered: u32, reason: Box<str>) -> Log {
        let log = Log::DefinitionRefused(reason.clone());
        // If another one is wanted meanwhile, that one was not refused.
        if offered == self.definitions.wanted {
            // If the wish changed and changed back meanwhile, it is offered once more (5).
            if !self.definitions.is_changed {
                self.definitions.refused = offered;
            }
            self.rare_mut().refusal = Some(reason);
        }
        self.ease(|rare| rare.update_deadline = None);
        self.ease(|rare| rare.update_retry_at = None);
        self.ease(|rare| rare.last_error = None);
        self.touched = true;
        log
    }

    /// The controller has removed what the task had, or has not (9).
    pub(in crate::agent::driver) fn removed(
        &mut self,
        answer: Result<(), Problem>,
        now: Now,
    ) -> Logs {
        self.over(now);
        self.touched = true;
        let again = answer.as_ref().is_err_and(|problem| problem.is_temporary);
        self.retry_at = self.delay(Call::Remove, now, again).into();
        match answer {
            Ok(()) => {
                self.exit = Exit::Removed;
                self.ease(|rare| rare.last_error = None);
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

    /// When a call that has returned is tried again, if it is (7).
    fn delay(&mut self, call: Call, now: Now, again: bool) -> Option<Duration> {
        if !again {
            self.ease(|rare| _ = rare.retries.count(call, false));
            return None;
        }
        let before = self.rare_mut().retries.count(call, true)?;
        let delay = self.jitter.delay(&self.policy.backoff, before.into());
        Some(now.monotonic.saturating_add(delay))
    }

    /// A move that needs no call.
    pub(super) fn decided(&mut self, decision: &Decision, now: Now) -> Logs {
        match decision {
            Decision::Record(event) => self.event(event.clone(), now),
            Decision::Rest | Decision::Perform(_) => Logs::default(),
        }
    }

    /// The controller has told what its container and its ports are, or nothing.
    pub(in crate::agent::driver) fn inspected(&mut self, known: Option<News>, now: Now) {
        self.inspection_due = false;
        let from_error = mem::take(&mut self.from_error);
        let news = known.and_then(|known| differing(&self.task, known, from_error));
        if let Some((container_status, port_status)) = news {
            self.task.inspected(container_status, port_status, now.utc);
            self.touched = true;
        }
    }
}

/// A task has failed, and the `terminate` that followed has failed as well: what is known of
/// the workload is from the later failure, if it knows it.
fn both(first: &Failure, terminate: Failure) -> Failure {
    let mut failure = first.clone();
    failure.err = format!("{}; terminate: {}", first.err, terminate.err).into();
    failure.exit_code = terminate.exit_code.or(failure.exit_code);
    failure.container_status = terminate.container_status.or(failure.container_status);
    failure
}

impl Core {
    /// Records what an operation came to.
    pub(super) fn record(&mut self, operation: Operation, answer: Answer, now: Now) -> Logs {
        let (from, kind) = (self.task.state(), answer.kind(operation));
        let from_error = FromError::of(&answer);
        match self.task.record(operation, answer, now.utc) {
            Ok(()) => self.recorded(kind, from_error, from, now),
            Err(error) => Log::Refused(error.to_string().into()).into(),
        }
    }

    /// Records something that needs no call, or an answer of the executor.
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
        self.touched = true;
        // Nothing is urgent after the end. Else the inspection that follows would be interrupted
        // and called again for ever.
        self.urgent &= !to.is_terminal();
        // Not before the end is called for: an inspection may take its time.
        let pressing = self.urgent || self.last_resort().is_some();
        self.inspection_due = to >= TaskState::Starting && (to.is_terminal() || !pressing);
        if from != to {
            self.since = now.utc;
            // Nothing is left to be ended.
            self.urgent &= !to.is_terminal();
            self.ease(|rare| rare.retries = super::Retries::default());
            self.retry_at = At::NEVER;
            self.ease(|rare| rare.update_retry_at = None);
            self.deadline = At::NEVER;
            self.ease(|rare| rare.last_error = None);
            self.ease(|rare| rare.progress = None);
        }
        let fails = matches!(event, EventKind::Failed | EventKind::Unresolved | EventKind::Delayed);
        let err = self.task.err().filter(|_| fails).map(Into::into);
        Log::Recorded { event, from, to, desired: self.desired, err }.into()
    }
}
