//! A task's whole life under the driver: generated scenarios, held against the
//! twelve rules of the format's page, and a few written by hand.
//!
//! ```sh
//! cargo test --test scenarios                                     # 2,000
//! ONWARD_SCENARIOS=100000 cargo test --release --test scenarios   # any number
//! ONWARD_SCENARIOS=1 ONWARD_SCENARIOS_FROM=17 cargo test --test scenarios
//! ```
//!
//! The last one runs the scenario of one seed again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "../examples/conformance.rs"]
#[expect(dead_code, reason = "of the program, only one mode is run here")]
mod conformance;

/// What is said of them.
mod scenarios {
    pub(crate) mod cursor;
    pub(crate) mod generator;
    pub(crate) mod input;
    pub(crate) mod invariants;
    pub(crate) mod model;
    pub(crate) mod shrink;
    pub(crate) mod status;
    pub(crate) mod verdict;

    mod faults;
    mod recorded;
    mod refusals;
}

use scenarios::verdict;
use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

/// How many different violations are shown before the test gives up.
const SHOWN: usize = 5;

#[test]
fn every_generated_scenario_keeps_every_rule() {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let count = number("ONWARD_SCENARIOS").unwrap_or(2_000);
    let from = number("ONWARD_SCENARIOS_FROM").unwrap_or(0);
    let begun = Instant::now();
    let (next, entries, wrong) = (AtomicU64::new(from), AtomicU64::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count || wrong.lock().unwrap().len() >= SHOWN {
                        return;
                    }
                    match verdict::of_seed(seed) {
                        Ok(length) => _ = entries.fetch_add(length as u64, Ordering::Relaxed),
                        Err(report) => wrong.lock().unwrap().push(report),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} violations\n\n{}", wrong.len(), wrong.join("\n\n"));
    let entries = entries.into_inner();
    eprintln!("{count} scenarios, {entries} entries, each twice, in {:?}", begun.elapsed());
    // Of few scenarios the average says nothing.
    assert!(count < 100 || entries >= 20 * count, "{entries} entries in {count} scenarios");
}
