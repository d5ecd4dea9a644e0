//! Work that is handed to other threads, under all kinds of interleavings.

use super::database::{Expected, Opened};
use super::record::Steps;
use super::{Offload, RedbStore};
use crate::agent::store::{Store, StoreChange, TaskRecord};
use crate::agent::sync::model::explore_often;
use crate::exec::Assignment;
use ::redb::backends::InMemoryBackend;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use shuttle::future::block_on;
use shuttle::thread;
use std::path::Path;

/// A store in memory, whose work is done on threads of its own.
fn store() -> RedbStore<String> {
    let (path, steps) = (Path::new("in memory"), Steps::default());
    let file = Arc::new(InMemoryBackend::new());
    let opened = Opened::new::<String>(path, file, &steps, Expected::StoreOrNothing);
    let offload: Offload = Box::new(|work| drop(thread::spawn(work)));
    RedbStore::new(path.into(), steps, offload, opened.unwrap())
}

fn record(id: &str, definition: &str) -> [StoreChange<String>; 1] {
    [StoreChange::Record(TaskRecord::new(Assignment::new(id, definition.to_owned())))]
}

fn definitions(store: &RedbStore<String>) -> Vec<String> {
    let tasks = block_on(store.load()).unwrap();
    tasks.into_iter().map(|task| task.record.assignment.definition.clone()).collect()
}

#[test]
fn commits_of_two_threads_are_both_answered_and_stored() {
    explore_often(20, || {
        let store = store();
        let other = store.clone();
        let thread = thread::spawn(move || block_on(other.commit(&record("a", "A"))).unwrap());
        block_on(store.commit(&record("b", "B"))).unwrap();
        thread.join().unwrap();
        assert_eq!(definitions(&store), ["A", "B"]);
    });
}

#[test]
fn a_commit_that_was_dropped_never_comes_after_a_later_one() {
    explore_often(20, || {
        let store = store();
        let changes = record("a", "old");
        {
            let mut commit = pin!(store.commit(&changes));
            block_on(poll_fn(|context| {
                _ = commit.as_mut().poll(context);
                Poll::Ready(())
            }));
            thread::yield_now();
        }
        block_on(store.commit(&record("a", "new"))).unwrap();
        assert_eq!(definitions(&store), ["new"]);
        thread::yield_now();
        assert_eq!(definitions(&store), ["new"]);
    });
}

#[test]
fn a_commit_beside_a_close_is_answered() {
    explore_often(20, || {
        let store = store();
        let other = store.clone();
        let thread = thread::spawn(move || block_on(other.commit(&record("a", "A"))).is_ok());
        block_on(store.close()).unwrap();
        thread.join().unwrap();
        assert!(block_on(store.load()).is_err(), "it is closed");
    });
}
