//! The steps of a task's life that many checks begin or end with.

use crate::exec::Call;
use crate::testing::contract::subject::{Subject, Workload};
use crate::testing::contract::tested_task::TestedTask;
use crate::testing::contract::verdict::Verdict;
use alloc::string::String;

pub(super) const PREPARED: &[Call] = &[Call::Prepare];
const SUCCEEDS: &str = "`wait` succeeds";
pub(super) const STARTED: &[Call] = &[Call::Prepare, Call::Start];

/// Requires that the workload was started once and exits with 0.
pub(super) async fn succeeds<S: Subject>(task: &mut TestedTask<'_, S>) -> Verdict {
    task.require_result(SUCCEEDS).await?;
    task.require_one_start()
}

/// Like [`succeeds`], after calls that must not change the task's life. If the plain life
/// of such a task is broken too, the outcome must be the same.
pub(super) async fn lives<S: Subject>(task: &mut TestedTask<'_, S>) -> Verdict {
    let found = (task.result().await, task.observe().starts);
    if found == (String::from(SUCCEEDS), 1) {
        return Ok(());
    }
    let mut plain = TestedTask::new(task.run, Workload::Exits(0)).await?;
    plain.after(STARTED).await?;
    if found == (plain.ended().await?, plain.observe().starts) {
        return Ok(());
    }
    task.require(found.0 == SUCCEEDS, SUCCEEDS, &found.0)?;
    task.require_one_start()
}
