//! Checks of `update`.

use super::steps::{PREPARED, STARTED, lives};
use crate::exec::Call;
use crate::exec::ErrorKind;
use crate::testing::contract::call::Fault;
use crate::testing::contract::clause_run::ClauseRun;
use crate::testing::contract::subject::{DefinitionOf, InForce, Subject, UpdatePoint, Workload};
use crate::testing::contract::tested_task::{TestedTask, remove_all};
use crate::testing::contract::verdict::{Stop, Verdict};
use alloc::format;
use alloc::vec::Vec;

pub(super) async fn unchanged<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Exits(0)).await?;
    for call in STARTED {
        update_equal(&mut task).await?;
        task.must(*call).await?;
    }
    lives(&mut task).await?;

    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(STARTED).await?;
    update_equal(&mut task).await?;
    task.require_running()
}

async fn update_equal<S: Subject>(task: &mut TestedTask<'_, S>) -> Verdict {
    match task.call(Call::Update).await {
        Ok(()) => Ok(()),
        Err(Fault::Error(error)) if error.kind() == ErrorKind::UpdateRejected => Ok(()),
        Err(fault) => {
            task.require(false, "`update` succeeds or fails with `update_rejected`", &fault)
        }
    }
}

pub(super) async fn taken<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    for point in taken_at(run)? {
        let mut task = offered(run, point, S::updated_definition).await?;
        task.must(Call::Update).await?;
        task.set_taken();
        runs_with(&mut task, point, InForce::Updated).await?;
    }
    Ok(())
}

pub(super) async fn refused<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    for point in refused_at(run)? {
        let mut task = offered(run, point, S::refused_definition).await?;
        refuse(&mut task, point).await?;
        runs_with(&mut task, point, InForce::Original).await?;
    }
    Ok(())
}

async fn refuse<S: Subject>(task: &mut TestedTask<'_, S>, point: UpdatePoint) -> Verdict {
    let expected = format!("`update` at `UpdatePoint::{point:?}` fails with `update_rejected`");
    match task.call(Call::Update).await {
        Err(Fault::Error(error)) if error.kind() == ErrorKind::UpdateRejected => Ok(()),
        Err(fault) => task.require(false, &expected, &fault),
        Ok(()) => task.require(false, &expected, &"it succeeded"),
    }
}

pub(super) async fn dropped<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    for point in taken_at(run)? {
        drop_at(run, point, false).await?;
    }
    Ok(())
}

pub(super) async fn new_controller<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let (taken, refused) = (taken_at(run), refused_at(run));
    if let (Err(_), Ok(points)) = (&taken, &refused) {
        return after_refusal(run, points).await;
    }
    for point in taken? {
        let mut task = offered(run, point, S::updated_definition).await?;
        task.must(Call::Update).await?;
        task.set_taken();
        task.new_controller().await?;
        runs_with(&mut task, point, InForce::Updated).await?;
        let returned = task.returns_soon(Call::Wait).await;
        task.require(!returned, "`wait` does not return while the workload runs", &"it returned")?;
        task.new_controller().await?;
        task.must(Call::Shutdown).await?;
        task.require_end(Call::Shutdown)?;
        drop_at(run, point, true).await?;

        // The agent died before it stored that the definition was accepted.
        let mut task = offered(run, point, S::updated_definition).await?;
        task.must(Call::Update).await?;
        task.new_controller().await?;
        task.must(Call::Update).await?;
        task.set_taken();
        runs_with(&mut task, point, InForce::Updated).await?;
    }
    after_refusal(run, &refused.unwrap_or_default()).await
}

/// After a refused update, a controller made with the original definition continues the task.
async fn after_refusal<S: Subject>(run: &ClauseRun<'_, S>, points: &[UpdatePoint]) -> Verdict {
    for point in points {
        let mut task = offered(run, *point, S::refused_definition).await?;
        refuse(&mut task, *point).await?;
        task.new_controller().await?;
        runs_with(&mut task, *point, InForce::Original).await?;
    }
    Ok(())
}

/// Drops the update after each number of polls. Then passes the same definition again, to
/// the same controller or to a new one that is made with the original definition.
async fn drop_at<S: Subject>(
    run: &ClauseRun<'_, S>,
    point: UpdatePoint,
    to_new_controller: bool,
) -> Verdict {
    for polls in 0..=run.settings.max_polls {
        {
            let mut task = offered(run, point, S::updated_definition).await?;
            if task.drop_after(Call::Update, polls).await {
                break;
            }
            if to_new_controller {
                task.new_controller().await?;
            }
            task.must(Call::Update).await?;
            task.set_taken();
            runs_with(&mut task, point, InForce::Updated).await?;
        }
        remove_all(run).await;
    }
    Ok(())
}

/// Continues the task until its workload runs, with this definition in force.
async fn runs_with<S: Subject>(
    task: &mut TestedTask<'_, S>,
    point: UpdatePoint,
    in_force: InForce,
) -> Verdict {
    // `start` of a started task succeeds, because a new controller must find the workload.
    let calls = if point == UpdatePoint::New { STARTED } else { &[Call::Start] };
    for call in calls {
        task.must(*call).await?;
    }
    task.require_running()?;
    task.require_in_force(in_force).await
}

/// A method of the subject that returns a changed definition.
type Changed<S> = fn(&S, &str, Workload, UpdatePoint) -> Option<DefinitionOf<S>>;

/// A task at this point, with the changed definition for its next `update`.
async fn offered<'a, S: Subject>(
    run: &'a ClauseRun<'a, S>,
    point: UpdatePoint,
    changed: Changed<S>,
) -> Result<TestedTask<'a, S>, Stop> {
    let mut task = TestedTask::new(run, Workload::Runs).await?;
    let Some(definition) = changed(run.subject, task.id(), Workload::Runs, point) else {
        let reason =
            format!("the subject has a definition at `UpdatePoint::{point:?}` only at times");
        return Err(Stop::Unchecked(reason));
    };
    if definition == task.task.assignment.definition {
        let reason = format!(
            "the changed definition at `UpdatePoint::{point:?}` is equal to the original one"
        );
        return Err(Stop::Unchecked(reason));
    }
    task.offer(definition);
    task.after(match point {
        UpdatePoint::New => &[],
        UpdatePoint::Prepared => PREPARED,
        UpdatePoint::Started => STARTED,
    })
    .await?;
    Ok(task)
}

fn refused_at<S: Subject>(run: &ClauseRun<'_, S>) -> Result<Vec<UpdatePoint>, Stop> {
    offered_at(run, "refused_definition", S::refused_definition)
}

fn taken_at<S: Subject>(run: &ClauseRun<'_, S>) -> Result<Vec<UpdatePoint>, Stop> {
    offered_at(run, "updated_definition", S::updated_definition)
}

/// The points at which the subject has a changed definition.
fn offered_at<S: Subject>(
    run: &ClauseRun<'_, S>,
    method: &str,
    changed: Changed<S>,
) -> Result<Vec<UpdatePoint>, Stop> {
    let id = run.ids.unused(run.clause);
    let has = |point: &UpdatePoint| changed(run.subject, &id, Workload::Runs, *point).is_some();
    let points: Vec<_> = UpdatePoint::ALL.into_iter().filter(has).collect();
    if points.is_empty() {
        return Err(Stop::Unchecked(format!("`Subject::{method}` returns `None`")));
    }
    Ok(points)
}
