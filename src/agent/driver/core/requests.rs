//! Requests of a handle: update, removal, close, policy.

use super::{At, Core, Goal, Has};
use crate::agent::policy::Policy;
use crate::lifecycle::TaskState;
use alloc::sync::Arc;
use core::mem;

/// Why an update is refused.
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

    /// Sets the desired state, and the wanted definition by its number (5, 6).
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
            self.change_rare(|rare| rare.refusal = None);
            self.change_rare(|rare| rare.update_deadline = None);
            self.forget_last_error();
            self.unreported = true;
            self.ask_again();
        }
        let raised = self.raise(desired);
        if self.task.state().is_terminal() {
            return Ok(());
        }
        // A task that is being shut down or terminated gets no update.
        let ending = self.is_shutting_down() || self.terminate_reason().is_some();
        // A delay before a retry ends at once (7).
        if raised || (changed && !ending) {
            self.retry_at = At::NEVER;
            self.change_rare(|rare| rare.update_retry_at = None);
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
            if self.terminate_reason().is_none() && self.has == Has::Controller {
                self.deadline = At::NEVER;
            }
        }
        self.unreported |= desired != before;
        desired > before
    }

    /// Clears the last error of an update that will not be retried.
    fn forget_last_error(&mut self) {
        if self.has == Has::Controller {
            self.change_rare(|rare| rare.last_error = None);
        }
    }

    /// Clears the retry and the deadline of an update. A task that is being shut down, terminated
    /// or removed gets none.
    pub(super) fn forget_update(&mut self) {
        self.change_rare(|rare| (rare.update_retry_at, rare.update_deadline) = (None, None));
    }

    /// If the executor has failed for good, the driver asks it again.
    pub(in crate::agent::driver) fn ask_again(&mut self) {
        if self.has == Has::Refusal {
            self.has = Has::Nothing;
            self.news = true;
        }
    }

    /// Requests the removal of the task (9).
    pub(in crate::agent::driver) fn remove(&mut self) {
        if self.takes_no_update() {
            return;
        }
        self.ask_again();
        if self.policy.shutdown_before_removal && !self.task.state().is_terminal() {
            self.remove_later = true;
            if self.raise(self.desired.max(TaskState::Shutdown)) {
                self.retry_at = At::NEVER;
                self.change_rare(|rare| rare.update_retry_at = None);
            }
        } else {
            self.remove_now();
        }
        self.news = true;
    }

    /// From now on the driver calls `remove` of the controller.
    pub(super) fn remove_now(&mut self) {
        self.ask_again();
        self.goal = Goal::Remove;
        // The executor may have failed since the removal was requested.
        self.ask_again();
        self.remove_later = false;
        self.retry_at = At::NEVER;
        self.forget_update();
        // The deadline of the last phase does not apply any more.
        self.deadline = At::NEVER;
        self.change_rare(|rare| rare.last_error = None);
        self.unreported = true;
    }

    /// Requests the end of the driver. The task stays as it is (9).
    pub(in crate::agent::driver) fn close(&mut self) {
        if self.goal < Goal::Close {
            self.goal = Goal::Close;
            self.news = true;
        }
    }

    /// Sets the policy, and returns the old one. A deadline that has begun is not moved.
    pub(in crate::agent::driver) fn set_policy(&mut self, policy: Arc<Policy>) -> Arc<Policy> {
        mem::replace(&mut self.policy, policy)
    }
}
