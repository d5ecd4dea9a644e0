//! Tests of a driver's calls: the executor, deadlines, removals, a workload that may run,
//! snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "support/hands_out.rs"]
mod hands_out;

mod driver_calls {
    pub(crate) mod life;

    mod deadlines;
    mod executor;
    mod removal;
    mod shown;
    mod workload;
}
