//! A worker that limits how many tasks start at once.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use futures::executor::block_on;
use onward::agent::policy::Backoff;
use onward::agent::{AssignedTask, MemoryStore, Policy, Runtime as _, Worker};
use onward::testing::{Behavior, Call, Script, ScriptedExecutor, Turn, VirtualPool, VirtualTime};
use onward::{Assignment, ControllerError, TaskState};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

const fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// `retried` prepares twice. In between, `slow` takes the only place for ten seconds.
fn script(task: &Assignment<u64>) -> Script {
    let busy = Behavior::fails(ControllerError::new("no image yet").temporary());
    let done = Behavior::succeeds();
    match &*task.id {
        "retried" => Script::new().with(Call::Prepare, [busy.after(at(100)), done.after(at(100))]),
        _ => Script::new().with(Call::Start, [done.after(at(10_000))]),
    }
    .with(Call::Wait, [Behavior::hangs()])
}

fn task(id: &str, definition: u64) -> AssignedTask<u64> {
    let backoff = Backoff::new(at(50), at(50));
    let policy = Policy::default().with_backoff(backoff).with_prepare_deadline(at(1_000));
    AssignedTask::new(Assignment::new(id, definition)).with_policy(policy)
}

#[test]
fn the_time_in_the_queue_counts_against_no_deadline_also_if_an_update_comes_meanwhile() {
    let time = VirtualTime::new();
    let executor = ScriptedExecutor::new(script).with_time(time.clone());
    let pool = VirtualPool::new(time.clone(), 0);
    let worker = block_on(Worker::open(executor, MemoryStore::new(), Arc::new(pool.clone())));
    let mut worker = worker.unwrap().with_limit(NonZeroUsize::MIN);
    let handle = worker.handle();
    pool.spawn(Box::pin(async move { worker.run().await })).unwrap();

    pool.run_until(handle.assign([task("retried", 1), task("slow", 1)])).unwrap().unwrap();
    for (moment, definition) in [(3_000, 2), (6_000, 3)] {
        pool.run_until(time.sleep_until(at(moment), Turn::Timer)).unwrap();
        let tasks = [task("retried", definition), task("slow", 1)];
        pool.run_until(handle.assign(tasks)).unwrap().unwrap();
    }
    pool.run_until(time.sleep_until(at(20_000), Turn::Timer)).unwrap();
    for task in handle.tasks() {
        let status = &task.snapshot.status;
        assert_eq!(status.state, TaskState::Running, "{}: {status:?}", task.id());
    }
}
