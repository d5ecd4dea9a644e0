//! The memory of a running task under a worker, with a store in memory and with one in a file.

use crate::fleet::{id, runtime};
use crate::memory::rss;
use crate::report::{Report, Table};
use crate::scale::Scale;
use crate::text::{thousands, whole};
use crate::{child, durable};
use anyhow::{Context as _, Result};
use onward::Assignment;
use onward::agent::{MemoryStore, Store, TokioRuntime, Worker};
use onward::testing::NoopController;
use onward::{TaskState, TaskStatus};
use std::sync::Arc;
use tokio::sync::mpsc::unbounded_channel;

/// Returns the resident memory of each task in bytes, with a store in memory.
pub(crate) fn in_memory(tasks: u64) -> Result<Vec<f64>> {
    runtime()?.block_on(async { Ok(vec![resident(tasks, MemoryStore::new()).await?]) })
}

/// Returns the same with a store in a file.
pub(crate) fn in_file(tasks: u64) -> Result<Vec<f64>> {
    let place = durable::place()?;
    runtime()?.block_on(async { Ok(vec![resident(tasks, durable::open(&place).await?).await?]) })
}

/// Assigns all tasks in one set, and measures when the last one is running.
async fn resident(tasks: u64, store: impl Store<()> + 'static) -> Result<f64> {
    let before = rss()?;
    let (tell, mut told) = unbounded_channel();
    let sink = move |_: &str, status: TaskStatus| {
        if status.state == TaskState::Running {
            // The receiver is gone when the program ends.
            _ = tell.send(());
        }
    };
    let runtime = Arc::new(TokioRuntime::current());
    let mut worker = Worker::open(NoopController::Runs, store, runtime).await?.with_sink(sink);
    let handle = worker.handle();
    let agent = tokio::spawn(async move { worker.run().await });
    handle.assign((0..tasks).map(|number| Assignment::new(id(number), ()))).await?;
    for _ in 0..tasks {
        told.recv().await.context("the worker has gone")?;
    }
    let resident = (rss()? - before) / f64::from(u32::try_from(tasks)?);
    handle.close();
    agent.await?;
    Ok(resident)
}

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let mut table = Table::new(
        "crowd",
        "What a running task holds under a worker on tokio, resident, bytes each",
        &["running tasks", "with a store in memory", "with a store in a file"],
    );
    for tasks in scale.sizes() {
        let parts = (child::part("crowd", tasks)?, child::part("crowd-in-a-file", tasks)?);
        if let ([memory], [file]) = (&*parts.0, &*parts.1) {
            table.row([thousands(tasks), whole(*memory), whole(*file)]);
        }
    }
    table.row(["goal, for 100,000", "1,900", "1,500"].map(Into::into));
    table.row([
        "SwarmKit (3e72cb6, Go 1.25; quoted, not of this run)".into(),
        String::new(),
        "25,000".into(),
    ]);
    Ok(Report::of(table))
}
