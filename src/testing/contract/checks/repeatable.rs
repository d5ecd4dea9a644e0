//! Checks of repeated operations: after a drop, after a success, and on a new controller.

use super::steps::{PREPARED, STARTED, lives};
use crate::exec::Call;
use crate::testing::contract::clause_run::ClauseRun;
use crate::testing::contract::subject::{Subject, Workload};
use crate::testing::contract::tested_task::{TestedTask, remove_all};
use crate::testing::contract::verdict::{Stop, Verdict};

/// An operation that can be repeated, and the calls around it.
pub(super) struct Repeatable {
    workload: Workload,
    before: &'static [Call],
    call: Call,
    /// The calls after it, until the workload runs.
    then: &'static [Call],
}

pub(super) const PREPARE: &Repeatable = &Repeatable {
    workload: Workload::Exits(0),
    before: &[],
    call: Call::Prepare,
    then: &[Call::Start],
};
pub(super) const START: &Repeatable =
    &Repeatable { workload: Workload::Exits(0), before: PREPARED, call: Call::Start, then: &[] };
pub(super) const SHUTDOWN: &Repeatable =
    &Repeatable { workload: Workload::Runs, before: STARTED, call: Call::Shutdown, then: &[] };
pub(super) const REMOVE: &Repeatable =
    &Repeatable { workload: Workload::Runs, before: STARTED, call: Call::Remove, then: &[] };

/// Drops the operation after each number of polls, and calls it again on the same
/// controller or on a new one.
pub(super) async fn dropped<S: Subject>(
    run: &ClauseRun<'_, S>,
    case: &Repeatable,
    on_new_controller: bool,
) -> Verdict {
    for polls in 0..=run.settings.max_polls {
        {
            let mut task = before(run, case).await?;
            if task.drop_after(case.call, polls).await {
                break;
            }
            if on_new_controller {
                task.new_controller().await?;
            }
            works(&mut task, case).await?;
        }
        remove_all(run).await;
    }
    Ok(())
}

pub(super) async fn repeated<S: Subject>(run: &ClauseRun<'_, S>, case: &Repeatable) -> Verdict {
    let mut task = before(run, case).await?;
    task.must(case.call).await?;
    works(&mut task, case).await
}

pub(super) async fn new_controller<S: Subject>(
    run: &ClauseRun<'_, S>,
    case: &Repeatable,
) -> Verdict {
    let mut task = before(run, case).await?;
    task.new_controller().await?;
    works(&mut task, case).await?;

    let mut task = before(run, case).await?;
    task.must(case.call).await?;
    task.new_controller().await?;
    works(&mut task, case).await?;

    dropped(run, case, true).await
}

/// A task at the point before the operation.
async fn before<'a, S: Subject>(
    run: &'a ClauseRun<'a, S>,
    case: &Repeatable,
) -> Result<TestedTask<'a, S>, Stop> {
    let mut task = TestedTask::new(run, case.workload).await?;
    task.after(case.before).await?;
    Ok(task)
}

/// The operation succeeds, and has its effect.
async fn works<S: Subject>(task: &mut TestedTask<'_, S>, case: &Repeatable) -> Verdict {
    task.must(case.call).await?;
    if matches!(case.call, Call::Shutdown | Call::Remove) {
        return task.require_end(case.call);
    }
    for call in case.then {
        task.must(*call).await?;
    }
    lives(task).await
}
