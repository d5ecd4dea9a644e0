//! What is wanted of a task.

use super::{Core, Goal, Has};
use crate::agent::policy::Policy;
use crate::lifecycle::TaskState;
use alloc::sync::Arc;
use core::mem;

/// Why an update of the assignment is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::agent::driver) enum Refusal {
    LowerDesiredState { present: TaskState },
    Ended,
}

impl Core {
    /// Another desired state is wanted, or another definition, by its number (5, 6).
    pub(in crate::agent::driver) fn want(
        &mut self,
        desired: TaskState,
        definition: u32,
    ) -> Result<(), Refusal> {
        if self.goal != Goal::Live || self.remove_later {
            return Err(Refusal::Ended);
        }
        if desired < self.desired {
            return Err(Refusal::LowerDesiredState { present: self.desired });
        }
        let changed = definition != self.definitions.wanted;
        if changed {
            self.definitions.wanted = definition;
            self.definitions.refused = 0;
            self.definitions.highest = self.definitions.highest.max(definition);
            self.refusal = None;
            self.update_deadline = None;
            self.touched = true;
            self.ask_again();
        }
        let raised = self.raise(desired);
        if self.task.state().is_terminal() {
            return Ok(());
        }
        // On the way to its end a task has no use for another definition.
        let ending = self.is_shutting_down() || self.last_resort().is_some();
        // What was to be tried again is tried at once (7).
        if raised || (changed && !ending) {
            self.retry_at = None;
            self.update_retry_at = None;
            self.news = true;
        }
        Ok(())
    }

    /// Raises the desired state. Returns whether it was lower.
    fn raise(&mut self, desired: TaskState) -> bool {
        let before = mem::replace(&mut self.desired, desired);
        let begins_to_end = self.is_shutting_down() && before < TaskState::Shutdown;
        if begins_to_end && !self.task.state().is_terminal() {
            self.urgent = true;
            self.inspection_due = false;
            self.forget_update();
            if self.last_resort().is_none() && self.has == Has::Controller {
                self.deadline = None;
            }
        }
        self.touched |= desired != before;
        desired > before
    }

    /// On the way to its end a task gets no update, so none is late.
    pub(super) fn forget_update(&mut self) {
        (self.update_retry_at, self.update_deadline) = (None, None);
    }

    /// If the executor has refused, it is asked again.
    pub(in crate::agent::driver) fn ask_again(&mut self) {
        if self.has == Has::Refusal {
            self.has = Has::Nothing;
            self.news = true;
        }
    }

    /// The task is no longer assigned (9).
    pub(in crate::agent::driver) fn remove(&mut self) {
        if self.goal != Goal::Live || self.remove_later {
            return;
        }
        self.ask_again();
        if self.policy.shutdown_before_removal && !self.task.state().is_terminal() {
            self.remove_later = true;
            if self.raise(self.desired.max(TaskState::Shutdown)) {
                self.retry_at = None;
                self.update_retry_at = None;
            }
        } else {
            self.remove_now();
        }
        self.news = true;
    }

    /// From here on the controller's `remove` is called.
    pub(super) fn remove_now(&mut self) {
        self.goal = Goal::Remove;
        // The executor may have refused since the removal was wanted.
        self.ask_again();
        self.remove_later = false;
        self.retry_at = None;
        self.forget_update();
        // The deadline of a phase that does not matter any more would only keep it awake.
        self.deadline = None;
        self.last_error = None;
        self.touched = true;
    }

    /// The agent stops (9).
    pub(in crate::agent::driver) fn close(&mut self) {
        if self.goal < Goal::Close {
            self.goal = Goal::Close;
            self.news = true;
        }
    }

    /// A deadline that runs is not moved.
    pub(in crate::agent::driver) fn set_policy(&mut self, policy: Arc<Policy>) -> Arc<Policy> {
        mem::replace(&mut self.policy, policy)
    }
}
