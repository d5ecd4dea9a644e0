//! What is wanted of a task.

use super::{At, Core, Goal, Has};
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
    /// Whether the task is being removed, or its driver closes or has ended (11).
    pub(in crate::agent::driver) fn takes_no_update(&self) -> bool {
        self.goal != Goal::Live || self.remove_later
    }

    /// Another desired state is wanted, or another definition, by its number (5, 6).
    pub(in crate::agent::driver) fn want(
        &mut self,
        desired: TaskState,
        definition: u32,
    ) -> Result<(), Refusal> {
        if self.takes_no_update() {
            return Err(Refusal::Ended);
        }
        if desired < self.desired {
            return Err(Refusal::LowerDesiredState { present: self.desired });
        }
        let changed = definition != self.definitions.wanted;
        if changed {
            self.definitions.wanted = definition;
            self.definitions.refused = 0;
            self.definitions.is_changed = self.has == Has::Controller;
            self.definitions.highest = self.definitions.highest.max(definition);
            self.ease(|rare| rare.refusal = None);
            self.ease(|rare| rare.update_deadline = None);
            self.forget_last_error();
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
            self.retry_at = At::NEVER;
            self.ease(|rare| rare.update_retry_at = None);
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
            self.forget_last_error();
            self.forget_update();
            if self.last_resort().is_none() && self.has == Has::Controller {
                self.deadline = At::NEVER;
            }
        }
        self.touched |= desired != before;
        desired > before
    }

    /// The last error of an update is not shown once that update is not tried again.
    fn forget_last_error(&mut self) {
        if self.has == Has::Controller {
            self.ease(|rare| rare.last_error = None);
        }
    }

    /// On the way to its end a task gets no update, so none is late.
    pub(super) fn forget_update(&mut self) {
        self.ease(|rare| (rare.update_retry_at, rare.update_deadline) = (None, None));
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
        if self.takes_no_update() {
            return;
        }
        self.ask_again();
        if self.policy.shutdown_before_removal && !self.task.state().is_terminal() {
            self.remove_later = true;
            if self.raise(self.desired.max(TaskState::Shutdown)) {
                self.retry_at = At::NEVER;
                self.ease(|rare| rare.update_retry_at = None);
            }
        } else {
            self.remove_now();
        }
        self.news = true;
    }

    /// From here on the controller's `remove` is called.
    pub(super) fn remove_now(&mut self) {
        self.ask_again();
        self.goal = Goal::Remove;
        // The executor may have refused since the removal was wanted.
        self.ask_again();
        self.remove_later = false;
        self.retry_at = At::NEVER;
        self.forget_update();
        // The deadline of a phase that does not matter any more would only keep it awake.
        self.deadline = At::NEVER;
        self.ease(|rare| rare.last_error = None);
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
