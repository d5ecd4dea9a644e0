//! What a running task costs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

use allocation_counter::measure;
use futures::FutureExt;
use futures::future::BoxFuture;
use onward::agent::{Driver, DriverHandle, Surroundings};
use onward::exec::Assignment;
use onward::lifecycle::{AnyTask, TaskState, TaskStatus};
use onward::testing::{NoopController, VirtualClock, VirtualTime, VirtualTimer};
use std::task::{Context, Waker};
use time::UtcDateTime;

type Sink = fn(&str, TaskStatus);
type Shared = Surroundings<VirtualTimer, VirtualClock, Sink>;

/// A task with the id of a real one, in RUNNING.
fn running(surroundings: &Shared) -> (BoxFuture<'static, ()>, DriverHandle<()>) {
    let task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    let assignment = Assignment::new("0123456789abcdefghijklmno", ());
    let (mut driver, handle) =
        Driver::new(task, assignment, NoopController::Runs, surroundings.clone());
    let mut run = async move { _ = driver.run().await }.boxed();
    assert!(run.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(handle.status().state, TaskState::Running);
    (run, handle)
}

#[test]
fn a_running_task_lives_on_nine_hundred_bytes() {
    const TASKS: usize = 1_000;
    let time = VirtualTime::new();
    let (clock, sink): (_, Sink) = (time.clock(UtcDateTime::UNIX_EPOCH), |_, _| {});
    let surroundings = Surroundings::new(time.timer(), clock, sink);
    let mut tasks = Vec::with_capacity(TASKS);
    let heap = measure(|| (0..TASKS).for_each(|_| tasks.push(running(&surroundings))));
    let live = usize::try_from(heap.bytes_current).unwrap() / TASKS;

    let future = size_of_val(&*tasks[0].0);
    let resumed = || std::hint::black_box(AnyTask::resume(TaskStatus::new(TaskState::Assigned)));
    let record = measure(|| std::mem::forget(resumed())).bytes_current;
    println!(
        "{live} bytes a task: {future} the future of `run`, of which {} the driver; {record} the \
         record of the task; the rest is what driver and handle share",
        size_of::<Driver<NoopController, VirtualTimer, VirtualClock, Sink>>(),
    );
    assert!(live <= 900, "{live} bytes");
}
