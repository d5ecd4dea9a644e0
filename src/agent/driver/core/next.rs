//! The next action of a driver, and the consequences of expired deadlines.

use super::{At, Call, Core, Exit, Goal, Has, Log, Logs, Next, TerminateReason, earlier};
use crate::agent::runtime::Now;
use crate::lifecycle::{Answer, Decision, Failure, Operation, TaskState, decide};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

impl Core {
    /// Returns the next action, and records a move that needs no call.
    pub(in crate::agent::driver) fn next(&mut self, now: Now) -> Next {
        self.news = false;
        if self.goal == Goal::Live && self.remove_later && self.task.state().is_terminal() {
            self.remove_now();
        }
        if self.goal == Goal::Live && self.inspection_due && self.has == Has::Controller {
            return Next::Call(Call::Inspect);
        }
        if self.goal < Goal::Close && self.deadline.get().is_some_and(|at| self.has_passed(at)) {
            return Next::Recorded(self.deadline_expired(now));
        }
        let next = match self.due() {
            Due::Record(decision) => return Next::Recorded(self.decided(&decision, now)),
            Due::Call(call) => call,
            Due::Wait => return Next::Wait(None),
            Due::Nothing => return Next::Nothing,
        };
        // The deadline of an update counts only if the update is due.
        let update_deadline = self.rare().update_deadline.filter(|_| next == Call::Update);
        if update_deadline.is_some_and(|at| self.has_passed(at)) {
            return Next::Recorded(self.update_deadline_expired());
        }
        match self.retry_of(next) {
            Some(at) if !self.has_passed(at) => {
                Next::Wait(earlier(Some(at), earlier(self.deadline.get(), update_deadline)))
            }
            _ => Next::Call(next),
        }
    }

    /// What is due, even if it must wait for a retry.
    fn due(&self) -> Due {
        match (self.goal, self.has) {
            (Goal::Close, Has::Controller) => return Due::Call(Call::Close),
            (Goal::Close | Goal::Ended, _) => return Due::Nothing,
            (Goal::Remove, Has::Controller) => return Due::Call(Call::Remove),
            (_, Has::Nothing | Has::ClosedController) => return Due::Call(Call::Controller),
            (_, Has::Refusal) => return Due::Wait,
            (Goal::Live, Has::Controller) => {}
        }
        if self.task.state().is_terminal() {
            return Due::Wait;
        }
        if self.rare().terminate_reason.is_some() {
            return Due::Call(Call::Operate(Operation::Terminate));
        }
        if self.is_changed() && !self.is_shutting_down() {
            return Due::Call(Call::Update);
        }
        match decide(self.task.state(), self.desired) {
            Decision::Rest => Due::Wait,
            Decision::Perform(operation) => Due::Call(Call::Operate(operation)),
            decision @ Decision::Record(_) => Due::Record(decision),
        }
    }

    /// The time of the next attempt of this call, if it waits for one.
    fn retry_of(&self, call: Call) -> Option<Duration> {
        match call {
            Call::Controller | Call::Operate(_) | Call::Remove => self.retry_at.get(),
            Call::Update => self.rare().update_retry_at,
            Call::Inspect | Call::Close => None,
        }
    }

    /// The number of the current or next attempt of the call that is due, from 1, and the time of
    /// the next one. None if no call is due, or if it is not retried.
    pub(in crate::agent::driver) fn attempt(&self) -> (Option<u32>, Option<Duration>) {
        let Due::Call(call) = self.due() else { return (None, None) };
        let attempt = self.rare().retries.of(call).map(|retries| u32::from(retries) + 1);
        (attempt, self.retry_of(call))
    }

    /// The deadline of the phase has expired (4, 10).
    fn deadline_expired(&mut self, now: Now) -> Logs {
        self.deadline = At::NEVER;
        let (call, deadline) = self.phase();
        let passed = Log::DeadlinePassed(call, deadline.unwrap_or_default());
        self.end_phase(now).after(passed)
    }

    /// Records the consequence of an expired deadline.
    fn end_phase(&mut self, now: Now) -> Logs {
        let exceeded = self.exceeded();
        if self.goal == Goal::Remove {
            return self.removal_failed(exceeded.into());
        }
        if self.has != Has::Controller {
            self.has = Has::Refusal;
            self.change_rare(|rare| rare.last_error = None);
            return self.unresolved(exceeded, now);
        }
        if self.is_shutting_down() {
            return self
                .must_terminate(TerminateReason::Shutdown, "its shutdown took too long")
                .into();
        }
        let failure = Failure::new(exceeded);
        if self.task.state() == TaskState::Starting || self.may_run {
            return self.fail_after_terminate(Box::new(failure)).into();
        }
        self.record(Operation::Prepare, Answer::Failed(Box::new(failure)), now)
    }

    fn update_deadline_expired(&mut self) -> Logs {
        let deadline = self.policy.update_deadline.unwrap_or_default();
        let error = self.rare.as_mut().and_then(|rare| rare.last_error.take());
        let refused = self.refuse(exceeded("update", deadline, error.as_deref()).into());
        Logs::from(Log::DeadlinePassed("update", deadline)).and(refused)
    }

    /// The error of a phase whose deadline has expired.
    fn exceeded(&self) -> String {
        let (phase, deadline) = self.phase();
        let operates = self.goal == Goal::Live && self.has == Has::Controller;
        // The status has errors of operations only.
        let noted = self.task.err().filter(|_| operates);
        let err = self.rare().last_error.as_deref().or(noted);
        exceeded(phase, deadline.unwrap_or_default(), err)
    }

    /// From now on the driver calls only `terminate`, until it has succeeded or failed for good.
    pub(super) fn must_terminate(
        &mut self,
        terminate_reason: TerminateReason,
        reason: &'static str,
    ) -> Log {
        self.rare_mut().terminate_reason = Some(terminate_reason);
        // An inspection would delay it.
        self.inspection_due = false;
        self.deadline = At::NEVER;
        self.retry_at = At::NEVER;
        self.forget_update();
        self.unreported = true;
        Log::Terminating(reason)
    }

    /// The task will fail. Its workload may run, so `terminate` is called first.
    pub(super) fn fail_after_terminate(&mut self, failure: Box<Failure>) -> Log {
        self.must_terminate(
            TerminateReason::Failure(failure),
            "it failed, and its workload may run",
        )
    }

    pub(super) fn terminate_reason(&self) -> Option<&TerminateReason> {
        self.rare().terminate_reason.as_ref()
    }

    /// The removal has failed for good. This driver does not retry it.
    pub(super) fn removal_failed(&mut self, error: Box<str>) -> Logs {
        let log = Log::RemovalFailed(error.clone());
        self.rare_mut().removal_error = Some(error);
        self.exit = Exit::RemovalFailed;
        self.change_rare(|rare| rare.last_error = None);
        self.goal = self.goal.max(Goal::Close);
        self.unreported = true;
        log.into()
    }
}

/// What is due.
enum Due {
    /// A move that needs no call.
    Record(Decision),
    Call(Call),
    Wait,
    Nothing,
}

/// The error text of an expired deadline.
fn exceeded(phase: &str, deadline: Duration, last_error: Option<&str>) -> String {
    match last_error {
        Some(error) => format!("{phase}: deadline of {deadline:?} exceeded; last error: {error}"),
        None => format!("{phase}: deadline of {deadline:?} exceeded"),
    }
}
