//! What the tasks say, on the agent's own standard output.

use std::io::{self, Write as _};

use onward::exec::{LogMessage, LogSubscriptionOptions};
use onward::{Controller, ControllerError};
use tokio::task::JoinHandle;

/// Whether what the tasks say is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// It stays in their logs.
    Hidden,
    /// Each line is shown with its task's name before it.
    Shown,
}

impl Output {
    /// Begins to show what a task says, through its controller's logs, beside its operations.
    pub(crate) fn follow(self, name: String, controller: &impl Controller) -> Following {
        let logs = controller.logs().filter(|_| self == Self::Shown);
        Following(logs.map(|logs| {
            tokio::spawn(async move {
                let show = |message: LogMessage| std::future::ready(print(&name, &message));
                if let Err(error) = logs.logs(show, LogSubscriptionOptions::follow()).await {
                    tracing::warn!(task.id = name, "output is not shown: {error:#}");
                }
            })
        }))
    }
}

/// A task's output being shown.
pub(crate) struct Following(Option<JoinHandle<()>>);

impl Following {
    /// Waits until all is shown; of a task that has not `started` nothing will come.
    pub(crate) async fn finish(self, started: bool) {
        if let Some(following) = self.0 {
            if !started {
                following.abort();
            }
            // Nobody else ends it, so the only error is that it was just ended.
            _ = following.await;
        }
    }
}

fn print(name: &str, message: &LogMessage) -> Result<(), ControllerError> {
    let mut line = format!("{name} | ").into_bytes();
    line.extend_from_slice(&message.data);
    if !line.ends_with(b"\n") {
        line.push(b'\n');
    }
    io::stdout().write_all(&line).map_err(ControllerError::wrap)
}
