//! What a task says, until it has said all.

use futures::StreamExt as _;
use onward::ControllerError;
use onward::exec::{LogPublisher, LogSubscriptionOptions};

use super::Tasks;
use crate::controller::ProcessExecutor;

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
        let mut changes = tasks.changes();
        while let Some(views) = changes.next().await {
            let view = views.iter().find(|view| view.record.id() == name);
            let status = view.map(|view| &view.snapshot.status);
            if status.is_none_or(|s| s.state.is_terminal() && s.container_status.is_none()) {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        published = logs.logs(publisher, options) => published,
        () = nothing_comes => Ok(()),
    }
}
