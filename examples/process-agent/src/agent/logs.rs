//! What a task says, until it has said all.

use onward::ControllerError;
use onward::agent::worker::TaskView;
use onward::exec::{LogPublisher, LogSubscriptionOptions};

use super::{TaskSpec, Tasks};
use crate::controller::ProcessExecutor;
use crate::definition::ProcessDefinition;

/// Publishes what a task says. With *follow*, until it has ended and all is published, or it is
/// gone.
///
/// # Errors
///
/// What it says cannot be read, or the publisher's own error.
///
/// # Cancel safety
///
/// Dropped, it stops publishing.
pub async fn publish_logs(
    tasks: &Tasks,
    executor: &ProcessExecutor,
    name: &str,
    publisher: impl LogPublisher,
    options: LogSubscriptionOptions,
) -> Result<(), ControllerError> {
    let (logs, follow) = (executor.logs(name)?, options.follow);
    // Of one that is gone, or has ended and was never started, nothing will come.
    let nothing_comes = async {
        if !follow {
            return futures::future::pending().await;
        }
        let never_ran = |view: &TaskView<TaskSpec<ProcessDefinition>>| {
            view.has_ended() && view.snapshot.status.container_status.is_none()
        };
        // Nothing comes from a worker that is closed either.
        _ = tasks
            .until(|views| views.iter().find(|view| view.id() == name).is_none_or(never_ran))
            .await;
    };
    tokio::select! {
        biased;
        published = logs.logs(publisher, options) => published,
        () = nothing_comes => Ok(()),
    }
}
