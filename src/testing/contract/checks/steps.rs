//! The first steps of a task's life, which many checks begin or end with.

use crate::testing::contract::subject::Subject;
use crate::testing::contract::tested_task::TestedTask;
use crate::testing::contract::verdict::Verdict;
use crate::testing::trace::Call;

pub(super) const PREPARED: &[Call] = &[Call::Prepare];
pub(super) const STARTED: &[Call] = &[Call::Prepare, Call::Start];

/// The workload was started once and exits with 0.
pub(super) async fn succeeds<S: Subject>(task: &mut TestedTask<'_, S>) -> Verdict {
    task.require_result("`wait` succeeds").await?;
    task.require_one_start()
}
