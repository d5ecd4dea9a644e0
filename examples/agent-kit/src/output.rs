//! What the tasks say, on the agent's own standard output.

use std::sync::Arc;

use onward::ControllerError;
use onward::exec::{LogMessage, LogPublisher, LogSubscriptionOptions};
use tokio::io::{AsyncWriteExt as _, Stdout};
use tokio::sync::Mutex;

use crate::kind::TaskExecutor;
use crate::logs::publish_logs;
use crate::tasks::Tasks;

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

    /// Shows what a task says until it has said all; only what it says from now on, where an
    /// earlier agent may have shown the rest.
    pub(crate) fn follow<E: TaskExecutor + 'static>(
        &self,
        tasks: Tasks<E::Definition>,
        executor: E,
        name: &str,
        only_new: bool,
    ) -> Option<impl Future<Output = ()> + Send + use<E>> {
        let stdout = Arc::clone(self.0.as_ref()?);
        let name = name.to_owned();
        let mut options = LogSubscriptionOptions::follow();
        if only_new {
            options = options.with_tail(0);
        }
        Some(async move {
            let lines = Lines { name: name.clone(), stdout };
            if let Err(error) = publish_logs(&tasks, &executor, &name, lines, options).await {
                tracing::warn!("what {name} says is not shown: {error}");
            }
        })
    }
}

/// Writes the lines of one task. A message can have several.
struct Lines {
    name: String,
    stdout: Arc<Mutex<Stdout>>,
}

impl LogPublisher for Lines {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        let mut lines = Vec::new();
        for line in message.data.split_inclusive(|byte| *byte == b'\n') {
            lines.extend_from_slice(format!("{} | ", self.name).as_bytes());
            lines.extend_from_slice(line);
        }
        if !lines.ends_with(b"\n") {
            lines.push(b'\n');
        }
        let mut stdout = self.stdout.lock().await;
        stdout.write_all(&lines).await?;
        Ok(stdout.flush().await?)
    }
}
