//! What the tasks have come to.

use crate::lifecycle::TaskStatus;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

/// What tasks have come to that is not durable yet.
#[derive(Default)]
pub(super) struct Results {
    /// The newest status of each.
    pub(super) statuses: BTreeMap<Arc<str>, TaskStatus>,
    /// The version of its definition that a controller has taken, where it had
    /// another one before.
    pub(super) taken: BTreeMap<Arc<str>, u64>,
    /// The tasks of which nothing is left.
    pub(super) removed: BTreeSet<Arc<str>>,
}

impl Results {
    pub(super) fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.taken.is_empty() && self.removed.is_empty()
    }

    /// These, but for what has become of them meanwhile.
    pub(super) fn and(self, newer: Self) -> Self {
        let Self { mut statuses, mut taken, mut removed } = self;
        statuses.extend(newer.statuses);
        taken.extend(newer.taken);
        removed.extend(newer.removed);
        Self { statuses, taken, removed }
    }
}
