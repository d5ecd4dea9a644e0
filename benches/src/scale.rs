//! How much is measured: rounds, and numbers of tasks.

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Scale {
    /// Rounds of what is short.
    pub rounds: usize,
    /// Rounds of what is long.
    pub few: usize,
    /// How many tasks there are where there are many.
    pub crowd: u64,
    /// How many tasks the curves go up to.
    pub tasks: u64,
    /// Whether instructions can be counted.
    pub counts: bool,
}

impl Scale {
    /// How many tasks there are at each point of a curve.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = u64> {
        let sizes = [1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
        sizes.into_iter().filter(|tasks| *tasks <= self.tasks)
    }
}
