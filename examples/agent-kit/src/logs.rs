//! What a task says, until it has said all.

use std::future;

use onward::ControllerError;
use onward::agent::worker::TaskView;
use onward::exec::{LogPublisher, LogSubscriptionOptions};
use tokio::sync::oneshot;

use crate::kind::TaskExecutor;
use crate::tasks::Tasks;

/// Why not everything that a task says was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It cannot be read or delivered.
    #[error("{0:#}")]
    Failed(ControllerError),
    /// The agent has ended, and the task goes on.
    #[error("the agent has ended")]
    AgentEnded,
}

/// Publishes what a task says. With *follow*, until it has ended and all is published, or it is
/// gone.
///
/// # Errors
///
/// What it says cannot be read, the publisher's own error, or the end of the agent.
///
/// # Cancel safety
///
/// Dropped, it stops publishing.
pub async fn publish_logs<E: TaskExecutor>(
    tasks: &Tasks<E::Definition>,
    executor: &E,
    name: &str,
    publisher: impl LogPublisher,
    options: LogSubscriptionOptions,
) -> Result<(), PublishError> {
    let Some(view) = tasks.task(name) else { return Ok(()) };
    let record = &view.record;
    let assignment = record.applied.as_ref().unwrap_or(&record.assignment);
    let (end, ended) = oneshot::channel::<()>();
    let reading =
        executor.logs(name, &assignment.definition.definition, publisher, options, async {
            _ = ended.await;
        });
    let watching = async {
        let over = tasks.until_each([name], |view| view.is_none_or(TaskView::has_ended));
        if over.await.is_ok() {
            _ = end.send(());
            future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        read = reading => read.map_err(PublishError::Failed),
        () = watching => Err(PublishError::AgentEnded),
    }
}
