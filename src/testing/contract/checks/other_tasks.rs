//! The check that operations of one task do not change another one.

use super::steps::STARTED;
use crate::exec::Call;
use crate::testing::contract::clause_run::ClauseRun;
use crate::testing::contract::subject::{Subject, Workload};
use crate::testing::contract::tested_task::TestedTask;
use crate::testing::contract::verdict::Verdict;

/// One task runs while other tasks are ended.
pub(super) async fn untouched<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut other = TestedTask::new(run, Workload::Runs).await?;
    other.after(STARTED).await?;
    for call in [Call::Shutdown, Call::Terminate, Call::Remove, Call::Close] {
        let mut task = TestedTask::new(run, Workload::Runs).await?;
        task.after(STARTED).await?;
        // Another clause checks whether it succeeds.
        _ = task.call(call).await;
        other.require_running()?;
    }
    let has_ended = other.returns_soon(Call::Wait).await;
    other.require(!has_ended, "`wait` of the other task does not return", &"it has returned")
}
