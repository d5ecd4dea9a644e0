//! A model test of the driver: random lives of tasks in virtual time. Each trace is compared with a
//! small sequential model.
//!
//! `ONWARD_TRACES=1000000 cargo test --release --test driver_model` plays that many distinct
//! traces. `ONWARD_SEED=7` begins with another seed. Together with `ONWARD_TRACES=1`, it plays and
//! prints that trace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

mod driver_model {
    pub(crate) mod change;
    pub(crate) mod choices;
    pub(crate) mod controller;
    pub(crate) mod event;
    pub(crate) mod follow;
    pub(crate) mod model;
    pub(crate) mod play;
    pub(crate) mod record;
    pub(crate) mod watch;
    pub(crate) mod world;
}

use driver_model::choices::{Choices, shrink};
use driver_model::play::play;
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, thread};

/// The results of all traces.
#[derive(Default)]
struct Sum {
    distinct: HashSet<u64>,
    events: u64,
    played: u64,
    /// The first trace of each kind of failure, and the number of traces with that failure.
    broken: BTreeMap<String, (u64, u64)>,
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// Plays one seed after the other, until there are enough distinct traces.
fn work(next: &AtomicU64, traces: u64, sum: &Mutex<Sum>) {
    const BATCH: u64 = 64;
    loop {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        let played: Vec<_> = (first..first + BATCH)
            .map(|seed| (seed, play(Choices::of_seed(seed), false)))
            .collect();
        let sum = &mut *sum.lock().unwrap();
        for (seed, played) in played {
            if sum.distinct.len() as u64 == traces {
                return;
            }
            sum.distinct.insert(played.hash);
            sum.events += u64::from(played.events);
            sum.played += 1;
            if let Some(broken) = played.broken {
                sum.broken.entry(kind(&broken)).or_insert((seed, 0)).1 += 1;
            }
        }
    }
}

/// The text of a failure without its numbers.
fn kind(broken: &str) -> String {
    broken.chars().filter(|c| !c.is_ascii_digit()).take(96).collect()
}

#[test]
fn the_driver_does_what_the_model_predicts_for_random_lives() {
    let seed = number("ONWARD_SEED").unwrap_or(0);
    let traces = number("ONWARD_TRACES").unwrap_or(4_000);
    let (next, sum) = (AtomicU64::new(seed), Mutex::new(Sum::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| work(&next, traces, &sum));
        }
    });
    let sum = sum.into_inner().unwrap();
    println!(
        "{} traces from seed {seed}, {} distinct, {} events each",
        sum.played,
        sum.distinct.len(),
        sum.events / sum.played,
    );
    for (seed, times) in sum.broken.values() {
        show(*seed, *times);
    }
    assert!(sum.broken.is_empty(), "{} kinds of failures", sum.broken.len());
    assert!(sum.events >= 20 * sum.played, "traces are long enough to say something");
}

/// Prints the smallest trace with the same failure.
fn show(seed: u64, times: u64) {
    let played = play(Choices::of_seed(seed), false);
    let same = kind(&played.broken.unwrap_or_default());
    let fails = |row: &[u32]| {
        play(Choices::again(row), false).broken.is_some_and(|broken| kind(&broken) == same)
    };
    let row = shrink(played.drawn, fails);
    let shown = play(Choices::again(&row), true);
    println!("\nseed {seed}, and {times} like it; the least is {row:?}");
    println!("{}\n  -> {}", shown.log.join("\n"), shown.broken.unwrap_or_default());
}

#[test]
fn a_seed_gives_the_same_trace_twice() {
    for seed in 0..200 {
        let [once, twice] = [0; 2].map(|_| play(Choices::of_seed(seed), true).log);
        assert_eq!(once, twice, "seed {seed}");
    }
}
