//! Checks of the plain life of a task, without drops and restarts.

use super::steps::{PREPARED, STARTED, succeeds};
use crate::exec::Call;
use crate::testing::contract::clause_run::ClauseRun;
use crate::testing::contract::subject::{Subject, Workload};
use crate::testing::contract::tested_task::TestedTask;
use crate::testing::contract::verdict::Verdict;
use alloc::format;

pub(super) async fn controller_made<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    TestedTask::new(run, run.any_workload()?).await.map(drop)
}

pub(super) async fn prepare_succeeds<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    TestedTask::new(run, run.any_workload()?).await?.must(Call::Prepare).await
}

pub(super) async fn start_runs<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(PREPARED).await?;
    task.must(Call::Start).await?;
    task.require_running()
}

pub(super) async fn life<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Exits(0)).await?;
    task.after(STARTED).await?;
    succeeds(&mut task).await
}

pub(super) async fn prepare_starts_nothing<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(PREPARED).await?;
    let seen = task.observe();
    let found = format!("{} starts, running: {}", seen.starts, seen.running);
    task.require(seen.starts == 0 && !seen.running, "nothing was started", &found)
}
