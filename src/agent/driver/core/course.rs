//! What a driver does next.

use super::{At, Call, Core, Exit, Goal, Has, LastResort, Log, Logs, Next, earlier};
use crate::agent::runtime::Now;
use crate::lifecycle::{Answer, Decision, Failure, Operation, TaskState, decide};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

impl Core {
    /// What to do next.
    pub(in crate::agent::driver) fn next(&mut self, now: Now) -> Next {
        self.news = false;
        if self.goal == Goal::Live && self.remove_later && self.task.state().is_terminal() {
            self.remove_now();
        }
        if self.goal == Goal::Live && self.inspection_due && self.has == Has::Controller {
            return Next::Call(Call::Inspect);
        }
        if self.goal < Goal::Close && self.deadline.get().is_some_and(|at| self.has_passed(at)) {
            return Next::Recorded(self.too_late(now));
        }
        let next = match self.course() {
            Course::Record(decision) => return Next::Recorded(self.decided(&decision, now)),
            Course::Call(call) => call,
            Course::Wait => return Next::Wait(None),
            Course::Nothing => return Next::Nothing,
        };
        // The deadline of an update counts only while the update is what comes next.
        let update_deadline = self.rare().update_deadline.filter(|_| next == Call::Update);
        if update_deadline.is_some_and(|at| self.has_passed(at)) {
            return Next::Recorded(self.update_too_late());
        }
        match self.retry_of(next) {
            Some(at) if !self.has_passed(at) => {
                Next::Wait(earlier(Some(at), earlier(self.deadline.get(), update_deadline)))
            }
            _ => Next::Call(next),
        }
    }

    /// What is to be done next, whether it is time for it or not.
    fn course(&self) -> Course {
        match (self.goal, self.has) {
            (Goal::Close, Has::Controller) => return Course::Call(Call::Close),
            (Goal::Close | Goal::Ended, _) => return Course::Nothing,
            (Goal::Remove, Has::Controller) => return Course::Call(Call::Remove),
            (_, Has::Nothing | Has::ClosedController) => return Course::Call(Call::Controller),
            (_, Has::Refusal) => return Course::Wait,
            (Goal::Live, Has::Controller) => {}
        }
        if self.task.state().is_terminal() {
            return Course::Wait;
        }
        if self.rare().last_resort.is_some() {
            return Course::Call(Call::Operate(Operation::Terminate));
        }
        if self.is_changed() && !self.is_shutting_down() {
            return Course::Call(Call::Update);
        }
        match decide(self.task.state(), self.desired) {
            Decision::Rest => Course::Wait,
            Decision::Perform(operation) => Course::Call(Call::Operate(operation)),
            decision @ Decision::Record(_) => Course::Record(decision),
        }
    }

    /// When this call is made, if it waits for that.
    fn retry_of(&self, call: Call) -> Option<Duration> {
        match call {
            Call::Controller | Call::Operate(_) | Call::Remove => self.retry_at.get(),
            Call::Update => self.rare().update_retry_at,
            Call::Inspect | Call::Close => None,
        }
    }

    /// Which attempt of its call the task is at, from 1, and when the next one is made. None if it
    /// has nothing to call, or calls it only once.
    pub(in crate::agent::driver) fn attempt(&self) -> (Option<u32>, Option<Duration>) {
        let Course::Call(call) = self.course() else { return (None, None) };
        let attempt = self.rare().retries.of(call).map(|retries| u32::from(retries) + 1);
        (attempt, self.retry_of(call))
    }

    /// The deadline of the phase has passed (4, 10).
    fn too_late(&mut self, now: Now) -> Logs {
        self.deadline = At::NEVER;
        let (call, deadline) = self.phase();
        let passed = Log::DeadlinePassed(call, deadline.unwrap_or_default());
        self.end_phase(now).after(passed)
    }

    /// What follows when a phase took too long.
    fn end_phase(&mut self, now: Now) -> Logs {
        let exceeded = self.exceeded();
        if self.goal == Goal::Remove {
            return self.removal_failed(exceeded.into());
        }
        if self.has != Has::Controller {
            self.has = Has::Refusal;
            self.ease(|rare| rare.last_error = None);
            return self.unresolved(exceeded, now);
        }
        if self.is_shutting_down() {
            return self.resort(LastResort::Shutdown, "its shutdown took too long").into();
        }
        let failure = Failure::new(exceeded);
        if self.task.state() == TaskState::Starting || self.may_run {
            return self.fail_after_terminate(Box::new(failure)).into();
        }
        self.record(Operation::Prepare, Answer::Failed(Box::new(failure)), now)
    }

    fn update_too_late(&mut self) -> Logs {
        let deadline = self.policy.update_deadline.unwrap_or_default();
        let error = self.rare.as_mut().and_then(|rare| rare.last_error.take());
        let refused = self.refuse(exceeded("update", deadline, error.as_deref()).into());
        Logs::from(Log::DeadlinePassed("update", deadline)).and(refused)
    }

    /// What a phase that took too long fails with.
    fn exceeded(&self) -> String {
        let (phase, deadline) = self.phase();
        let operates = self.goal == Goal::Live && self.has == Has::Controller;
        // The status tells of operations only.
        let noted = self.task.err().filter(|_| operates);
        let err = self.rare().last_error.as_deref().or(noted);
        exceeded(phase, deadline.unwrap_or_default(), err)
    }

    /// From here on nothing but `terminate` is called, until it has succeeded.
    pub(super) fn resort(&mut self, last_resort: LastResort, reason: &'static str) -> Log {
        self.rare_mut().last_resort = Some(last_resort);
        // An inspection may take its time.
        self.inspection_due = false;
        self.deadline = At::NEVER;
        self.retry_at = At::NEVER;
        self.forget_update();
        self.touched = true;
        Log::Terminating(reason)
    }

    /// The task has failed. Its workload may run, so `terminate` is called first.
    pub(super) fn fail_after_terminate(&mut self, failure: Box<Failure>) -> Log {
        self.resort(LastResort::Failure(failure), "it failed, and its workload may run")
    }

    pub(super) fn last_resort(&self) -> Option<&LastResort> {
        self.rare().last_resort.as_ref()
    }

    /// The removal is not tried again by this driver.
    pub(super) fn removal_failed(&mut self, error: Box<str>) -> Logs {
        let log = Log::RemovalFailed(error.clone());
        self.rare_mut().removal_error = Some(error);
        self.exit = Exit::RemovalFailed;
        self.ease(|rare| rare.last_error = None);
        self.goal = self.goal.max(Goal::Close);
        self.touched = true;
        log.into()
    }
}

/// What is to be done next.
enum Course {
    /// A move that needs no call.
    Record(Decision),
    Call(Call),
    Wait,
    Nothing,
}

/// A deadline that has passed, in words.
fn exceeded(phase: &str, deadline: Duration, last_error: Option<&str>) -> String {
    match last_error {
        Some(error) => format!("{phase}: deadline of {deadline:?} exceeded; last error: {error}"),
        None => format!("{phase}: deadline of {deadline:?} exceeded"),
    }
}
