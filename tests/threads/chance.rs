//! Random numbers from a seed, and time limits.

use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// The number of threads that use the handles.
pub(crate) const THREADS: u64 = 6;

/// The time limit of one round.
const LIMIT: Duration = Duration::from_secs(60);

/// The text of every planned panic.
pub(crate) const PLANNED: &str = "as planned";

/// Random numbers, which threads can share. The same seed gives the same numbers.
#[derive(Debug)]
pub(crate) struct Chance(AtomicU64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// A number below `bound`: `SplitMix64`.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut z = self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    /// Returns true with this probability.
    pub(crate) fn one_in(&self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// The number of repetitions.
fn rounds() -> u64 {
    let rounds = std::env::var("ONWARD_THREADS").ok();
    rounds.map_or(1, |rounds| rounds.parse().expect("ONWARD_THREADS is a number"))
}

/// Runs a test with each number of worker threads, in every round, with another seed each time.
/// Fails if a run exceeds the time limit.
pub(crate) fn in_rounds(what: &'static str, run: impl Fn(u64, usize) + Clone + Send + 'static) {
    hide_planned_panics();
    for round in 0..rounds() {
        for workers in [2_usize, 4, 8] {
            let seed = round * 10 + workers as u64;
            let run = run.clone();
            let (sender, receiver) = channel::<()>();
            let thread = thread::spawn(move || {
                run(seed, workers);
                drop(sender);
            });
            let ended = receiver.recv_timeout(LIMIT);
            assert_eq!(
                ended,
                Err(RecvTimeoutError::Disconnected),
                "not within {LIMIT:?}: {what}, seed {seed}, {workers} worker threads"
            );
            if let Err(panic) = thread.join() {
                panic!("{what}, seed {seed}, {workers} worker threads: {:?}", text(&*panic));
            }
        }
    }
}

fn text(panic: &(dyn std::any::Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&'static str>().copied())
}

/// Planned panics are not printed.
fn hide_planned_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !text(info.payload()).is_some_and(|text| text.contains(PLANNED)) {
                print(info);
            }
        }));
    });
}

/// A tokio runtime with this many worker threads.
pub(crate) fn tokio_runtime(workers: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_time()
        .build()
        .expect("a tokio runtime can be built")
}
