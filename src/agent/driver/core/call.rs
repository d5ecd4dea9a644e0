//! Calls of a driver: how a call begins, its deadline, and its interruption.

use super::{At, Core, Definition, Goal, Has, earlier};
use crate::agent::runtime::Now;
use crate::lifecycle::{Operation, TaskState};
use core::time::Duration;

/// A call of a driver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::agent::driver) enum Call {
    /// `Executor::controller`.
    Controller,
    /// An operation of the controller whose result moves the task.
    Operate(Operation),
    Update,
    Inspect,
    Remove,
    Close,
}

/// The next action of a driver.
#[derive(PartialEq, Eq, Debug)]
pub(in crate::agent::driver) enum Next {
    /// A move was recorded: report it, write the log entries, and call `next` again.
    Recorded(super::Logs),
    Call(Call),
    /// Wait for a request, or until this time.
    Wait(Option<Duration>),
    /// End.
    Nothing,
}

impl Core {
    /// Begins a call. Returns the definition for [`Call::Controller`] and [`Call::Update`].
    pub(in crate::agent::driver) fn begin(&mut self, call: Call, now: Now) -> Definition {
        match call {
            Call::Controller => {
                self.retry_at = At::NEVER;
                let allowed = match self.goal {
                    Goal::Remove => self.policy.remove_deadline,
                    Goal::Live | Goal::Close | Goal::Ended => self.policy.controller_deadline,
                };
                self.limit(allowed, now);
                return self.asks_for();
            }
            Call::Operate(operation) => {
                self.retry_at = At::NEVER;
                self.begin_operation(operation, now);
            }
            Call::Remove => {
                self.retry_at = At::NEVER;
                self.limit(self.policy.remove_deadline, now);
            }
            Call::Update => {
                self.change_rare(|rare| rare.update_retry_at = None);
                self.definitions.is_changed = false;
                self.definitions.is_offered = true;
                if let Some(allowed) = self.policy.update_deadline
                    && self.rare().update_deadline.is_none()
                {
                    self.rare_mut().update_deadline = now.after(allowed);
                }
            }
            Call::Inspect => {}
            // `close` is called once, even if it is dropped.
            Call::Close => self.has = Has::ClosedController,
        }
        Definition::Wanted
    }

    fn begin_operation(&mut self, operation: Operation, now: Now) {
        match operation {
            Operation::Prepare => self.limit(self.policy.prepare_deadline, now),
            Operation::Start => self.limit(self.policy.start_deadline, now),
            Operation::Shutdown => {
                self.urgent = false;
                // The grace begins with the first call of this controller.
                self.shutting_down.get_or_insert(now.utc);
                self.limit(self.policy.shutdown_grace, now);
            }
            Operation::Terminate => {
                self.urgent = false;
                self.rare_mut().terminating.get_or_insert(now.utc);
            }
            Operation::Wait => {}
        }
    }

    /// Sets the deadline of a phase, at its first call.
    fn limit(&mut self, allowed: Option<Duration>, now: Now) {
        if self.deadline == At::NEVER {
            self.deadline = allowed.and_then(|allowed| now.after(allowed)).into();
        }
    }

    /// Chooses the definition that the executor is asked for (15).
    fn asks_for(&mut self) -> Definition {
        let definitions = &mut self.definitions;
        if definitions.is_taken && definitions.applied != definitions.unresolvable {
            return Definition::Applied;
        }
        if definitions.is_taken && definitions.applied == definitions.wanted {
            return Definition::Applied;
        }
        // An earlier agent may have started a workload with it, and crashed before that was
        // stored. Only a controller of this definition can end that workload.
        let was_refused = definitions.applied == definitions.unresolvable;
        if self.may_run && definitions.applied != 0 && !was_refused {
            return Definition::Applied;
        }
        definitions.applied = definitions.wanted;
        definitions.is_taken = false;
        self.unreported = true;
        Definition::Wanted
    }

    /// Moves the deadline by the time that the task has waited in the queue.
    pub(in crate::agent::driver) fn waited(&mut self, waited: Duration) {
        self.deadline = self.deadline.get().map(|at| at.saturating_add(waited)).into();
    }

    /// Whether a call in flight must be dropped (3, 5, 9).
    pub(in crate::agent::driver) fn interrupts(&self, call: Call) -> bool {
        match (self.goal, call) {
            (Goal::Ended, _) | (_, Call::Close) => false,
            (Goal::Close, _) => true,
            // A shutdown and a removal need a controller. `terminate` is never interrupted.
            (_, Call::Controller) | (Goal::Live, Call::Operate(Operation::Terminate)) => false,
            (Goal::Remove, call) => call != Call::Remove,
            (Goal::Live, Call::Operate(Operation::Wait)) => self.urgent || self.is_changed(),
            (Goal::Live, _) => self.urgent,
        }
    }

    /// The deadline of a call that begins now. `terminate` and `close` have none (4).
    pub(in crate::agent::driver) fn deadline_of(
        &self,
        call: Call,
        monotonic: Duration,
    ) -> Option<Duration> {
        match call {
            Call::Operate(Operation::Terminate) | Call::Close => None,
            Call::Operate(_) | Call::Remove | Call::Controller => self.deadline.get(),
            Call::Update => earlier(self.deadline.get(), self.rare().update_deadline),
            Call::Inspect => {
                let allowed = self.policy.inspect_deadline;
                let limit = allowed.and_then(|allowed| monotonic.checked_add(allowed));
                earlier(self.deadline.get(), limit)
            }
        }
    }

    /// The deadline that has ended a call at this time, if it belongs to the call and not to the
    /// phase. Only `inspect` has one. The deadline of a phase is logged with its consequence.
    pub(in crate::agent::driver) fn own_deadline(
        &self,
        call: Call,
        at: Duration,
    ) -> Option<Duration> {
        let is_own = call == Call::Inspect && self.deadline.get() != Some(at);
        self.policy.inspect_deadline.filter(|_| is_own)
    }

    /// Whether a call needs a place in the limit of a worker.
    pub(in crate::agent::driver) fn is_limited(call: Call) -> bool {
        matches!(call, Call::Operate(Operation::Prepare | Operation::Start))
    }

    /// The name and the deadline of the current phase.
    pub(super) fn phase(&self) -> (&'static str, Option<Duration>) {
        if self.goal == Goal::Remove {
            ("remove", self.policy.remove_deadline)
        } else if self.has != Has::Controller {
            ("controller", self.policy.controller_deadline)
        } else if self.is_shutting_down() {
            ("shutdown", self.policy.shutdown_grace)
        } else if self.task.state() == TaskState::Starting {
            ("start", self.policy.start_deadline)
        } else {
            ("prepare", self.policy.prepare_deadline)
        }
    }
}
