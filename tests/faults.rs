//! Regression tests: faults that the library once had, and others of the same kind. All of them run
//! in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

mod faults {
    pub(crate) mod agent;
    pub(crate) mod place;
    pub(crate) mod world;

    mod closing;
    mod comparisons;
    mod definitions;
    mod driving;
    mod escapes;
    mod failed_commits;
    mod locks;
    mod orphans;
    mod panics;
    mod reporting;
    mod runtimes;
    mod statuses;
    mod streams;
    mod time;
}
