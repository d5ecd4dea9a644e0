//! The output of the tasks on the agent's own standard output, for `run --logs`.

use std::io;
use std::sync::Arc;

use onward::ControllerError;
use onward::exec::{LogMessage, LogPublisher, LogSubscriptionOptions};
use tokio::io::{AsyncWriteExt as _, BufWriter, Stdout};
use tokio::sync::{Mutex, Notify};

use crate::kind::TaskExecutor;
use crate::logs::publish_logs;
use crate::tasks::Tasks;

/// Bytes that are written at once.
const BLOCK: usize = 64 * 1024;

/// Standard output, shared by all tasks.
type Shared = Mutex<BufWriter<Stdout>>;

/// Whether and where the output of the tasks is shown.
#[derive(Clone, Debug)]
pub struct Output(Option<Arc<Shared>>);

impl Output {
    /// Does not show the output. It is in the logs of the tasks.
    #[must_use]
    pub fn hidden() -> Self {
        Self(None)
    }

    /// Shows each line with the name of its task. If standard output is closed, the tasks keep
    /// running.
    #[must_use]
    pub fn shown() -> Self {
        let stdout = BufWriter::with_capacity(BLOCK, tokio::io::stdout());
        Self(Some(Arc::new(Mutex::new(stdout))))
    }

    /// Shows the output of a task until the task has ended. If the task existed before this agent,
    /// only new output is shown.
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
            let written = Notify::new();
            let lines = Lines { name: name.clone(), stdout: &stdout, written: &written };
            let published = tokio::select! {
                biased;
                published = publish_logs(&tasks, &executor, &name, lines, options) => {
                    published.map_err(|error| error.to_string())
                }
                // This branch is polled only while there is nothing to publish.
                error = flush_after_writes(&stdout, &written) => Err(error.to_string()),
            };
            let flushed = flush(&stdout).await.map_err(|error| error.to_string());
            if let Err(error) = published.and(flushed) {
                tracing::warn!("cannot show the output of task {name}: {error}");
            }
        })
    }
}

async fn flush(stdout: &Shared) -> io::Result<()> {
    stdout.lock().await.flush().await
}

/// Flushes after each write. Returns when a flush fails.
async fn flush_after_writes(stdout: &Shared, written: &Notify) -> io::Error {
    loop {
        written.notified().await;
        if let Err(error) = flush(stdout).await {
            return error;
        }
    }
}

/// Writes the lines of one task. A message can have several lines.
struct Lines<'a> {
    name: String,
    stdout: &'a Shared,
    /// Notified after each write.
    written: &'a Notify,
}

impl LogPublisher for Lines<'_> {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        let mut lines = Vec::new();
        for line in message.data.split_inclusive(|byte| *byte == b'\n') {
            lines.extend_from_slice(self.name.as_bytes());
            lines.extend_from_slice(b" | ");
            lines.extend_from_slice(line);
        }
        if !lines.ends_with(b"\n") {
            lines.push(b'\n');
        }
        self.stdout.lock().await.write_all(&lines).await?;
        self.written.notify_one();
        Ok(())
    }
}
