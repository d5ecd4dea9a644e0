//! A worker before its `run`.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use futures::executor::block_on;
use onward::agent::store::{StoreChange, StoredTask, TaskRecord};
use onward::agent::{MemoryStore, Store, Worker};
use onward::testing::{Script, ScriptedExecutor, VirtualPool, VirtualTime};
use onward::{Assignment, TaskState, TaskStatus};
use std::sync::Arc;

#[test]
fn the_handle_shows_every_stored_task_before_the_worker_runs() {
    let store = MemoryStore::new();
    let record = TaskRecord::new(Assignment::new("web", ()));
    let status = TaskStatus::new(TaskState::Shutdown);
    let task = StoredTask::new(record.clone(), Some(status.clone()));
    block_on(store.commit(&[StoreChange::Replace(task)])).unwrap();

    let executor = ScriptedExecutor::new(|_| Script::new());
    let runtime = Arc::new(VirtualPool::new(VirtualTime::new(), 0));
    let worker = block_on(Worker::open(executor, store, runtime)).unwrap();

    let tasks = worker.handle().tasks();
    let [task] = tasks.as_slice() else { unreachable!("{tasks:?}") };
    assert_eq!((&*task.record, &task.snapshot.status), (&record, &status));
    assert!(task.has_ended());
}
