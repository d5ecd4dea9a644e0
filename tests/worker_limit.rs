//! A worker that limits how many tasks start at once.
#![allow(clippy::unwrap_used)] // a test fails by panicking

use futures::executor::block_on;
use onward::agent::policy::Backoff;
use onward::agent::{AssignedTask, MemoryStore, Policy, Runtime as _, TaskView, Worker};
use onward::testing::{Behavior, Call, Script, ScriptedExecutor, Turn, VirtualPool, VirtualTime};
use onward::{Assignment, Controller, ControllerError, Executor, TaskState};
use std::future::pending;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
fn the_time_in_the_queue_does_not_count_against_a_deadline_even_with_an_update() {
    let time = VirtualTime::new();
    let executor = ScriptedExecutor::new(script).with_time(time.clone());
    let pool = VirtualPool::new(time.clone(), 0);
    let worker = block_on(Worker::open(executor, MemoryStore::new(), Arc::new(pool.clone())));
    let mut worker = worker.unwrap().with_start_limit(NonZeroUsize::MIN);
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

/// Each start takes some time, in which others could begin.
#[test]
fn never_more_than_the_limit_start_at_once_and_each_gets_its_turn() {
    for (most, seed) in (1..=4).flat_map(|most| (0..20).map(move |seed| (most, seed))) {
        let time = VirtualTime::new();
        let (now, highest) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let executor = Starts { time: time.clone(), now, highest: Arc::clone(&highest) };
        let pool = VirtualPool::new(time.clone(), seed);
        let worker = block_on(Worker::open(executor, MemoryStore::new(), Arc::new(pool.clone())));
        let mut worker = worker.unwrap().with_start_limit(NonZeroUsize::new(most).unwrap());
        let handle = worker.handle();
        pool.spawn(Box::pin(async move { worker.run().await })).unwrap();
        let tasks = (0..20).map(|number| Assignment::new(format!("web.{number}"), 1));
        pool.run_until(handle.assign(tasks)).unwrap().unwrap();

        pool.run_until(time.sleep_until(at(50), Turn::Timer)).unwrap();
        let queued = handle.tasks().iter().filter(|task| task.snapshot.is_queued).count();
        assert_eq!(queued, 20 - most, "the others wait");
        let are_running = |tasks: &[TaskView<u64>]| {
            tasks.iter().all(|task| task.snapshot.status.state == TaskState::Running)
        };
        let running = pool.run_until(handle.until(are_running)).expect("each has its turn");
        assert!(running.unwrap().iter().all(|task| !task.snapshot.is_queued));
        assert_eq!(highest.load(Ordering::Relaxed), most);
    }
}

/// Counts the starts in flight. Each takes 100 ms.
#[derive(Clone)]
struct Starts {
    time: VirtualTime,
    now: Arc<AtomicUsize>,
    highest: Arc<AtomicUsize>,
}

impl Executor for Starts {
    type Definition = u64;
    type Controller = Self;

    async fn controller(&self, _: &Assignment<u64>) -> Result<Self, ControllerError> {
        Ok(self.clone())
    }
}

impl Controller for Starts {
    type Definition = u64;

    async fn start(&mut self) -> Result<(), ControllerError> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.highest.fetch_max(now, Ordering::Relaxed);
        self.time.sleep_until(self.time.now() + at(100), Turn::Controller).await;
        self.now.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        pending().await
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}
