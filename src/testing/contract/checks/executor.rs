//! Checks of the executor: its list of existing tasks, and `reconcile`.

use super::steps::{PREPARED, STARTED};
use crate::exec::Call;
use crate::exec::{ControllerError, Executor};
use crate::testing::contract::call::{Ended, Limit};
use crate::testing::contract::clause_run::{ClauseRun, Existing};
use crate::testing::contract::subject::{Observation, Subject, Workload};
use crate::testing::contract::tested_task::{TestedTask, remove_all};
use crate::testing::contract::verdict::{Stop, Verdict};
use alloc::string::String;
use alloc::vec::Vec;
use core::future::Future;

pub(super) async fn list_existing<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let executor = reconciler(run)?;
    for case in orphan_cases(run) {
        let task = case.task(run).await?;
        let Observation { running, remains, .. } = task.observe();
        if !running && !remains {
            continue;
        }
        let ids = list(run, &executor, &task.task).await?;
        let is_listed = ids.iter().any(|id| id == task.id());
        task.require(is_listed, "the executor lists the task", &"it is not in the list")?;
    }
    Ok(())
}

pub(super) async fn list_removed<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let executor = reconciler(run)?;
    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(STARTED).await?;
    task.must(Call::Remove).await?;
    require_unlisted(run, &executor, &task.task).await?;

    for case in orphan_cases(run) {
        let task = case.orphan(run).await?;
        reconcile(run, &executor, &task).await?;
        require_unlisted(run, &executor, &task).await?;
    }
    Ok(())
}

pub(super) async fn reconcile_removes<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let executor = reconciler(run)?;
    for case in orphan_cases(run) {
        let task = case.orphan(run).await?;
        reconcile(run, &executor, &task).await?;
        require_removed(run, &task)?;
    }
    Ok(())
}

pub(super) async fn reconcile_repeated<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let executor = reconciler(run)?;
    let nothing = OrphanCase { workload: run.any_workload()?, calls: &[], ends: false };
    reconcile(run, &executor, &nothing.orphan(run).await?).await?;
    for case in orphan_cases(run) {
        let task = case.orphan(run).await?;
        reconcile(run, &executor, &task).await?;
        reconcile(run, &executor, &task).await?;
        require_removed(run, &task)?;
    }
    Ok(())
}

pub(super) async fn reconcile_dropped<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let executor = reconciler(run)?;
    for polls in 0..=run.settings.max_polls {
        let case = OrphanCase { workload: Workload::Runs, calls: STARTED, ends: false };
        let task = case.orphan(run).await?;
        let limit = Limit { polls, ..run.limit() };
        if !matches!(try_reconcile(run, &executor, &task, limit).await, Ended::Dropped) {
            break;
        }
        reconcile(run, &executor, &task).await?;
        require_removed(run, &task)?;
        remove_all(run).await;
    }
    Ok(())
}

pub(super) async fn reconcile_other_tasks<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let executor = reconciler(run)?;
    let mut prepared = TestedTask::new(run, Workload::Runs).await?;
    prepared.after(PREPARED).await?;
    let remained = prepared.observe().remains;
    let mut running = TestedTask::new(run, Workload::Runs).await?;
    running.after(STARTED).await?;

    for case in orphan_cases(run) {
        let task = case.orphan(run).await?;
        // Another clause checks whether it succeeds.
        _ = try_reconcile(run, &executor, &task, run.limit()).await;
        running.require_running()?;
        let found = "the resources of `prepare` are gone";
        prepared.require(
            prepared.observe().remains == remained,
            "the other task keeps the resources of `prepare`",
            &found,
        )?;
    }
    let has_ended = running.returns_soon(Call::Wait).await;
    running.require(!has_ended, "`wait` of the other task does not return", &"it has returned")?;
    prepared.must(Call::Start).await?;
    prepared.require_running()
}

/// The state of a task without a controller.
struct OrphanCase {
    workload: Workload,
    calls: &'static [Call],
    ends: bool,
}

/// A task that is prepared, one that runs, and one that has ended.
fn orphan_cases<S: Subject>(run: &ClauseRun<'_, S>) -> Vec<OrphanCase> {
    let workload = Workload::Runs;
    let mut cases = Vec::from([
        OrphanCase { workload, calls: PREPARED, ends: false },
        OrphanCase { workload, calls: STARTED, ends: false },
    ]);
    let ending = run.endings().ok().and_then(|endings| endings.first().copied());
    cases.extend(ending.map(|workload| OrphanCase { workload, calls: STARTED, ends: true }));
    cases
}

impl OrphanCase {
    async fn task<'a, S: Subject>(
        &self,
        run: &'a ClauseRun<'a, S>,
    ) -> Result<TestedTask<'a, S>, Stop> {
        let mut task = TestedTask::new(run, self.workload).await?;
        task.after(self.calls).await?;
        if self.ends {
            task.ended().await?;
        }
        Ok(task)
    }

    /// A task without a controller.
    async fn orphan<S: Subject>(&self, run: &ClauseRun<'_, S>) -> Result<Existing<S>, Stop> {
        Ok(self.task(run).await?.task)
    }
}

fn reconciler<S: Subject>(run: &ClauseRun<'_, S>) -> Result<S::Executor, Stop> {
    let executor = run.subject.reconciler();
    executor.ok_or_else(|| Stop::unchecked("`Subject::reconciler` returns `None`"))
}

/// The ids that the executor lists.
async fn list<S: Subject>(
    run: &ClauseRun<'_, S>,
    executor: &S::Executor,
    task: &Existing<S>,
) -> Result<Vec<String>, Stop> {
    let listed = retry(run, task, Call::List, run.limit(), || executor.list()).await;
    run.require_success(Call::List, listed.answer(run.settings.timeout), &task.trace)
}

async fn reconcile<S: Subject>(
    run: &ClauseRun<'_, S>,
    executor: &S::Executor,
    task: &Existing<S>,
) -> Verdict {
    let ended = try_reconcile(run, executor, task, run.limit()).await;
    run.require_success(Call::Reconcile, ended.answer(run.settings.timeout), &task.trace)
}

async fn try_reconcile<S: Subject>(
    run: &ClauseRun<'_, S>,
    executor: &S::Executor,
    task: &Existing<S>,
    limit: Limit,
) -> Ended<()> {
    let id = &task.assignment.id;
    retry(run, task, Call::Reconcile, limit, || executor.reconcile(id)).await
}

/// Calls the executor until it succeeds, fails for good, or reaches the limit. The limit
/// includes all retries.
async fn retry<S: Subject, A, F>(
    run: &ClauseRun<'_, S>,
    task: &Existing<S>,
    call: Call,
    mut limit: Limit,
    operation: impl Fn() -> F + Send + Sync,
) -> Ended<A>
where
    F: Future<Output = Result<A, ControllerError>> + Send,
{
    let deadline = run.deadline(&limit);
    loop {
        // The method is called inside the future, so that its panic is caught too.
        let operation = async { operation().await };
        let ended = run.executor_call(task, call, &mut limit, operation).await;
        if !ended.is_retryable() {
            return ended;
        }
        if !run.next_try(&mut limit, deadline).await {
            return Ended::TimedOut;
        }
    }
}

fn require_removed<S: Subject>(run: &ClauseRun<'_, S>, task: &Existing<S>) -> Verdict {
    let Observation { running, remains, .. } = run.subject.observe(&task.assignment.id);
    run.require(!running, "nothing runs after `reconcile`", &"the workload runs", &task.trace)?;
    let expected = "nothing of the task is left after `reconcile`";
    run.require(!remains, expected, &"something is left", &task.trace)
}

async fn require_unlisted<S: Subject>(
    run: &ClauseRun<'_, S>,
    executor: &S::Executor,
    task: &Existing<S>,
) -> Verdict {
    let ids = list(run, executor, task).await?;
    let is_listed = ids.iter().any(|id| **id == *task.assignment.id);
    run.require(!is_listed, "the executor does not list the task", &"it does", &task.trace)
}
