//! The memory of a running task.

use crate::chart::Chart;
use crate::child;
use crate::fleet::{self, id};
use crate::report::{Report, Table};
use crate::scale::Scale;
use crate::text::{thousands, whole};
use allocation_counter::measure;
use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use onward::agent::{Driver, DriverHandle, Runtime, TokioRuntime};
use onward::testing::NoopController;
use onward::{AnyTask, Assignment, TaskState, TaskStatus};
use std::fs;
use std::hint::black_box;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Waker};

type Drives = Driver<NoopController>;

fn driver(number: u64, runtime: &Arc<dyn Runtime>) -> (Drives, DriverHandle<()>) {
    let task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    let assignment = Assignment::new(id(number), ());
    let driver = Driver::new(task, assignment, NoopController::Runs, Arc::clone(runtime));
    let handle = driver.handle();
    (driver, handle)
}

/// A task in RUNNING, without a runtime.
fn running(number: u64, runtime: &Arc<dyn Runtime>) -> (BoxFuture<'static, ()>, DriverHandle<()>) {
    let (mut driver, handle) = driver(number, runtime);
    let mut run = async move { _ = driver.run().await }.boxed();
    _ = run.poll_unpin(&mut Context::from_waker(Waker::noop()));
    (run, handle)
}

/// Returns sizes in bytes for this many running tasks: the heap of each, its future of `run`, the
/// driver in that future, and the task's record.
pub(crate) fn heap(tasks: u64) -> Result<Vec<f64>> {
    let tokio = fleet::runtime()?;
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new(tokio.handle().clone()));
    let mut all = Vec::new();
    // The list does not count as memory of the tasks.
    all.reserve_exact(usize::try_from(tasks).unwrap_or_default());
    let heap = measure(|| all.extend((0..tasks).map(|number| running(number, &runtime))));
    let future = all.first().map_or(0, |(run, _)| size_of_val(&**run));
    let resumed = || black_box(AnyTask::resume(TaskStatus::new(TaskState::Assigned)));
    let record = measure(|| mem::forget(resumed())).bytes_current;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let figures = [heap.bytes_current as f64 / tasks as f64, future as f64, record as f64];
    let [each, future, record] = figures;
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let driver = size_of::<Drives>() as f64;
    Ok(vec![each, future, driver, record])
}

/// Returns the resident memory in bytes of a process with this many running tasks on tokio.
pub(crate) fn resident(tasks: u64) -> Result<Vec<f64>> {
    let tokio = fleet::runtime()?;
    let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime::new(tokio.handle().clone()));
    let before = rss()?;
    let mut handles = Vec::new();
    for number in 0..tasks {
        let (mut driver, handle) = driver(number, &runtime);
        tokio.spawn(async move { driver.run().await });
        handles.push(handle);
    }
    while handles.iter().any(|handle| handle.status().state != TaskState::Running) {
        std::thread::yield_now();
    }
    let after = rss()?;
    handles.iter().for_each(DriverHandle::close);
    Ok(vec![before, after])
}

/// Returns the resident memory of this process in bytes.
pub(crate) fn rss() -> Result<f64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: u32 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(f64::from(kib) * 1024.0)
}

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let mut table = Table::new(
        "memory",
        "What a running task holds: driver, handle and status, beyond controller and definition",
        &["running tasks", "heap, bytes each", "on tokio, resident, bytes each", "resident, MB"],
    );
    let (mut heap, mut resident) = (Vec::new(), Vec::new());
    for tasks in scale.sizes() {
        let number = f64::from(u32::try_from(tasks)?);
        let each = child::part("memory", tasks)?;
        let whole_process = child::part("resident", tasks)?;
        if let ([bytes, future, driver, record], [before, after]) = (&*each, &*whole_process) {
            let on_tokio = (after - before) / number;
            heap.push((number, *bytes));
            resident.push((number, on_tokio));
            table.row([thousands(tasks), whole(*bytes), whole(on_tokio), whole(after / 1e6)]);
            if tasks == scale.crowd {
                table.note(format!(
                    "Of the heap, {future:.0} bytes are the future of `run`. The driver is \
                     {driver:.0} of these. The task's record has {record:.0} bytes and its id 25. The \
                     driver and its handle share the rest."
                ));
            }
        }
    }
    table.row(["goal".into(), "900".into(), String::new(), "1,500 for a million".into()]);
    table.row([
        "SwarmKit (3e72cb6, Go 1.25; quoted, not of this run)".into(),
        "17,000".into(),
        String::new(),
        String::new(),
    ]);
    Ok(Report::of(table).with(Chart {
        name: "memory",
        title: "What a running task holds, by how many there are",
        axes: ("running tasks", "bytes a task"),
        is_log: false,
        curves: vec![("heap", heap), ("resident on tokio", resident)],
    }))
}
