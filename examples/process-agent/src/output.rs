//! What the tasks say, on the agent's own standard output.

use std::sync::Arc;

use onward::exec::{LogMessage, LogPublisher, LogSubscriptionOptions};
use onward::{Controller, ControllerError};
use tokio::io::{AsyncWriteExt as _, Stdout};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// Whether what the tasks say is shown.
#[derive(Clone, Debug)]
pub struct Output(Option<Arc<Mutex<Stdout>>>);

impl Output {
    /// It stays in their logs.
    #[must_use]
    pub fn hidden() -> Self {
        Self(None)
    }

    /// Each line is shown with its task's name before it. Where nobody reads it, the tasks
    /// go on all the same.
    #[must_use]
    pub fn shown() -> Self {
        Self(Some(Arc::new(Mutex::new(tokio::io::stdout()))))
    }

    /// Begins to show what a task says, through its controller's logs, beside its operations.
    pub(crate) fn follow(&self, name: &str, controller: &impl Controller) -> Following {
        let following = self.0.clone().zip(controller.logs()).map(|(stdout, logs)| {
            let lines = Lines { name: name.to_owned(), stdout };
            tokio::spawn(async move {
                if let Err(error) = logs.logs(lines, LogSubscriptionOptions::follow()).await {
                    tracing::warn!("what it says is not shown: {error:#}");
                }
            })
        });
        Following(following)
    }
}

/// A task's output being shown; no more when this is dropped.
pub(crate) struct Following(Option<JoinHandle<()>>);

impl Following {
    /// Waits until all is shown.
    pub(crate) async fn finish(mut self) {
        if let Some(following) = &mut self.0 {
            // Nobody ends it, and if it panics there is no more to show.
            _ = following.await;
        }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(following) = &self.0 {
            following.abort();
        }
    }
}

/// Writes the lines of one task.
struct Lines {
    name: String,
    stdout: Arc<Mutex<Stdout>>,
}

impl LogPublisher for Lines {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        let mut line = format!("{} | ", self.name).into_bytes();
        line.extend_from_slice(&message.data);
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        let mut stdout = self.stdout.lock().await;
        stdout.write_all(&line).await?;
        Ok(stdout.flush().await?)
    }
}
