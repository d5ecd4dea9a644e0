//! A workload: something that is timed and whose instructions are counted.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Something that runs `n` times, or is only prepared. The count of the preparation is subtracted.
#[derive(Debug)]
pub(crate) struct Workload {
    /// The name. The child process gets it as an argument.
    pub name: &'static str,
    /// The number of counted items in one run.
    pub each: u32,
    /// Runs or prepares it, and returns the time.
    pub run: fn(n: u64, live: bool) -> Duration,
}

/// Makes `n` values, and calls a function with each.
pub(crate) fn lives<T>(
    n: u64,
    live: bool,
    fresh: impl Fn() -> T,
    mut life: impl FnMut(&mut T),
) -> Duration {
    let mut tasks: Vec<T> = (0..n).map(|_| fresh()).collect();
    let start = Instant::now();
    if black_box(live) {
        for task in &mut tasks {
            life(black_box(task));
        }
    }
    let took = start.elapsed();
    drop(black_box(tasks));
    took
}

/// A machine, and the eight events of its life.
pub(crate) type Life<T, E> = (T, [Option<E>; 8]);

/// Like [`lives`], in a loop over the events of a life, which the compiler does not know.
pub(crate) fn loops<T, E>(
    n: u64,
    live: bool,
    fresh: impl Fn() -> Life<T, E>,
    mut apply: impl FnMut(&mut T, E),
) -> Duration {
    lives(n, live, fresh, |(task, events)| {
        for event in events.iter_mut().filter_map(Option::take) {
            apply(task, event);
        }
    })
}
