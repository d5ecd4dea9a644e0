//! The state of one task of a worker.

use crate::agent::panic::are_equal;
use crate::agent::store::TaskRecord;
use crate::exec::Assignment;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::sync::Arc;

/// The state of one task.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Entry<D, H> {
    /// The stored record, unless the last commit with it failed.
    pub(super) record: Arc<TaskRecord<D>>,
    /// The stored status, unless the last commit with it failed.
    pub(super) status: Option<Arc<TaskStatus>>,
    /// The newest status, if it is not stored yet.
    pub(super) newest: Option<Arc<TaskStatus>>,
    /// The applied assignment, from the driver. If there is no controller yet, the assignment that
    /// the executor was asked for.
    pub(super) applied: Option<Arc<Assignment<D>>>,
    /// Whether a controller has `applied`.
    pub(super) is_taken: bool,
    /// Whether the executor has failed for good.
    pub(super) is_refused: bool,
    /// Whether the removal has failed, and the driver still closes its controller.
    pub(super) is_removal_failed: bool,
    /// Whether the controller has logs.
    pub(super) has_logs: bool,
    /// Whether a message has come since then, so that the removal is retried when the driver has
    /// ended.
    pub(super) is_wanted_again: bool,
    pub(super) stage: Stage,
    /// The handle of the driver.
    pub(super) seat: H,
    /// Why the removal failed.
    pub(super) removal_error: Option<Arc<str>>,
}

/// Whether a task has a driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// It has no driver.
    Idle,
    /// It has no driver, and waits for the `reconcile` of its id.
    Blocked,
    Driven,
    /// The driver has removed the task. The record must be deleted.
    Removed,
}

impl<D: PartialEq, H> Entry<D, H> {
    pub(super) fn new(
        record: Arc<TaskRecord<D>>,
        status: Option<Arc<TaskStatus>>,
        seat: H,
    ) -> Self {
        let applied = record.applied.clone();
        Self {
            status,
            newest: None,
            is_taken: applied.is_some(),
            applied,
            is_refused: false,
            is_removal_failed: false,
            has_logs: false,
            is_wanted_again: false,
            stage: Stage::Idle,
            seat,
            removal_error: None,
            record,
        }
    }

    /// Whether the task has changes that are not stored.
    pub(super) fn is_due(&self) -> bool {
        self.newest.is_some() || self.stage == Stage::Removed || self.is_applied_due()
    }

    /// Whether the applied definition is not stored (3).
    pub(super) fn is_applied_due(&self) -> bool {
        match (&self.applied, &self.record.applied) {
            (Some(applied), Some(stored)) => self.is_taken && !is_same(applied, stored),
            (Some(_), None) => self.is_taken,
            // The executor has made no controller with it.
            (None, Some(_)) => true,
            (None, None) => false,
        }
    }

    /// The applied assignment to store beside a new wanted one. If the driver has not reported yet,
    /// it may be asking the executor for the definition that was wanted before.
    pub(super) fn applied(&self) -> Option<Arc<Assignment<D>>> {
        if self.applied.is_some() || self.is_refused || self.stage != Stage::Driven {
            return self.applied.clone();
        }
        Some(Arc::clone(&self.record.assignment))
    }

    /// Whether the task has ended, by the newest status.
    pub(super) fn has_ended(&self) -> bool {
        let status = self.newest.as_deref().or(self.status.as_deref());
        status.is_some_and(|status| status.state.is_terminal())
    }

    /// Whether the task is only shut down or removed.
    pub(super) fn is_to_end(&self) -> bool {
        self.record.removing || self.record.assignment.desired_state >= TaskState::Shutdown
    }
}

/// Whether two assignments have the same definition.
pub(super) fn is_same<D: PartialEq>(a: &Arc<Assignment<D>>, b: &Arc<Assignment<D>>) -> bool {
    Arc::ptr_eq(a, b) || are_equal(&a.definition, &b.definition)
}

/// Returns `other` if it has the same definition, so that both share their memory.
pub(super) fn shared<D: PartialEq>(
    assignment: Arc<Assignment<D>>,
    other: &Arc<Assignment<D>>,
) -> Arc<Assignment<D>> {
    if is_same(&assignment, other) { Arc::clone(other) } else { assignment }
}
