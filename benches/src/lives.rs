//! Whole lives under the driver, ASSIGNED to COMPLETE, all at once.

use crate::chart::Chart;
use crate::child;
use crate::fleet::{id, runtime};
use crate::report::{Report, Table};
use crate::rounds::median;
use crate::scale::Scale;
use crate::text::{ratio, thousands, whole};
use anyhow::Result;
use onward::agent::{Driver, TokioRuntime};
use onward::testing::NoopController;
use onward::{AnyTask, Assignment, TaskState, TaskStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Counts tasks that have ended, and reports the time of the last end.
#[derive(Clone)]
struct Ends(Arc<(AtomicU64, Sender<Instant>)>);

impl Ends {
    fn new(of: u64, tell: Sender<Instant>) -> Self {
        Self(Arc::new((AtomicU64::new(of), tell)))
    }

    fn count(&self) {
        if self.0.0.fetch_sub(1, Ordering::Relaxed) == 1 {
            // The receiver is gone when the program ends.
            _ = self.0.1.send(Instant::now());
        }
    }
}

/// Returns the time for this many lives.
fn drivers(runtime: &Runtime, tasks: u64) -> Result<Duration> {
    let (tell, told) = channel();
    let ends = Ends::new(tasks, tell);
    let sink = move |_: &str, status: TaskStatus| {
        if status.state == TaskState::Complete {
            ends.count();
        }
    };
    let shared = Arc::new(TokioRuntime::new(runtime.handle().clone()));
    let mut handles = Vec::new();
    let start = Instant::now();
    for number in 0..tasks {
        let task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
        let assignment = Assignment::new(id(number), ());
        let mut driver = Driver::new(task, assignment, NoopController::Ends, shared.clone())
            .with_sink(sink.clone());
        let handle = driver.handle();
        runtime.spawn(async move { driver.run().await });
        handles.push(handle);
    }
    let took = told.recv()?.duration_since(start);
    for handle in &handles {
        handle.close();
    }
    Ok(took)
}

/// Returns the time until this many empty futures were polled.
fn futures(runtime: &Runtime, tasks: u64) -> Result<Duration> {
    let (tell, told) = channel();
    let ends = Ends::new(tasks, tell);
    let start = Instant::now();
    for _ in 0..tasks {
        let ends = ends.clone();
        runtime.spawn(async move { ends.count() });
    }
    Ok(told.recv()?.duration_since(start))
}

/// Returns the lives per second, and how many times as long as empty futures they take. Both are
/// medians of a few rounds.
pub(crate) fn lives(tasks: u64) -> Result<Vec<f64>> {
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let runtime = runtime()?;
        let reference = futures(&runtime, tasks)?.as_secs_f64();
        let took = drivers(&runtime, tasks)?.as_secs_f64();
        rates.push(f64::from(u32::try_from(tasks)?) / took);
        ratios.push(took / reference);
    }
    Ok(vec![median(rates), median(ratios)])
}

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let mut table = Table::new(
        "lives",
        "Whole lives a second under the driver, all at once, on two workers",
        &["tasks", "lives a second", "goal", "beside futures that do nothing"],
    );
    let mut curve = Vec::new();
    for tasks in scale.sizes() {
        if let [rate, reference] = *child::part("lives", tasks)? {
            let wanted = if tasks == scale.crowd { "250,000" } else { "" };
            table.row([thousands(tasks), whole(rate), wanted.into(), ratio(reference)]);
            curve.push((f64::from(u32::try_from(tasks)?), rate));
        }
    }
    table.row([
        "SwarmKit (3e72cb6, Go 1.25; quoted, not of this run)".into(),
        "3,500".into(),
        String::new(),
        String::new(),
    ]);
    Ok(Report::of(table).with(Chart {
        name: "lives",
        title: "Whole lives a second, by how many are lived at once",
        axes: ("tasks at once", "lives a second"),
        is_log: false,
        curves: vec![("lives a second", curve)],
    }))
}
