//! Tests of the worker in virtual time: assigning, storing, reporting, removing, and crashes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

mod worker {
    pub(crate) mod agent;
    pub(crate) mod world;

    mod assigning;
    mod changes;
    mod closing;
    mod crash;
    mod listening;
    mod logs;
    mod reconciling;
    mod removing;
    mod storing;
}
