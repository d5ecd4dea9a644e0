//! The programs of `docs/getting-started.md`: each runs to its end, and the page shows it.
#![cfg(unix)] // They run `sh`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking
#![allow(clippy::pedantic, missing_docs, unreachable_pub, dead_code)] // as the page shows them
#![allow(clippy::duplicate_mod)] // each program has `mod job;`, as a learner has it

use std::env;

/// A program. Its `main` is private, as the page shows it, so `run` is beside it.
macro_rules! program {
    ($name:ident $file:literal) => {
        mod $name {
            include!($file);

            pub(super) fn run() {
                main().unwrap();
            }
        }
    };
}

program!(controller "../examples/getting-started/controller.rs");
program!(steps "../examples/getting-started/steps.rs");
program!(agent "../examples/getting-started/agent.rs");

#[test]
fn the_programs_of_the_page_run_to_their_end() {
    // The agent writes a file where it runs. Nothing else in this process needs the directory.
    let place = tempfile::tempdir().unwrap();
    env::set_current_dir(place.path()).unwrap();
    controller::run();
    steps::run();
    agent::run();
    assert!(place.path().join("tasks.redb").is_file());
}

#[test]
fn the_page_shows_these_programs() {
    let page = include_str!("../docs/getting-started.md");
    let controller = include_str!("../examples/getting-started/job.rs");
    assert!(page.contains(&format!("```rust\n{controller}```\n")), "job.rs is not on the page");
    let programs = [
        include_str!("../examples/getting-started/controller.rs"),
        include_str!("../examples/getting-started/steps.rs"),
        include_str!("../examples/getting-started/agent.rs"),
    ];
    for program in programs {
        let block = format!("```rust,ignore\n{program}```\n");
        assert!(page.contains(&block), "not on the page:\n{program}");
    }
}
