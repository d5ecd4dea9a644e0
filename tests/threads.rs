//! Real threads: the handles of an agent are used from six threads at once, while futures are
//! aborted, runtimes shut down, stores fail, and the embedder's code panics.
//!
//! `ONWARD_THREADS=N` repeats everything N times with other seeds. Default: 1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

mod threads {
    pub(crate) mod chance;
    pub(crate) mod ear;
    pub(crate) mod factory;
    pub(crate) mod flaky;
    pub(crate) mod hammer;

    mod drivers;
    mod reporters;
    mod two_runtimes;
    mod workers;
}
