//! Publishes the log of a task until its end.

use std::future;
use std::time::SystemTime;

use onward::ControllerError;
use onward::agent::worker::TaskView;
use onward::exec::{LogPublisher, LogSubscriptionOptions};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcDateTime};
use tokio::sync::oneshot;

use crate::kind::TaskExecutor;
use crate::tasks::Tasks;

/// Why the log of a task was not published to its end.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The log cannot be read, or a line cannot be delivered.
    #[error("{0:#}")]
    Failed(ControllerError),
    /// The agent has ended. The task still runs.
    #[error("the agent has ended")]
    AgentEnded,
}

/// Publishes the log of a task. With *follow*, it returns when the task has ended or was removed,
/// and all lines are published.
///
/// # Errors
///
/// Fails if the log cannot be read, if the publisher fails, or if the agent ends.
///
/// # Cancel safety
///
/// If you drop the future, it stops publishing.
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

/// Parses a time, or a duration before now.
///
/// # Errors
///
/// The error has an example of both.
pub fn parse_since(text: &str) -> Result<UtcDateTime, String> {
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(at.into());
    }
    let wrong = || {
        format!(
            "{text:?} is neither a time like 2026-11-22T08:33:59Z nor a duration like 10m or 1h 30m"
        )
    };
    let ago = humantime::parse_duration(text).map_err(|_| wrong())?;
    // A duration that is too long means the beginning.
    let at = SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH);
    Ok(at.into())
}
