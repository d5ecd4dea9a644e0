//! The definition of a task.

use onward::testing::contract::Workload;

/// What a task is: what its workload does, and two settings that an update may change. The
/// second one must stay below 10.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) workload: Workload,
    pub(crate) first: u8,
    pub(crate) second: u8,
}

impl Plan {
    pub(crate) const fn new(workload: Workload) -> Self {
        Self { workload, first: 0, second: 0 }
    }
}
