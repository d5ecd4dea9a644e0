//! Checks of `wait`.

use super::steps::STARTED;
use crate::exec::Call;
use crate::testing::contract::clause_run::ClauseRun;
use crate::testing::contract::subject::{Subject, Workload};
use crate::testing::contract::tested_task::{TestedTask, failed, remove_all};
use crate::testing::contract::verdict::{Stop, Verdict};

pub(super) async fn while_running<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(STARTED).await?;
    let returned = task.returns_soon(Call::Wait).await;
    task.require(!returned, "`wait` does not return while the workload runs", &"it has returned")
}

pub(super) async fn reports_failure<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let failing = run.endings()?.into_iter().find(|workload| *workload != Workload::Exits(0));
    let Some(workload) = failing else {
        return Err(Stop::unchecked("the subject has no workload that fails"));
    };
    let mut task = TestedTask::new(run, workload).await?;
    task.after(STARTED).await?;
    let result = task.result().await;
    task.require_failure(&result)
}

pub(super) async fn dropped<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(STARTED).await?;
    for polls in 0..2 {
        task.drop_after(Call::Wait, polls).await;
        task.require_running()?;
    }
    task.returns_soon(Call::Wait).await;
    task.require_running()?;

    let [workload, ..] = run.endings()?[..] else { return Ok(()) };
    let mut task = TestedTask::new(run, workload).await?;
    task.after(STARTED).await?;
    let result = task.ended().await?;
    for polls in 0..=run.settings.max_polls {
        {
            let mut task = TestedTask::new(run, workload).await?;
            task.after(STARTED).await?;
            if task.drop_after(Call::Wait, polls).await {
                break;
            }
            task.require_result(&result).await?;
        }
        remove_all(run).await;
    }
    Ok(())
}

pub(super) async fn repeated<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    for workload in run.endings()? {
        let mut task = TestedTask::new(run, workload).await?;
        task.after(STARTED).await?;
        let result = task.ended().await?;
        task.require_result(&result).await?;
        task.require_result(&result).await?;
    }
    Ok(())
}

pub(super) async fn new_controller<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    for workload in run.endings()? {
        let mut task = TestedTask::new(run, workload).await?;
        task.after(STARTED).await?;
        let result = task.ended().await?;
        task.new_controller().await?;
        task.require_result(&result).await?;

        let mut task = TestedTask::new(run, workload).await?;
        task.after(STARTED).await?;
        task.new_controller().await?;
        task.require_result(&result).await?;
    }
    Ok(())
}

pub(super) async fn exit_code<S: Subject>(
    run: &ClauseRun<'_, S>,
    workload: Workload,
    code: i32,
) -> Verdict {
    let mut task = TestedTask::new(run, workload).await?;
    task.after(STARTED).await?;
    task.require_result(&failed(Some(code))).await
}
