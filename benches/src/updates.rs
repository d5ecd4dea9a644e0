//! Updates of desired states, sent to a worker with many tasks.

use crate::chart::Chart;
use crate::child;
use crate::fleet::{id, runtime};
use crate::memory::rss;
use crate::report::{Report, Table};
use crate::rounds::median;
use crate::scale::Scale;
use crate::text::{thousands, whole};
use anyhow::{Result, anyhow};
use onward::agent::worker::AssignmentChange;
use onward::agent::{AssignedTask, MemoryStore, TokioRuntime, Worker, WorkerHandle};
use onward::testing::NoopController;
use onward::{Assignment, TaskState, TaskStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The most changes in one message.
const MESSAGE: u64 = 1_000;

/// The number of messages with one change.
const SINGLE: u64 = 200;

fn task(number: u64, desired: TaskState) -> AssignedTask<()> {
    Assignment::new(id(number), ()).with_desired_state(desired).into()
}

/// Returns, per second: tasks that are assigned in one full set, until all are READY, and tasks
/// that are sent on to RUNNING in messages. Then the milliseconds of a message with one change, and
/// the resident memory of each task in bytes.
pub(crate) fn updates(tasks: u64) -> Result<Vec<f64>> {
    runtime()?.block_on(async {
        let before = rss()?;
        let (tell, mut told) = unbounded_channel();
        let sink = move |_: &str, status: TaskStatus| _ = tell.send(status.state);
        let (executor, runtime) = (NoopController::Runs, Arc::new(TokioRuntime::current()));
        let worker = Worker::open(executor, MemoryStore::new(), runtime).await?;
        let mut worker = worker.with_sink(sink);
        let handle = worker.handle();
        let agent = tokio::spawn(async move { worker.run().await });

        let all = (0..tasks).map(|number| task(number, TaskState::Ready));
        let start = Instant::now();
        handle.assign(all).await?;
        reached(&mut told, TaskState::Ready, tasks).await?;
        let assigned = start.elapsed();

        let updated = in_messages(&handle, tasks, &mut told).await?;
        let resident = (rss()? - before) / f64::from(u32::try_from(tasks)?);
        let single = one_by_one(&handle, tasks).await?;
        handle.close();
        agent.await?;
        let number = f64::from(u32::try_from(tasks)?);
        let rate = |took: Duration| number / took.as_secs_f64();
        Ok(vec![rate(assigned), rate(updated), single, resident])
    })
}

/// Waits until this many tasks have reached this state.
async fn reached(told: &mut UnboundedReceiver<TaskState>, state: TaskState, of: u64) -> Result<()> {
    let mut left = of;
    while left > 0 {
        let reached = told.recv().await.ok_or_else(|| anyhow!("the worker has gone"))?;
        left -= u64::from(reached == state);
    }
    Ok(())
}

async fn in_messages(
    handle: &WorkerHandle<()>,
    tasks: u64,
    told: &mut UnboundedReceiver<TaskState>,
) -> Result<Duration> {
    let start = Instant::now();
    let mut first = 0;
    while first < tasks {
        let next = (first + MESSAGE).min(tasks);
        let changes = (first..next).map(|number| task(number, TaskState::Running));
        handle.update(changes.map(AssignmentChange::Update)).await?;
        first = next;
    }
    reached(told, TaskState::Running, tasks).await?;
    Ok(start.elapsed())
}

/// Returns the median time of a message with one change, in milliseconds.
async fn one_by_one(handle: &WorkerHandle<()>, tasks: u64) -> Result<f64> {
    let mut took = Vec::new();
    for number in 0..SINGLE.min(tasks) {
        let change = task(number * 7919 % tasks, TaskState::Shutdown);
        let start = Instant::now();
        handle.update(vec![AssignmentChange::Update(change)]).await?;
        took.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(median(took))
}

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let mut table = Table::new(
        "updates",
        "A worker with a store in memory: tasks a second",
        &[
            "tasks",
            "assigned in one set, until READY",
            "READY to RUNNING, in messages of 1,000",
            "one task's update until it is durable, ms",
            "resident, bytes each",
        ],
    );
    let (mut assigned, mut updated) = (Vec::new(), Vec::new());
    for tasks in scale.sizes() {
        if let [assign, update, single, resident] = *child::part("updates", tasks)? {
            let number = f64::from(u32::try_from(tasks)?);
            let single = format!("{single:.3}");
            let cells = [thousands(tasks), whole(assign), whole(update), single, whole(resident)];
            table.row(cells);
            assigned.push((number, assign));
            updated.push((number, update));
        }
    }
    Ok(Report::of(table).with(Chart {
        name: "updates",
        title: "What a worker takes in a second, by how many tasks it has",
        axes: ("tasks", "tasks a second"),
        is_log: false,
        curves: vec![("assigned in one set", assigned), ("updates in messages of 1,000", updated)],
    }))
}
