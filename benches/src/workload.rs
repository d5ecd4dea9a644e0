//! What is timed and whose instructions are counted.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Something that is done `n` times, or only got ready for. What both have in common is left
/// out of the count.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Its name, as the child process is told it.
    pub name: &'static str,
    /// How many of what is counted there are in one time.
    pub each: u32,
    /// Does it, and says how long that took.
    pub run: fn(n: u64, live: bool) -> Duration,
}

/// Makes `n` of something, and has each live.
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

/// The same in a loop over the events of a life, which the compiler does not know.
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
