//! Checks of `shutdown`, `terminate` and `remove`.

use super::steps::{PREPARED, STARTED};
use crate::exec::Call;
use crate::testing::contract::clause_run::ClauseRun;
use crate::testing::contract::subject::{Observation, Subject, Workload};
use crate::testing::contract::tested_task::{TestedTask, remove_all};
use crate::testing::contract::verdict::{Stop, Verdict};

pub(super) async fn ends<S: Subject>(run: &ClauseRun<'_, S>, call: Call) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(STARTED).await?;
    task.must(call).await?;
    task.require_end(call)
}

pub(super) async fn terminate_forces<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::IgnoresShutdown).await?;
    task.after(STARTED).await?;
    // Gives the workload time to set up its handling of the request to end.
    task.returns_soon(Call::Wait).await;
    task.returns_soon(Call::Shutdown).await;
    if !task.observe().running {
        let reason = "the workload of `Workload::IgnoresShutdown` ended on `shutdown`";
        return Err(Stop::unchecked(reason));
    }
    task.must(Call::Terminate).await?;
    task.require_end(Call::Terminate)
}

pub(super) async fn of_nothing<S: Subject>(run: &ClauseRun<'_, S>, call: Call) -> Verdict {
    TestedTask::new(run, Workload::Runs).await?.must(call).await?;

    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(PREPARED).await?;
    task.must(call).await?;

    let mut task = TestedTask::new(run, Workload::Exits(0)).await?;
    task.after(STARTED).await?;
    task.ended().await?;
    task.must(call).await
}

/// Drops an operation after each number of polls, and then ends what it has begun with
/// another one.
pub(super) async fn after_dropped<S: Subject>(
    run: &ClauseRun<'_, S>,
    before: &[Call],
    dropped: Call,
    ends: Call,
) -> Verdict {
    for polls in 0..=run.settings.max_polls {
        {
            let mut task = TestedTask::new(run, Workload::Runs).await?;
            task.after(before).await?;
            if task.drop_after(dropped, polls).await {
                break;
            }
            task.must(ends).await?;
            task.require_end(ends)?;
        }
        remove_all(run).await;
    }
    Ok(())
}

pub(super) async fn remove_leaves_nothing<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    for before in [PREPARED, STARTED] {
        let mut task = TestedTask::new(run, Workload::Runs).await?;
        task.after(before).await?;
        task.must(Call::Remove).await?;
        task.require_end(Call::Remove)?;
    }
    let mut task = TestedTask::new(run, Workload::Exits(0)).await?;
    task.after(STARTED).await?;
    task.ended().await?;
    task.must(Call::Remove).await?;
    task.require_end(Call::Remove)
}

pub(super) async fn remove_of_nothing<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    TestedTask::new(run, run.any_workload()?).await?.must(Call::Remove).await
}

pub(super) async fn remove_after_dropped_call<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    after_dropped(run, &[], Call::Prepare, Call::Remove).await?;
    after_dropped(run, PREPARED, Call::Start, Call::Remove).await
}

/// Checks some time after the removals that none of the tasks of all clauses exists.
pub(super) async fn nothing_comes_back<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    if run.removed_before.is_empty() {
        // Only this clause is checked, so it needs its own removed tasks. Another clause
        // checks whether they are removed.
        match remove_after_dropped_call(run).await {
            Ok(()) | Err(Stop::Broken(_)) => remove_all(run).await,
            unchecked => return unchecked,
        }
    }
    run.pause(run.settings.settle_time).await;
    for (id, trace) in run.all_removed() {
        let Observation { running, remains, .. } = run.subject.observe(&id);
        let expected = "nothing of the task comes back after `remove`";
        run.require(!running, expected, &"the workload runs", &trace)?;
        run.require(!remains, expected, &"something is left", &trace)?;
    }
    Ok(())
}
