//! The extent of a measurement: rounds, and numbers of tasks.

/// The extent of a measurement.
#[derive(Debug)]
pub(crate) struct Scale {
    /// Rounds of short measurements.
    pub rounds: usize,
    /// Rounds of long measurements.
    pub few: usize,
    /// The number of tasks where there are many.
    pub crowd: u64,
    /// The largest number of tasks in the curves.
    pub tasks: u64,
    /// Whether instructions can be counted.
    pub counts: bool,
}

impl Scale {
    /// Returns the number of tasks for each point of a curve.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = u64> {
        let sizes = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
        sizes.into_iter().filter(|tasks| *tasks <= self.tasks)
    }
}
