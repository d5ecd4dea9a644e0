//! Handles, drivers, workers and reporters under many interleavings of their threads, with the
//! model checker `shuttle`. A wake-up that is lost is a deadlock, which it reports.
//!
//! ```sh
//! RUSTFLAGS="--cfg shuttle" cargo test --test shuttle
//! RUSTFLAGS="--cfg shuttle" cargo test --lib shuttle_tests
//! ```
//!
//! The second command has the parts that are private. Without the flag there is nothing here.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "../src/agent/sync/model.rs"]
mod model;

#[path = "shuttle/drivers.rs"]
mod drivers;
#[path = "shuttle/place.rs"]
mod place;
#[path = "shuttle/reporters.rs"]
mod reporters;
#[path = "shuttle/workers.rs"]
mod workers;
