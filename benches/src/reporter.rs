//! Statuses through a reporter, from the call until the delivery.

use crate::chart::Chart;
use crate::child;
use crate::fleet::{id, runtime};
use crate::report::{Report, Table};
use crate::rounds::median;
use crate::scale::Scale;
use crate::text::{thousands, whole};
use anyhow::{Result, anyhow};
use onward::agent::reporter::{ReportError, StatusUpdate};
use onward::agent::{Reporter, StatusReporter, StatusSink as _, TokioRuntime};
use onward::{TaskState, TaskStatus};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

/// A connection that accepts everything at once.
struct Takes;

impl StatusReporter for Takes {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        black_box(updates);
        Ok(())
    }
}

/// Returns statuses per second: handed over, and delivered, one for each task. Both are medians of
/// a few rounds.
pub(crate) fn delivered(tasks: u64) -> Result<Vec<f64>> {
    let number = f64::from(u32::try_from(tasks)?);
    let (mut taken, mut delivered) = (Vec::new(), Vec::new());
    let ids: Vec<String> = (0..tasks).map(id).collect();
    runtime()?.block_on(async {
        let mut reporter = Reporter::new(Takes, Arc::new(TokioRuntime::current()));
        let handle = reporter.handle();
        for state in [TaskState::Preparing, TaskState::Ready, TaskState::Running] {
            let start = Instant::now();
            for id in &ids {
                handle.changed(id, TaskStatus::new(state));
            }
            taken.push(number / start.elapsed().as_secs_f64());
            let start = Instant::now();
            let late = reporter.flush(std::time::Duration::MAX).await;
            late.map_err(|left| anyhow!("{} statuses are left", left.len()))?;
            delivered.push(number / start.elapsed().as_secs_f64());
        }
        Ok(vec![median(taken), median(delivered)])
    })
}

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let mut table = Table::new(
        "reporter",
        "A reporter whose connection takes everything at once: statuses a second",
        &["tasks", "handed over", "delivered, in batches"],
    );
    let (mut taken, mut delivered) = (Vec::new(), Vec::new());
    for tasks in scale.sizes() {
        if let [take, deliver] = *child::part("reporter", tasks)? {
            let number = f64::from(u32::try_from(tasks)?);
            table.row([thousands(tasks), whole(take), whole(deliver)]);
            taken.push((number, take));
            delivered.push((number, deliver));
        }
    }
    Ok(Report::of(table).with(Chart {
        name: "reporter",
        title: "Statuses through a reporter a second, by how many tasks have one",
        axes: ("tasks", "statuses a second"),
        is_log: false,
        curves: vec![("handed over", taken), ("delivered", delivered)],
    }))
}
