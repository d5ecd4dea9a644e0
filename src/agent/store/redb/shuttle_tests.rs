//! A store whose work runs on other threads, under many interleavings.

use super::database::{Expected, Opened};
use super::record::Steps;
use super::{Offload, RedbStore};
use crate::agent::store::{Store, StoreChange, TaskRecord};
use crate::agent::sync::model::explore_often;
use crate::exec::Assignment;
use ::redb::StorageBackend;
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
use std::io;
use std::path::Path;
use std::sync::Mutex;

/// A file in memory. It grows when it is written.
#[derive(Default, Debug)]
struct Memory(Mutex<Vec<u8>>);

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock().unwrap()[at..at + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        let mut bytes = self.0.lock().unwrap();
        let len = bytes.len().max(at + data.len());
        bytes.resize(len, 0);
        bytes[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// A store in memory. Each piece of work runs on a thread of its own.
fn store() -> RedbStore<String> {
    let (path, steps) = (Path::new("in memory"), Steps::default());
    let file = Arc::new(Memory::default());
    let opened = Opened::new::<String>(path, file, &steps, Expected::StoreOrNothing);
    let offload: Offload = Box::new(|work| drop(thread::spawn(work)));
    RedbStore::new(path.into(), steps, offload, opened.unwrap())
}

fn record(id: &str, definition: &str) -> [StoreChange<String>; 1] {
    [StoreChange::Record(TaskRecord::new(Assignment::new(id, definition.to_owned())).into())]
}

fn definitions(store: &RedbStore<String>) -> Vec<String> {
    let tasks = block_on(store.load()).unwrap();
    tasks.into_iter().map(|task| task.record.assignment.definition.clone()).collect()
}

#[test]
fn commits_of_two_threads_are_both_answered_and_stored() {
    explore_often(50, || {
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
    explore_often(50, || {
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
    explore_often(50, || {
        let store = store();
        let other = store.clone();
        let thread = thread::spawn(move || block_on(other.commit(&record("a", "A"))).is_ok());
        block_on(store.close()).unwrap();
        thread.join().unwrap();
        assert!(block_on(store.load()).is_err(), "it is closed");
    });
}
