//! Ends all tasks of a node that is no longer in the swarm.

use std::time::Duration;

use agent_kit::spec::TaskSpec;
use agent_kit::tasks::{Tasks, kill_all};
use onward::agent::{AssignedTask, TaskView};
use tokio::time::timeout;

use crate::runtime::SwarmExecutor;
use crate::task::SwarmTask;

/// How long killed tasks may take to end.
const AFTER_KILL: Duration = Duration::from_secs(3);

/// The tasks that could not be ended and removed: the name of each, and the reason.
pub type Remaining = Vec<(String, String)>;

/// Ends and removes all tasks. A task is killed if it does not end within its stop grace, or within
/// `grace` if that is given.
pub async fn end_tasks(
    tasks: &Tasks<SwarmTask>,
    executor: &SwarmExecutor,
    grace: Option<Duration>,
) -> Remaining {
    let ending = async {
        let none: [AssignedTask<TaskSpec<SwarmTask>>; 0] = [];
        if let Err(error) = tasks.assign(none).await {
            tracing::error!(%error, "cannot store that the tasks are removed");
            kill_all(tasks, executor);
            return;
        }
        let is_over = |views: &[TaskView<_>]| views.iter().all(|view| view.removal_error.is_some());
        _ = tasks.until(is_over).await;
    };
    match grace {
        None => ending.await,
        Some(grace) => {
            let mut ending = std::pin::pin!(ending);
            if timeout(grace, &mut ending).await.is_err() {
                kill_all(tasks, executor);
                _ = timeout(AFTER_KILL, ending).await;
            }
        }
    }
    let remaining = tasks.tasks().into_iter().map(|view| {
        let name = view.record.assignment.definition.definition.name.clone();
        let reason = match view.removal_error {
            Some(error) => error,
            None if view.has_ended() => match view.snapshot.last_error {
                Some(error) => format!("it is not removed yet: {error}"),
                None => "it is not removed yet".to_owned(),
            },
            None => "it may still run".to_owned(),
        };
        (name, reason)
    });
    remaining.collect()
}
