//! A worker and its handle.

use super::model::explore_often;
use super::place::{Runs, Still};
use futures::StreamExt;
use onward::agent::worker::AssignmentChange;
use onward::agent::{AssignError, MemoryStore, Worker, WorkerHandle};
use onward::exec::Assignment;
use onward::lifecycle::{TaskState, TaskStatus};
use shuttle::future::block_on;
use shuttle::sync::Mutex;
use shuttle::thread;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

fn task(id: &str) -> Assignment<u32> {
    Assignment::new(id, 0)
}

/// Runs a worker on a thread of its own, which returns the worker. One `prepare` or `start` runs
/// at once.
fn working() -> (WorkerHandle<u32>, thread::JoinHandle<Worker<Runs, MemoryStore<u32>>>) {
    let opened = block_on(Worker::open(Runs::Slowly, MemoryStore::new(), Still::shared()));
    let mut worker = opened.unwrap().with_start_limit(NonZeroUsize::MIN);
    let handle = worker.handle();
    let run = move || {
        block_on(worker.run());
        worker
    };
    (handle, thread::spawn(run))
}

#[test]
fn tasks_of_two_threads_run_and_are_removed() {
    explore_often(10, || {
        let (handle, worker) = working();
        let other = handle.clone();
        let updating = thread::spawn(move || {
            block_on(other.update([AssignmentChange::Update(task("a").into())])).unwrap();
        });
        block_on(handle.update([AssignmentChange::Update(task("b").into())])).unwrap();
        updating.join().unwrap();
        let run = |state| state == TaskState::Running;
        let running = handle.until(|tasks| {
            tasks.len() == 2 && tasks.iter().all(|task| run(task.snapshot.status.state))
        });
        block_on(running).unwrap();
        block_on(handle.assign([] as [Assignment<u32>; 0])).unwrap();
        block_on(handle.until(|tasks| tasks.is_empty())).unwrap();
        handle.close();
        worker.join().unwrap();
    });
}

#[test]
fn shut_down_and_close_return_at_any_moment() {
    explore_often(10, || {
        let (handle, worker) = working();
        let other = handle.clone();
        let assigning = thread::spawn(move || block_on(other.assign([task("a"), task("b")])));
        let down = block_on(handle.shut_down());
        assert!(down.is_ok(), "{down:?}");
        handle.close();
        let assigned = assigning.join().unwrap();
        assert!(assigned.is_ok() || matches!(assigned, Err(AssignError::Closed)), "{assigned:?}");
        worker.join().unwrap();
        assert!(matches!(block_on(handle.shut_down()), Err(AssignError::Closed)));
    });
}

#[test]
fn a_message_beside_a_close_is_answered() {
    explore_often(10, || {
        let (handle, worker) = working();
        let threads: Vec<_> = (0..2)
            .map(|number| {
                let handle = handle.clone();
                thread::spawn(move || block_on(handle.assign([task(&format!("t{number}"))])))
            })
            .collect();
        handle.close();
        for thread in threads {
            let answer = thread.join().unwrap();
            assert!(answer.is_ok() || matches!(answer, Err(AssignError::Closed)), "{answer:?}");
        }
        worker.join().unwrap();
    });
}

#[test]
fn a_listener_is_not_called_after_its_drop_has_returned() {
    explore_often(10, || {
        let (handle, worker) = working();
        let (is_dropped, late) = (Arc::new(Mutex::new(false)), Arc::new(Mutex::new(0)));
        let (seen, counted) = (Arc::clone(&is_dropped), Arc::clone(&late));
        let listener = handle.listen(move |_: &str, _: TaskStatus| {
            // Not asserted here: a panic of a sink is caught.
            *counted.lock().unwrap() += u32::from(*seen.lock().unwrap());
            thread::yield_now();
            *counted.lock().unwrap() += u32::from(*seen.lock().unwrap());
        });
        block_on(handle.assign([task("a")])).unwrap();
        drop(listener);
        *is_dropped.lock().unwrap() = true;
        handle.close();
        worker.join().unwrap();
        assert_eq!(*late.lock().unwrap(), 0, "called after the drop, or still running then");
    });
}

#[test]
fn the_changes_of_a_worker_end_with_the_last_one() {
    explore_often(2, || {
        let (handle, worker) = working();
        let watched = handle.clone();
        let watching = thread::spawn(move || {
            let mut known = BTreeMap::new();
            block_on(async {
                let mut changes = watched.changes();
                while let Some(changed) = changes.next().await {
                    for id in &changed.removed {
                        assert!(known.remove(&**id).is_some(), "{id} was never seen");
                    }
                    let tasks = changed.tasks.into_iter();
                    known.extend(tasks.map(|task| (task.id().to_owned(), task)));
                }
            });
            let known: Vec<_> = known.into_values().collect();
            assert_eq!(known, watched.tasks(), "the last change was not seen");
        });
        block_on(handle.assign([task("a")])).unwrap();
        handle.close();
        let worker = worker.join().unwrap();
        // Its drop wakes nobody that its run has not woken.
        watching.join().unwrap();
        drop(worker);
    });
}
