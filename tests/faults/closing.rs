//! Every message is answered, even after a close or a drop of the worker. (9)

use super::agent::{task, try_within, within};
use super::world::{World, runs};
use onward::agent::worker::AssignmentChange;
use onward::agent::{AssignError, MemoryStore, Worker, WorkerHandle};
use onward::testing::VirtualPool;
use std::sync::Arc;

fn open(pool: &VirtualPool, world: &World) -> Worker<World, MemoryStore<String>> {
    let runtime = Arc::new(pool.clone());
    let opened = Worker::open(world.clone(), MemoryStore::new(), runtime);
    within(pool, "the worker opens", opened).unwrap()
}

fn assert_closed<T: std::fmt::Debug>(result: &Result<T, AssignError>) {
    assert!(matches!(result, Err(AssignError::Closed)), "{result:?}");
}

/// Every message returns `Closed`.
fn assert_answered(pool: &VirtualPool, handle: &WorkerHandle<String>) {
    assert_closed(&within(pool, "assign is answered", handle.assign([task("x", "A")])));
    let change = AssignmentChange::Update(task("x", "A"));
    assert_closed(&within(pool, "update is answered", handle.update([change])));
    assert_closed(&within(pool, "shut_down is answered", handle.shut_down()));
    assert_closed(&within(pool, "until is answered", handle.until(|_| false)));
}

#[test]
fn a_message_after_run_has_returned_is_answered() {
    let world = World::new(runs);
    let pool = VirtualPool::new(world.time().clone(), 1);
    let mut worker = open(&pool, &world);
    let handle = worker.handle();
    handle.close();
    within(&pool, "run returns", worker.run());
    assert_answered(&pool, &handle);
    drop(worker);
    assert_answered(&pool, &handle);
}

#[test]
fn a_message_to_a_worker_that_was_dropped_is_answered() {
    let world = World::new(runs);
    let pool = VirtualPool::new(world.time().clone(), 1);
    let worker = open(&pool, &world);
    let handle = worker.handle();
    drop(worker);
    assert_answered(&pool, &handle);
}

#[test]
fn a_message_that_waits_when_the_worker_is_closed_is_answered() {
    let world = World::new(runs);
    let pool = VirtualPool::new(world.time().clone(), 1);
    let mut worker = open(&pool, &world);
    let handle = worker.handle();
    let both = futures::future::join(handle.assign([task("x", "A")]), async {
        handle.close();
        worker.run().await;
    });
    let (answer, ()) = within(&pool, "the message is answered", both);
    assert!(answer.is_ok() || matches!(answer, Err(AssignError::Closed)), "{answer:?}");
}

#[test]
fn a_message_that_waits_when_the_worker_is_dropped_is_answered() {
    let world = World::new(runs);
    let pool = VirtualPool::new(world.time().clone(), 1);
    let worker = open(&pool, &world);
    let handle = worker.handle();
    let mut message = Box::pin(handle.assign([task("x", "A")]));
    assert!(try_within(&pool, 10, &mut message).is_none(), "nobody reads it");
    drop(worker);
    assert_closed(&within(&pool, "the message is answered", message));
}

#[test]
fn run_returns_again_if_it_is_called_after_its_end() {
    let world = World::new(runs);
    let pool = VirtualPool::new(world.time().clone(), 1);
    let mut worker = open(&pool, &world);
    worker.handle().close();
    within(&pool, "run returns", worker.run());
    within(&pool, "run returns again", worker.run());
    assert_answered(&pool, &worker.handle());
}
