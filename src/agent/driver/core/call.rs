//! What a driver calls, how a call begins, and what may end it.

use super::{At, Core, Definition, Goal, Has, earlier};
use crate::agent::runtime::Now;
use crate::lifecycle::{Operation, TaskState};
use core::time::Duration;

/// What a driver calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::agent::driver) enum Call {
    /// The executor, for a controller.
    Controller,
    /// An operation of the controller whose outcome moves the task.
    Operate(Operation),
    Update,
    Inspect,
    Remove,
    Close,
}

/// What a driver does next.
#[derive(PartialEq, Eq, Debug)]
pub(in crate::agent::driver) enum Next {
    /// Report what has changed, log this, and ask again.
    Recorded(super::Logs),
    Call(Call),
    /// Wait for news, or until this moment.
    Wait(Option<Duration>),
    /// Nothing, ever again.
    Nothing,
}

impl Core {
    /// A call begins. For [`Call::Controller`] and [`Call::Update`], returns the definition
    /// that it is about.
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
                self.ease(|rare| rare.update_retry_at = None);
                self.definitions.is_changed = false;
                self.definitions.is_offered = true;
                if let Some(allowed) = self.policy.update_deadline
                    && self.rare().update_deadline.is_none()
                {
                    self.rare_mut().update_deadline = now.after(allowed);
                }
            }
            Call::Inspect => {}
            // Dropped or not, it is not called again.
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
                // The grace runs from the first call to this controller.
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

    /// The phase may last so long, from its first call.
    fn limit(&mut self, allowed: Option<Duration>, now: Now) {
        if self.deadline == At::NEVER {
            self.deadline = allowed.and_then(|allowed| now.after(allowed)).into();
        }
    }

    /// Which definition the executor is asked for (15).
    fn asks_for(&mut self) -> Definition {
        let definitions = &mut self.definitions;
        if definitions.is_taken && definitions.applied != definitions.unresolvable {
            return Definition::Applied;
        }
        if definitions.is_taken && definitions.applied == definitions.wanted {
            return Definition::Applied;
        }
        // An earlier agent may have used it, and died before that was stored: only its
        // controller can end the workload.
        let was_refused = definitions.applied == definitions.unresolvable;
        if self.may_run && definitions.applied != 0 && !was_refused {
            return Definition::Applied;
        }
        definitions.applied = definitions.wanted;
        definitions.is_taken = false;
        self.touched = true;
        Definition::Wanted
    }

    /// The task has waited for a place: that does not count against its deadline.
    pub(in crate::agent::driver) fn waited(&mut self, waited: Duration) {
        self.deadline = self.deadline.get().map(|at| at.saturating_add(waited)).into();
    }

    /// Whether a call in flight is no longer wanted (3, 5, 9).
    pub(in crate::agent::driver) fn interrupts(&self, call: Call) -> bool {
        match (self.goal, call) {
            (Goal::Ended, _) | (_, Call::Close) => false,
            (Goal::Close, _) => true,
            // Without a controller, nothing can be shut down or removed; `terminate` is the
            // last resort.
            (_, Call::Controller) | (Goal::Live, Call::Operate(Operation::Terminate)) => false,
            (Goal::Remove, call) => call != Call::Remove,
            (Goal::Live, Call::Operate(Operation::Wait)) => self.urgent || self.is_changed(),
            (Goal::Live, _) => self.urgent,
        }
    }

    /// When a call that begins now has taken too long. A `terminate` never does: it is the last
    /// resort (4).
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

    /// The deadline that ends a call at this moment, if it is the call's own. That of a phase is
    /// logged with what follows from it.
    pub(in crate::agent::driver) fn own_deadline(
        &self,
        call: Call,
        at: Duration,
    ) -> Option<Duration> {
        let is_own = call == Call::Inspect && self.deadline.get() != Some(at);
        self.policy.inspect_deadline.filter(|_| is_own)
    }

    /// Whether a call takes one of the places of a worker's limit.
    pub(in crate::agent::driver) fn is_limited(call: Call) -> bool {
        matches!(call, Call::Operate(Operation::Prepare | Operation::Start))
    }

    /// The name of a state's phase, for its deadline.
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
