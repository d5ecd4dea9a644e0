//! `AnyTask::observe`: merging statuses that were reported elsewhere.

use super::AnyTask;
use crate::lifecycle::state::TaskState;
use crate::lifecycle::status::TaskStatus;
use core::cmp::Ordering;

impl AnyTask {
    /// Merges a status that was reported elsewhere. Reports can arrive in any order.
    ///
    /// Only an [advanced](Observed::Advanced) status is merged. It replaces the whole
    /// status, timestamp included, even if its timestamp is earlier.
    ///
    /// ```
    /// use onward::lifecycle::{AnyTask, Observed, TaskState, TaskStatus};
    ///
    /// let mut task = AnyTask::resume(TaskStatus::new(TaskState::Ready));
    /// assert_eq!(task.observe(&TaskStatus::new(TaskState::Accepted)), Observed::Stale);
    /// assert_eq!(task.observe(&TaskStatus::new(TaskState::Running)), Observed::Advanced);
    /// assert_eq!(task.observe(&TaskStatus::new(TaskState::Rejected)), Observed::Forced);
    /// assert_eq!(task.state(), TaskState::Running);
    /// ```
    pub fn observe(&mut self, reported: &TaskStatus) -> Observed {
        let observed = self.compare(reported);
        if observed == Observed::Advanced {
            *self = Self::resume(reported.clone());
        }
        observed
    }

    fn compare(&self, reported: &TaskStatus) -> Observed {
        let (here, there) = (self.state(), reported.state);
        // A manager orphans a task in the state that the manager sees. That is always one
        // edge, never a path through states that were not reported.
        let reached =
            here.can_become(there) || (here.can_reach(there) && there != TaskState::Orphaned);
        match there.cmp(&here) {
            Ordering::Equal if reported.timestamp > self.timestamp() => Observed::Advanced,
            Ordering::Equal => Observed::Stale,
            _ if here.is_terminal() && there.is_terminal() => Observed::Conflicting,
            Ordering::Less => Observed::Stale,
            Ordering::Greater if reached => Observed::Advanced,
            Ordering::Greater => Observed::Forced,
        }
    }
}

/// The relation of a reported status to a task, as [`AnyTask::observe`] returns it.
#[must_use = "a forced status is not taken by itself"]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Observed {
    /// The same state at a later time, or a greater state that a path of edges leads to.
    /// The task now has this status.
    Advanced,
    /// A greater state that no path of edges leads to: a manager forced it. The task has
    /// not changed. To accept the status, [resume](AnyTask::resume) from it.
    ///
    /// Managers force STARTING and RUNNING to REJECTED (constraint and volume enforcers).
    /// They force NEW and PENDING to ORPHANED (the node of a pre-assigned task was
    /// removed).
    Forced,
    /// A lower state, or the same state without a later time. The task has not changed.
    Stale,
    /// A terminal state that is not the task's own, REMOVE included. The reports
    /// conflict, and the task keeps its own state.
    Conflicting,
}
