//! Checks of an agent process that dies.

use super::steps::{PREPARED, STARTED};
use crate::exec::Call;
use crate::testing::contract::call::Fault;
use crate::testing::contract::clause_run::ClauseRun;
use crate::testing::contract::subject::{Subject, Workload};
use crate::testing::contract::tested_task::{TestedTask, remove_all};
use crate::testing::contract::verdict::{Stop, Verdict};

/// The process dies after the workload has ended.
pub(super) async fn keeps_result<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    for workload in run.endings()? {
        let mut task = TestedTask::new(run, workload).await?;
        task.after(STARTED).await?;
        let result = task.ended().await?;
        task.restart_process().await?;
        task.require_result(&result).await?;
        task.must(Call::Start).await?;
        task.require_one_start()?;
        task.require_result(&result).await?;
    }
    Ok(())
}

/// The process dies while the workload runs, and the workload with it.
pub(super) async fn reports_lost_workload<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    for call in [Call::Shutdown, Call::Terminate, Call::Remove] {
        let mut task = restarted_while_running(run).await?;
        task.must(call).await?;
        task.require_end(call)?;
    }
    let mut task = restarted_while_running(run).await?;
    // If it runs, it survived, or `wait` continues it. Other clauses report a second start.
    if let Some(result) = task.result_unless_running().await {
        task.require_failure(&result)?;
    }
    let mut task = restarted_while_running(run).await?;
    start_again(&mut task).await?;
    task.require_no_second_start()
}

/// The process dies while it starts the workload.
pub(super) async fn starts_once<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let [.., workload] = run.endings()?[..] else { return Ok(()) };
    for polls in 0..=run.settings.max_polls {
        {
            let mut task = TestedTask::new(run, workload).await?;
            task.after(PREPARED).await?;
            let started = task.drop_after(Call::Start, polls).await;
            task.restart_process().await?;
            if start_again(&mut task).await? {
                task.result().await;
            }
            task.require_no_second_start()?;
            if started {
                break;
            }
        }
        remove_all(run).await;
    }
    Ok(())
}

async fn restarted_while_running<'a, S: Subject>(
    run: &'a ClauseRun<'a, S>,
) -> Result<TestedTask<'a, S>, Stop> {
    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(STARTED).await?;
    task.restart_process().await?;
    Ok(task)
}

/// `start` may succeed or report that the workload is lost, but it must return. Returns whether
/// it succeeded.
async fn start_again<S: Subject>(task: &mut TestedTask<'_, S>) -> Result<bool, Stop> {
    match task.call(Call::Start).await {
        Ok(()) => Ok(true),
        Err(Fault::Error(_)) => Ok(false),
        Err(fault) => task.require(false, "`start` returns", &fault).map(|()| false),
    }
}
