//! Whole agents in worlds: generated ones and recorded ones, held against the rules
//! of the format's page.
//!
//! ```sh
//! cargo test --test worlds                                # 300
//! ONWARD_WORLDS=20000 cargo test --release --test worlds  # any number
//! ONWARD_WORLDS=1 ONWARD_WORLDS_FROM=17 cargo test --test worlds
//! ```
//!
//! The last one runs the world of one seed again. For each rule that is broken, the
//! first world is printed, made small; `ONWARD_WORLDS_SHOWN` prints more.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "../examples/conformance.rs"]
#[expect(dead_code, reason = "of the program, only one mode is run here")]
mod conformance;

/// The checker, the generator and what is tested of them.
mod worlds {
    pub(crate) mod facts;
    pub(crate) mod generator;
    pub(crate) mod input;
    pub(crate) mod ledger;
    pub(crate) mod place;
    pub(crate) mod report;
    pub(crate) mod rules;
    pub(crate) mod shrink;
    pub(crate) mod verdict;

    mod planted;
    mod recorded;
    mod refusals;
}

use std::collections::BTreeMap;
use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;
use worlds::{generator, verdict};

/// How many violations of a rule are listed.
const SHOWN: usize = 8;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect(name))
}

#[test]
fn every_generated_world_keeps_every_rule() {
    let count = number("ONWARD_WORLDS").unwrap_or(300);
    let from = number("ONWARD_WORLDS_FROM").unwrap_or(0);
    let examples = number("ONWARD_WORLDS_SHOWN").map_or(1, |n| usize::try_from(n).unwrap());
    let begun = Instant::now();
    let (next, seeds) = (AtomicU64::new(from), Mutex::new(BTreeMap::<u8, Vec<u64>>::new()));
    let broken = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + count {
                        return;
                    }
                    let report = verdict::of_seed(seed);
                    let mut seeds = seeds.lock().unwrap();
                    broken.fetch_add(u64::from(!report.is_empty()), Ordering::Relaxed);
                    report.rules().for_each(|rule| seeds.entry(rule).or_default().push(seed));
                }
            });
        }
    });
    let seeds = seeds.into_inner().unwrap();
    let kept = count - broken.into_inner();
    eprintln!("{kept} of {count} worlds keep every rule, each run twice, in {:?}", begun.elapsed());
    let mut shown = Vec::new();
    for (rule, mut seeds) in seeds {
        seeds.sort_unstable();
        let first = &seeds[..seeds.len().min(SHOWN)];
        eprintln!("rule {rule}: broken in {} worlds, the first seeds: {first:?}", seeds.len());
        for seed in seeds.iter().take(examples) {
            let small = verdict::shrunk(generator::world(*seed), rule);
            shown.push(format!("seed {seed}, rule {rule}: {small}"));
        }
    }
    assert!(kept == count, "{} worlds break a rule\n\n{}", count - kept, shown.join("\n\n"));
}
