//! Runs a test under many interleavings of its threads, with the model checker `shuttle`.

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// How many interleavings each scheduler tries. `ONWARD_SHUTTLE=N` sets another number.
const INTERLEAVINGS: usize = 1000;

/// Runs `test` under many interleavings: by chance, and with few changes of the thread at
/// places that are chosen by chance. Fails if one of them panics, or if all threads wait.
pub(crate) fn explore(test: impl Fn() + Clone + Send + Sync + 'static) {
    explore_often(1, test);
}

/// As `explore`, but with fewer interleavings by this factor, for a test that takes long.
pub(crate) fn explore_often(divisor: usize, test: impl Fn() + Clone + Send + Sync + 'static) {
    let interleavings = std::env::var("ONWARD_SHUTTLE").ok();
    let interleavings = interleavings.and_then(|number| number.parse().ok());
    let interleavings = (interleavings.unwrap_or(INTERLEAVINGS) / divisor).max(1);
    let mut config = Config::new();
    config.stack_size = 2 << 20;
    Runner::new(RandomScheduler::new(interleavings), config.clone()).run(test.clone());
    Runner::new(PctScheduler::new(3, interleavings), config).run(test);
}
