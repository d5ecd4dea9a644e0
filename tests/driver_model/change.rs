//! The changes that calls and requests make in the model, and the expected snapshot.

use super::event::{Bad, Op};
use super::model::{Because, Goal, Has, Model, Window};
use onward::agent::UpdateError;
use onward::lifecycle::TaskState;
use std::time::Duration;

/// The age of a `terminate` at which the first warning is logged.
pub(crate) const REMINDER: Duration = Duration::from_secs(30);

pub(crate) fn exceeded(phase: &str, deadline: Option<Duration>, error: Option<String>) -> String {
    let deadline = deadline.unwrap_or_default();
    let last = error.map(|error| format!("; last error: {error}")).unwrap_or_default();
    format!("{phase}: deadline of {deadline:?} exceeded{last}")
}

impl Model {
    /// The number of the current attempt, from 1. None if there is no call.
    pub(crate) fn attempt(&self) -> Option<u32> {
        self.course().map(|op| self.retries[op as usize] + 1)
    }

    /// The time of the next attempt, if the task waits for one.
    pub(crate) fn next_attempt(&mut self) -> Option<&mut Window> {
        match self.course()? {
            Op::Update => self.update_retry.as_mut(),
            _ => self.retry.as_mut().map(|(_, at)| at),
        }
    }

    /// The call that is due, even if it must wait.
    fn course(&self) -> Option<Op> {
        use TaskState::{Preparing, Running, Shutdown, Starting};
        let state = self.record.status.state;
        Some(match state {
            _ if self.goal > Goal::Remove || self.has == Has::Refusal => return None,
            _ if self.has == Has::Nothing => Op::Controller,
            _ if self.goal == Goal::Remove => Op::Remove,
            _ if self.goal != Goal::Live || state.is_terminal() => return None,
            _ if self.because.is_some() => Op::Terminate,
            _ if self.desired >= Shutdown => Op::Shutdown,
            _ if self.changed || self.offered.is_some() => Op::Update,
            Preparing if self.desired >= Preparing => Op::Prepare,
            Starting if self.desired >= Starting => Op::Start,
            Running if self.desired >= Running => Op::Wait,
            _ => return None,
        })
    }

    /// A call has begun.
    pub(crate) fn begin(&mut self, op: Op, now: Duration) {
        if op == Op::Terminate && self.because.is_none() {
            // A deadline caused this call: the grace, or that of the phase.
            let shutdown = self.desired >= TaskState::Shutdown;
            let failure = || Because::Failure(self.exceeded(), Bad::plain());
            self.because = Some(if shutdown { Because::Shutdown } else { failure() });
        }
        let wall = self.record.wall(now);
        let allowed = match op {
            Op::Controller if self.goal == Goal::Live => self.policy.controller_deadline,
            Op::Controller | Op::Remove => self.policy.remove_deadline,
            Op::Prepare => self.policy.prepare_deadline,
            Op::Start => self.policy.start_deadline,
            // 4: the grace begins with the first call and covers all retries.
            Op::Shutdown if self.record.shutting_down.is_none() => self.policy.shutdown_grace,
            _ => None,
        };
        self.deadline = self.deadline.or(allowed.map(|allowed| now + allowed));
        match op {
            Op::Shutdown => _ = self.record.shutting_down.get_or_insert(wall),
            Op::Terminate => {
                self.record.terminating.get_or_insert(wall);
                self.deadline = None;
                self.terminate_began = now;
            }
            Op::Update => {
                let allowed = self.policy.update_deadline.map(|allowed| now + allowed);
                self.update_deadline = self.update_deadline.or(allowed);
                self.offered = Some(self.version);
                self.changed = false;
                self.update_retry = None;
            }
            Op::Close => self.goal = Goal::Closed,
            _ => {}
        }
        self.urgent &= !matches!(op, Op::Shutdown | Op::Terminate);
        if !matches!(op, Op::Update | Op::Inspect) {
            self.retry = None;
        }
        let inquiry = self.policy.inspect_deadline.map(|allowed| now + allowed);
        let until = match op {
            Op::Terminate => Some(now + REMINDER),
            Op::Close => None,
            Op::Update => self.update_deadline.into_iter().chain(self.deadline).min(),
            Op::Inspect => inquiry.into_iter().chain(self.deadline).min(),
            _ => self.deadline,
        };
        self.flight = Some((op, until));
        self.late = false;
    }

    /// The expected result of an update (11), and its effect.
    pub(crate) fn update(
        &mut self,
        id: &str,
        desired: TaskState,
        version: u64,
    ) -> Result<(), UpdateError> {
        if self.goal != Goal::Live || self.remove_later || self.ended {
            return Err(UpdateError::Ended);
        }
        if id != "t" {
            return Err(UpdateError::OtherTask { id: "t".into(), given: id.into() });
        }
        if desired < self.desired {
            let present = self.desired;
            return Err(UpdateError::LowerDesiredState { present, given: desired });
        }
        let changed = self.version != version;
        if changed {
            (self.refused, self.may_be_refused, self.update_deadline) = (None, None, None);
            self.forget_last_error();
            self.ask_again();
        }
        self.version = version;
        let raised = self.raise(desired);
        if self.record.status.state.is_terminal() {
            return Ok(());
        }
        let matters = changed && desired < TaskState::Shutdown && self.because.is_none();
        self.changed |= matters && self.has == Has::Controller;
        if raised || matters {
            (self.retry, self.update_retry) = (None, None);
        }
        Ok(())
    }

    /// Returns whether the desired state was lower.
    fn raise(&mut self, desired: TaskState) -> bool {
        let before = std::mem::replace(&mut self.desired, desired);
        let ends = before < TaskState::Shutdown && desired >= TaskState::Shutdown;
        if ends && !self.record.status.state.is_terminal() {
            self.urgent = true;
            self.forget_last_error();
            // T14: no inspection comes first.
            if self.flight.is_none_or(|(op, _)| op != Op::Inspect) {
                self.inspection = None;
            }
            if self.has == Has::Controller {
                self.deadline = None;
            }
        }
        desired > before
    }

    /// A request in the middle of a poll. If the deadline of an update has expired in that poll,
    /// the trace does not show whether the driver refused the definition before.
    pub(crate) fn told(&mut self) {
        self.told = true;
        let is_late = self.polled && self.wants_update() && self.has_passed(self.update_deadline);
        let reason = || exceeded("update", self.policy.update_deadline, self.last_error.clone());
        self.may_be_refused = is_late.then(reason);
    }

    /// A call that is not retried has no last error.
    fn forget_last_error(&mut self) {
        if self.has == Has::Controller {
            self.last_error = None;
        }
    }

    /// An executor that has refused is asked again for another definition, and for a removal.
    fn ask_again(&mut self) {
        if self.has == Has::Refusal {
            self.has = Has::Nothing;
        }
    }

    /// A removal is requested (9).
    pub(crate) fn remove(&mut self) {
        if self.goal != Goal::Live || self.remove_later || self.ended {
            return;
        }
        self.ask_again();
        if !self.policy.shutdown_before_removal || self.record.status.state.is_terminal() {
            return self.remove_now();
        }
        self.remove_later = true;
        if self.raise(self.desired.max(TaskState::Shutdown)) {
            (self.retry, self.update_retry) = (None, None);
        }
    }

    /// A task that was shut down before its removal has ended.
    pub(crate) fn remove_if_ended(&mut self) {
        if self.goal == Goal::Live && self.remove_later && self.record.status.state.is_terminal() {
            self.remove_now();
        }
    }

    fn remove_now(&mut self) {
        self.ask_again();
        (self.goal, self.remove_later) = (Goal::Remove, false);
        (self.retry, self.deadline, self.last_error) = (None, None, None);
    }

    /// The error of an expired deadline: the phase, the deadline, and the last error (10).
    pub(crate) fn exceeded(&self) -> String {
        let (policy, state) = (&self.policy, self.record.status.state);
        let noted = self.record.status.err.as_deref().map(str::to_owned);
        match () {
            () if self.goal == Goal::Remove => {
                exceeded("remove", policy.remove_deadline, self.last_error.clone())
            }
            () if self.has != Has::Controller => {
                exceeded("controller", policy.controller_deadline, self.last_error.clone())
            }
            () if state == TaskState::Starting => {
                exceeded("start", policy.start_deadline, self.last_error.clone().or(noted))
            }
            () => exceeded("prepare", policy.prepare_deadline, self.last_error.clone().or(noted)),
        }
    }

    /// The timer was set for this time, or a snapshot has it: now the jitter is known.
    pub(crate) fn learn(&mut self, at: Duration) {
        let deadlines = self.deadlines();
        let updates = self.course() == Some(Op::Update);
        let window = if updates {
            self.update_retry.as_mut()
        } else {
            self.retry.as_mut().map(|(_, at)| at)
        };
        if let Some(window) =
            window.filter(|_| self.flight.is_none()).filter(|window| window.contains(at))
        {
            *window = learnt(*window, deadlines, at);
        }
    }

    /// The same for a retry that could have come before: its time was not seen, because the driver
    /// was busy.
    pub(crate) fn learn_late(&mut self, at: Duration) {
        let (passed, deadlines) = (self.passed, self.deadlines());
        if let Some(window) = self.next_attempt().filter(|window| window.contains(at))
            && Some(window.from) <= passed
            && Some(at) > passed
        {
            *window = learnt(*window, deadlines, at);
        }
    }

    /// The other times for which the timer may be set.
    fn deadlines(&self) -> [Option<Duration>; 2] {
        [self.deadline, self.update_deadline.filter(|_| self.course() == Some(Op::Update))]
    }
}

/// If a retry is due at the same time, the deadline comes first.
fn learnt(window: Window, deadlines: [Option<Duration>; 2], at: Duration) -> Window {
    let to = if deadlines.contains(&Some(at)) { window.to } else { at };
    Window { from: at, to }
}
