use std::future::pending;
use std::time::Duration;

use agent_kit::LOG_SOURCE;
use onward::exec::{
    ControllerError, ControllerLogs, LogMessage, LogPublisher, LogStream, LogSubscriptionOptions,
    LogTail,
};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::keeper::Keeper;
use crate::log::{Follow, Options, Record, Stream, records};

/// Time between two looks at whether a task has started.
const NOT_STARTED: Duration = Duration::from_millis(200);

/// The output of a process, as its keeper has written it down.
pub(super) struct ProcessLogs {
    keeper: Keeper,
}

impl ProcessLogs {
    pub(super) fn new(keeper: Keeper) -> Self {
        Self { keeper }
    }
}

impl ProcessLogs {
    /// Publishes what is in the log; with *follow*, until `ended` is ready and all is published.
    pub(super) async fn publish<P: LogPublisher>(
        &self,
        mut publisher: P,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        let (end, is_over) = watch::channel(false);
        let mut skipped = match options.tail {
            LogTail::Skip(records) => records,
            LogTail::All | LogTail::Last(_) => 0,
        };
        let mut records = records(self.keeper.dir(), reader_options(&options, is_over));
        let reading = async {
            while let Some(record) = records.next().await {
                let record = record.map_err(ControllerError::wrap)?;
                if skipped > 0 {
                    skipped -= 1;
                } else {
                    publisher.publish(message(record)).await?;
                }
            }
            Ok(())
        };
        let watching = async {
            ended.await;
            end.send_replace(true);
            pending().await
        };
        tokio::select! {
            read = reading => read,
            never = watching => never,
        }
    }
}

impl ControllerLogs for ProcessLogs {
    async fn logs<P: LogPublisher>(
        &self,
        publisher: P,
        options: LogSubscriptionOptions,
    ) -> Result<(), ControllerError> {
        // The keeper, not the log, knows when no more will come.
        let ended = async {
            // A task that has not started has nothing to wait for.
            while self.keeper.wait().await.is_err() {
                sleep(NOT_STARTED).await;
            }
        };
        self.publish(publisher, options, ended).await
    }
}

fn reader_options(options: &LogSubscriptionOptions, ended: watch::Receiver<bool>) -> Options {
    Options {
        stdout: options.wants(LogStream::Stdout),
        stderr: options.wants(LogStream::Stderr),
        tail: match options.tail {
            LogTail::Last(records) => Some(usize::try_from(records).unwrap_or(usize::MAX)),
            LogTail::All | LogTail::Skip(_) => None,
        },
        since: options.since,
        follow: if options.follow { Follow::UntilEnded(ended) } else { Follow::No },
    }
}

/// A line has its newline, a piece of one has none.
fn message(record: Record) -> LogMessage {
    let Record { at, stream, mut bytes, partial } = record;
    if !partial {
        bytes.push(b'\n');
    }
    match stream {
        Stream::Stdout => LogMessage::stdout(bytes).at(at),
        Stream::Stderr => LogMessage::stderr(bytes).at(at),
        // What the keeper says of the log itself.
        Stream::Note => LogMessage::stderr(bytes).at(at).with_attribute(LOG_SOURCE, "keeper"),
    }
}

/// The last line that a process has said, with a colon before it; empty where there is none.
pub(super) async fn last_line(keeper: &Keeper) -> String {
    let mut records = records(keeper.dir(), Options { tail: Some(1), ..Options::default() });
    match records.next().await {
        Some(Ok(record)) => format!(": {}", String::from_utf8_lossy(&record.bytes)),
        Some(Err(_)) | None => String::new(),
    }
}
