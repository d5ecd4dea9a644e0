//! The definition of a task.

use onward::testing::contract::Workload;

/// The definition of a task: the behavior of its workload, and two settings that an update
/// can change. The second setting must stay below 10.
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
