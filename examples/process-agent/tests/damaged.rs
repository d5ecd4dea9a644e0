//! A damaged store: the agent reports it and does not change it, and the tasks keep running.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/agent.rs"]
mod agent;

use std::fs;

use agent::{Home, RUNS, task};
use redb::{Database, TableDefinition};

const STORE: &str = "state/tasks.redb";

/// Kills the agent of two tasks and damages the store. Checks that an agent refuses it for this
/// reason. When the store is restored, an agent finds the same tasks as before.
#[track_caller]
fn check(damage: impl Fn(&Home), reason: &str) {
    let tasks = [task("web", RUNS), task("done", "exit 7")].concat();
    let mut home = Home::new(&tasks);
    home.up(&[]);
    home.until("web", "running");
    home.until("done", "failed");
    let pid = home.pid("web");
    home.kill();
    fs::copy(home.path(STORE), home.path("kept")).unwrap();
    damage(&home);
    let damaged = fs::read(home.path(STORE)).unwrap();
    for _ in 0..2 {
        let error = home.refused(&["run", "tasks.toml"]);
        assert!(error.contains("tasks.redb: ") && error.contains(reason), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(fs::read(home.path(STORE)).unwrap() == damaged, "the store was changed");
    }
    assert!(home.alive().iter().any(|(alive, _)| *alive == pid), "the task has ended");
    fs::rename(home.path("kept"), home.path(STORE)).unwrap();
    home.up(&[]);
    home.until("web", "running");
    home.until("done", "failed");
    assert_eq!((home.pid("web"), home.starts("web"), home.starts("done")), (pid, 1, 1));
    let done = home.task("done").unwrap();
    assert_eq!(done["Status"]["ContainerStatus"]["ExitCode"], 7, "{done:#}");
}

fn cut(home: &Home, length: impl Fn(u64) -> u64) {
    let store = fs::File::options().write(true).open(home.path(STORE)).unwrap();
    store.set_len(length(store.metadata().unwrap().len())).unwrap();
}

#[test]
fn an_empty_store_is_refused() {
    check(|home| cut(home, |_| 0), "the store is empty, but there are tasks");
}

#[test]
fn a_store_with_only_its_first_bytes_is_refused() {
    check(|home| cut(home, |_| 100), "damaged");
}

#[test]
fn a_store_with_only_its_first_half_is_refused() {
    check(|home| cut(home, |length| length / 2), "damaged");
}

#[test]
fn a_file_that_is_not_a_store_is_refused() {
    check(
        |home| fs::write(home.path(STORE), "task = []\n").unwrap(),
        "this is not a store of tasks",
    );
}

#[test]
fn a_partly_overwritten_store_is_refused() {
    let overwrite = |home: &Home| {
        let mut bytes = fs::read(home.path(STORE)).unwrap();
        for byte in &mut bytes[4096..] {
            *byte = 0xa5;
        }
        fs::write(home.path(STORE), bytes).unwrap();
    };
    check(overwrite, "damaged");
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let raise = |home: &Home| {
        let store = Database::open(home.path(STORE)).unwrap();
        let write = store.begin_write().unwrap();
        {
            let versions = TableDefinition::<&str, u64>::new("onward.versions");
            write.open_table(versions).unwrap().insert("records", 99).unwrap();
        }
        write.commit().unwrap();
    };
    check(raise, "a newer agent has written this store: its records have version 99");
}
