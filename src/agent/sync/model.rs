//! Tests under many interleavings of threads, with the model checker `shuttle`.

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};

/// The number of interleavings that each scheduler tries. `ONWARD_SHUTTLE=N` sets another one.
const INTERLEAVINGS: usize = 1000;

/// Runs `test` under many interleavings: random ones, and ones with few changes of the thread at
/// random places. Fails if the test panics or deadlocks.
pub(crate) fn explore(test: impl Fn() + Clone + Send + Sync + 'static) {
    explore_often(1, test);
}

/// As `explore`, but with fewer interleavings by this factor, for a slow test.
pub(crate) fn explore_often(divisor: usize, test: impl Fn() + Clone + Send + Sync + 'static) {
    let interleavings = std::env::var("ONWARD_SHUTTLE").ok();
    let interleavings = interleavings.and_then(|number| number.parse().ok());
    let interleavings = (interleavings.unwrap_or(INTERLEAVINGS) / divisor).max(1);
    let mut config = Config::new();
    config.stack_size = 2 << 20;
    Runner::new(RandomScheduler::new(interleavings), config.clone()).run(test.clone());
    Runner::new(PctScheduler::new(3, interleavings), config).run(test);
}
