//! What others want of a task.

use super::{Goal, Life};
use crate::agent::driver::refusal::UpdateRefused;
use crate::exec::Assignment;
use crate::lifecycle::TaskState;

impl<D> Life<D> {
    /// Somebody wants another desired state, or has another definition.
    pub(in crate::agent::driver) fn update(
        &mut self,
        assignment: Assignment<D>,
    ) -> Result<(), UpdateRefused> {
        let Assignment { desired_state: desired, version, definition, .. } = assignment;
        if self.goal != Goal::Live {
            return Err(UpdateRefused::Ended);
        }
        if desired < self.desired {
            return Err(UpdateRefused::LowerDesiredState { present: self.desired, given: desired });
        }
        let raised = desired > self.desired;
        let changed = version != self.version;
        let shuts_down = desired >= TaskState::Shutdown;
        let shut_down_before = self.desired >= TaskState::Shutdown;
        self.desired = desired;
        if changed {
            self.version = version;
            self.definition = definition;
        }
        if self.task.state().is_terminal() {
            return Ok(());
        }
        // On the way to its end a task has no use for another definition.
        let ending = shuts_down || self.last_resort.is_some();
        if changed && !ending {
            self.changes = self.changes.wrapping_add(1);
        }
        if shuts_down && !shut_down_before {
            self.urgent = true;
            self.inspection_due = false;
            if self.last_resort.is_none() {
                self.deadline = None;
            }
        }
        // What was to be tried again is tried at once (rule 7).
        if raised || (changed && !ending) {
            self.retry_at = None;
            self.update_retry_at = None;
            self.news = true;
        }
        Ok(())
    }

    /// The task is no longer assigned (rule 9).
    pub(in crate::agent::driver) fn remove(&mut self) {
        if self.goal == Goal::Live {
            self.goal = Goal::Remove;
            self.retry_at = None;
            // A removal has none: one that is past would only keep it awake.
            self.deadline = None;
            self.news = true;
        }
    }

    /// The agent goes away (rule 9).
    pub(in crate::agent::driver) fn close(&mut self) {
        if self.goal < Goal::Close {
            self.goal = Goal::Close;
            self.news = true;
        }
    }
}
