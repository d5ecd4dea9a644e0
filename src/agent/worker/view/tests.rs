//! What the followers of a worker's tasks see, and how much they look at.

use super::super::changes::{ChangedTasks, Changes};
use super::super::error::AssignError;
use super::super::handle::{Common, WorkerHandle};
use super::super::task::TaskView;
use super::{Phase, Row};
use crate::agent::driver::Shared;
use crate::agent::store::TaskRecord;
use crate::exec::Assignment;
use crate::lifecycle::Task;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use futures::{FutureExt, StreamExt};
use std::task::Wake;
use time::UtcDateTime;

pub(in crate::agent::worker) fn row(id: &str) -> Row<()> {
    let assignment = Arc::new(Assignment::new(id, ()));
    let (id, now) = (Arc::clone(&assignment.id), UtcDateTime::UNIX_EPOCH);
    let seat = Shared::new(id, Task::new().into(), Arc::clone(&assignment), None, now);
    Row {
        record: Arc::new(TaskRecord::new(assignment)),
        seat: Arc::new(seat),
        removal_error: None,
        is_driven_by_worker: false,
        has_logs: false,
    }
}

/// A worker's part of what it shares with its handles.
struct Publisher(Arc<Common<()>>);

impl Publisher {
    fn new() -> Self {
        Self(Arc::new(Common::new()))
    }

    fn handle(&self) -> WorkerHandle<()> {
        WorkerHandle::new(Arc::clone(&self.0))
    }

    /// Publishes tasks without a notice, as a worker does within a batch.
    fn add(&self, ids: &[&str]) {
        ids.iter().for_each(|id| self.0.view.set(&(*id).into(), Some(row(id))));
    }

    fn remove(&self, ids: &[&str]) {
        ids.iter().for_each(|id| self.0.view.set(&(*id).into(), None));
    }

    fn touch(&self, ids: &[&str]) {
        ids.iter().for_each(|id| self.0.view.touch(&(*id).into()));
    }

    fn looks(&self) -> usize {
        self.0.view.looks.load(Ordering::Relaxed)
    }
}

/// What the next item has: the changed tasks, and those that are gone.
#[track_caller]
fn next(changes: &mut Changes<()>) -> (Vec<String>, Vec<String>) {
    let item = changes.next().now_or_never().expect("an item is there");
    let ChangedTasks { tasks, removed } = item.expect("the stream has not ended");
    let names = tasks.iter().map(|task| task.id().into()).collect();
    (names, removed.iter().map(|id| (&**id).into()).collect())
}

fn names(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).into()).collect()
}

#[test]
fn the_first_item_has_all_tasks_and_the_next_ones_what_has_changed() {
    let worker = Publisher::new();
    worker.add(&["b", "a", "c"]);
    let mut changes = worker.handle().changes();
    assert_eq!(next(&mut changes), (names(&["a", "b", "c"]), Vec::new()));
    assert!(changes.next().now_or_never().is_none());
    worker.touch(&["c", "a", "c"]);
    worker.remove(&["b"]);
    worker.0.view.notify();
    assert_eq!(next(&mut changes), (names(&["a", "c"]), names(&["b"])));
    assert!(changes.next().now_or_never().is_none());
}

#[test]
fn a_stream_of_no_tasks_begins_with_an_empty_item() {
    let mut changes = Publisher::new().handle().changes();
    assert_eq!(next(&mut changes), Default::default());
    assert!(changes.next().now_or_never().is_none());
}

#[test]
fn a_task_that_is_removed_and_assigned_again_between_two_looks_has_changed() {
    let worker = Publisher::new();
    worker.add(&["a"]);
    let mut changes = worker.handle().changes();
    next(&mut changes);
    worker.remove(&["a"]);
    worker.add(&["a"]);
    worker.0.view.notify();
    assert_eq!(next(&mut changes), (names(&["a"]), Vec::new()));
    worker.remove(&["a"]);
    worker.add(&["a"]);
    worker.remove(&["a"]);
    worker.0.view.notify();
    assert_eq!(next(&mut changes), (Vec::new(), names(&["a"])));
}

#[test]
fn a_stream_that_is_polled_seldom_holds_no_task_that_has_come_and_gone() {
    let worker = Publisher::new();
    worker.add(&["stays", "goes"]);
    let mut changes = worker.handle().changes();
    next(&mut changes);
    for index in 0..1000 {
        let id = format!("t{index}");
        worker.add(&[&id]);
        worker.touch(&[&id, "stays"]);
        worker.remove(&[&id, "goes"]);
    }
    worker.add(&["new"]);
    worker.0.view.notify();
    let before = worker.looks();
    assert_eq!(next(&mut changes), (names(&["new", "stays"]), names(&["goes"])));
    assert_eq!(worker.looks() - before, 3);
}

#[test]
fn nothing_is_yielded_for_a_task_that_does_not_exist() {
    let worker = Publisher::new();
    let mut changes = worker.handle().changes();
    next(&mut changes);
    worker.touch(&["x"]);
    worker.remove(&["x"]);
    worker.0.view.set_phase(Phase::Closing);
    assert!(changes.next().now_or_never().is_none());
}

#[test]
fn the_last_item_has_all_tasks_and_a_stream_made_after_the_end_too() {
    let worker = Publisher::new();
    worker.add(&["a", "b"]);
    let mut changes = worker.handle().changes();
    next(&mut changes);
    worker.remove(&["a"]);
    worker.0.view.set_phase(Phase::Ended);
    assert_eq!(next(&mut changes), (names(&["b"]), names(&["a"])));
    assert!(changes.next().now_or_never().expect("it has ended").is_none());
    let mut late = worker.handle().changes();
    assert_eq!(next(&mut late), (names(&["b"]), Vec::new()));
    assert!(late.next().now_or_never().expect("it has ended").is_none());
}

#[test]
fn a_follower_that_applies_each_item_has_the_list_of_all_tasks() {
    let worker = Publisher::new();
    let (handle, mut known) = (worker.handle(), BTreeMap::new());
    let mut changes = handle.changes();
    // An odd multiplier gives an order in which tasks come, change and go.
    for round in 0..2000_usize {
        let id = format!("t{}", round * 7919 % 13);
        match round * 31 % 5 {
            0 => worker.remove(&[&id]),
            1 => worker.touch(&[&id]),
            _ => worker.add(&[&id]),
        }
        if round % 3 == 0 {
            worker.0.view.notify();
        }
        if round % 7 != 0 {
            continue;
        }
        let Some(item) = changes.next().now_or_never() else { continue };
        let ChangedTasks { tasks, removed } = item.expect("the stream has not ended");
        for id in removed {
            assert!(known.remove(&*id).is_some(), "{id} was never yielded");
        }
        known.extend(tasks.into_iter().map(|task| (String::from(task.id()), task)));
        let listed = handle.tasks();
        assert_eq!(known.len(), listed.len());
        let records = |(task, known): (&TaskView<()>, &TaskView<()>)| {
            Arc::ptr_eq(&task.record, &known.record)
        };
        assert!(listed.iter().zip(known.values()).all(records));
    }
}

/// Polls a wait for all of so many tasks while they go one by one. Returns how many tasks were
/// looked at.
fn looks_until_all_are_gone(count: usize) -> usize {
    let worker = Publisher::new();
    let ids: Vec<String> = (0..count).map(|index| format!("t{index}")).collect();
    ids.iter().for_each(|id| worker.add(&[id]));
    let handle = worker.handle();
    let mut until = pin!(handle.until_each(ids.iter().map(String::as_str), |task| task.is_none()));
    for id in &ids {
        assert!(poll(until.as_mut()).is_pending());
        worker.remove(&[id]);
        worker.0.view.notify();
    }
    assert!(matches!(poll(until), Poll::Ready(Ok(()))));
    worker.looks()
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_wait_for_many_tasks_looks_at_each_once_for_each_of_its_changes() {
    assert_eq!(looks_until_all_are_gone(1000), 2000);
}

#[test]
fn a_wait_for_one_task_looks_at_no_other_one_at_first() {
    let worker = Publisher::new();
    worker.add(&["a", "b", "c"]);
    let handle = worker.handle();
    let mut until = pin!(handle.until_each(["b"], |task| task.is_none()));
    assert!(poll(until.as_mut()).is_pending());
    assert_eq!(worker.looks(), 1);
}

#[test]
fn a_wait_for_tasks_ends_at_once_if_there_are_none_and_fails_when_the_worker_is_closed() {
    let worker = Publisher::new();
    worker.add(&["a"]);
    let handle = worker.handle();
    let none: [&str; 0] = [];
    assert!(matches!(poll(pin!(handle.until_each(none, |_| false))), Poll::Ready(Ok(()))));
    assert!(matches!(
        poll(pin!(handle.until_each(["x"], |task| task.is_none()))),
        Poll::Ready(Ok(()))
    ));
    let mut until = pin!(handle.until_each(["a"], |_| false));
    assert!(poll(until.as_mut()).is_pending());
    worker.0.view.set_phase(Phase::Closing);
    assert!(matches!(poll(until), Poll::Ready(Err(AssignError::Closed))));
}

/// Asks the view for its tasks when it is woken.
struct Asks(Arc<Common<()>>, AtomicUsize);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(self.0.view.tasks().len(), Ordering::Relaxed);
    }
}

#[test]
fn a_waker_is_called_outside_of_the_lock() {
    let worker = Publisher::new();
    let asks = Arc::new(Asks(Arc::clone(&worker.0), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&asks));
    let mut context = Context::from_waker(&waker);
    let mut changes = worker.handle().changes();
    assert!(changes.poll_next_unpin(&mut context).is_ready());
    assert!(changes.poll_next_unpin(&mut context).is_pending());
    worker.add(&["a"]);
    worker.0.view.notify();
    assert_eq!(asks.1.load(Ordering::Relaxed), 1);
}

#[test]
fn a_stream_that_is_dropped_is_no_longer_followed() {
    let worker = Publisher::new();
    worker.add(&["a"]);
    let view = Arc::clone(&worker.0.view);
    let changes = worker.handle().changes();
    let held = Arc::strong_count(&view);
    drop(changes);
    assert!(Arc::strong_count(&view) < held);
    assert_eq!(view.state.lock().followers.changes.len(), 0);
}
