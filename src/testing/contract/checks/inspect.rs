//! Checks of `inspect`.

use super::steps::STARTED;
use crate::exec::Call;
use crate::exec::Inspected;
use crate::testing::contract::call::Fault;
use crate::testing::contract::clause_run::{ClauseRun, FAILURE};
use crate::testing::contract::subject::{Subject, Workload};
use crate::testing::contract::tested_task::TestedTask;
use crate::testing::contract::verdict::{Stop, Verdict};
use alloc::format;

pub(super) async fn succeeds<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Runs).await?;
    inspect(&mut task).await?;
    for call in STARTED {
        task.after(&[*call]).await?;
        inspect(&mut task).await?;
    }
    // Another clause checks whether it succeeds.
    _ = task.call(Call::Shutdown).await;
    inspect(&mut task).await?;

    for workload in run.endings()? {
        let mut task = TestedTask::new(run, workload).await?;
        task.after(STARTED).await?;
        task.ended().await?;
        inspect(&mut task).await?;
    }
    Ok(())
}

async fn inspect<S: Subject>(task: &mut TestedTask<'_, S>) -> Verdict {
    const EXPECTED: &str = "`inspect` returns without an error";
    match task.inspect().await {
        Err(fault) => task.require(false, EXPECTED, &fault),
        Ok(inspection) => {
            if let Inspected::Failed(error) = inspection.container_status {
                task.require(false, EXPECTED, &format!("no container status: {error:#}"))?;
            }
            if let Inspected::Failed(error) = inspection.port_status {
                task.require(false, EXPECTED, &format!("no port status: {error:#}"))?;
            }
            Ok(())
        }
    }
}

pub(super) async fn exit_code<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Exits(FAILURE)).await?;
    task.after(STARTED).await?;
    let waited = match task.call(Call::Wait).await {
        Err(Fault::Error(error)) => error.exit_code(),
        _ => None,
    };
    let inspection = task.inspect().await.map(|inspection| inspection.container_status);
    let (Some(waited), Ok(Inspected::Known(status))) = (waited, inspection) else {
        return Err(Stop::unchecked("`wait` or `inspect` returns no exit code"));
    };
    let expected = format!("`inspect` returns the exit code {waited}");
    let found = match status.exit_code {
        Some(exit_code) => format!("it returns {exit_code}"),
        None => "it returns none".into(),
    };
    task.require(status.exit_code == Some(waited), &expected, &found)
}
