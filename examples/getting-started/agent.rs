mod job;

use job::{Job, JobExecutor};
use onward::agent::{RedbStore, TokioRuntime, Worker};
use onward::{Assignment, TaskStatus};
use std::sync::Arc;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The tasks survive the agent in this file.
    let file = "tasks.redb";
    // Right after `kill -9`, a child that the agent was starting may still hold the file's lock.
    let options = RedbStore::<Job>::options().with_lock_timeout(Duration::from_secs(5));
    // Writing to the file blocks, so it runs on another thread.
    let store = options.open(file, |work| drop(tokio::task::spawn_blocking(work))).await?;

    let runtime = Arc::new(TokioRuntime::current());
    let mut worker = Worker::open(JobExecutor, store, runtime)
        .await?
        // Called with each status that was stored.
        .with_sink(|id: &str, status: TaskStatus| {
            println!("{id}: {} {}", status.state, status.err.as_deref().unwrap_or_default());
        });
    let handle = worker.handle();
    let agent = tokio::spawn(async move { worker.run().await });

    // The full set of tasks. It is stored before any of them starts.
    let good = Assignment::new("good", Job::shell("echo hello"));
    let bad = Assignment::new("bad", Job::shell("exit 3"));
    handle.assign([good, bad]).await?;
    handle.until(|tasks| tasks.iter().all(|task| task.has_ended())).await?;

    // An empty set. The worker removes both tasks.
    handle.assign([] as [Assignment<Job>; 0]).await?;
    handle.until(|tasks| tasks.is_empty()).await?;
    handle.close();
    agent.await?;
    Ok(())
}
