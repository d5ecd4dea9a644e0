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
use crate::log::{Follow, MAX_RECORD, Options, PerStream, Record, Stream, records};

/// Time between two checks whether a task has started.
const NOT_STARTED: Duration = Duration::from_millis(200);

/// The log of a process, which its keeper has written.
///
/// A message has lines of one stream and one time, each with its newline, or a piece of a line
/// without one. The line continues in the next message of the stream.
pub(super) struct ProcessLogs {
    keeper: Keeper,
}

impl ProcessLogs {
    pub(super) fn new(keeper: Keeper) -> Self {
        Self { keeper }
    }
}

impl ProcessLogs {
    /// Publishes the log. With *follow*, until `ended` is ready and all lines are published.
    pub(super) async fn publish<P: LogPublisher>(
        &self,
        mut publisher: P,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        let (end, is_over) = watch::channel(false);
        let mut lines = Lines::default();
        if let LogTail::Skip(skip) = options.tail {
            lines.skip = skip;
        }
        let mut records = records(self.keeper.dir(), reader_options(&options, is_over));
        let reading = async {
            while let Some(record) = records.next().await {
                let record = record.map_err(ControllerError::wrap)?;
                let (is_wanted, cut_off) = lines.take(&record);
                if let Some(cut_off) = cut_off {
                    publisher.publish(message(cut_off)).await?;
                }
                if is_wanted {
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
        // The keeper knows when no more lines will come; the log does not.
        let ended = async {
            // Before the start there is no end to wait for.
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
        joined: !matches!(options.tail, LogTail::Skip(_)),
        follow: if options.follow { Follow::UntilEnded(ended) } else { Follow::No },
    }
}

/// Groups records into lines, for `tail`.
#[derive(Default)]
struct Lines {
    /// How many lines are still to be skipped.
    skip: u64,
    /// Whether the last record of the stream continues in the next one.
    open: PerStream<bool>,
    /// Whether the current line of the stream is skipped.
    skipped: PerStream<bool>,
}

impl Lines {
    /// Returns whether the record is wanted. If the last pieces of the line before it were lost,
    /// also returns a record that ends that line, so that this record does not continue it.
    fn take(&mut self, record: &Record) -> (bool, Option<Record>) {
        let (open, skipped) = (self.open.of(record.stream), self.skipped.of(record.stream));
        let continues = std::mem::replace(open, record.partial);
        let is_cut_off = continues && !record.continues && !*skipped;
        if !(continues && record.continues) {
            *skipped = self.skip > 0;
            self.skip = self.skip.saturating_sub(1);
        }
        let Record { at, stream, .. } = *record;
        let end = || Record { at, stream, continues: true, partial: false, bytes: Vec::new() };
        (!*skipped, is_cut_off.then(end))
    }
}

fn message(record: Record) -> LogMessage {
    let Record { at, stream, partial, mut bytes, .. } = record;
    if !partial {
        bytes.push(b'\n');
    }
    match stream {
        Stream::Stdout => LogMessage::stdout(bytes).at(at),
        Stream::Stderr => LogMessage::stderr(bytes).at(at),
        // The keeper's own notes about the log.
        Stream::Note => LogMessage::stderr(bytes).at(at).with_attribute(LOG_SOURCE, "keeper"),
    }
}

/// Returns the last line of a process' output with a colon before it, or its beginning if it is
/// long. Empty if there is no output.
pub(super) async fn last_line(keeper: &Keeper) -> String {
    let mut records = records(keeper.dir(), Options { tail: Some(1), ..Options::default() });
    let mut line = Vec::new();
    while let Some(Ok(record)) = records.next().await {
        line.extend_from_slice(&record.bytes);
        if line.len() >= MAX_RECORD {
            break;
        }
    }
    if line.is_empty() { String::new() } else { format!(": {}", String::from_utf8_lossy(&line)) }
}

#[cfg(test)]
mod tests {
    use time::UtcDateTime;

    use super::*;

    fn record(stream: Stream, continues: bool, partial: bool) -> Record {
        let (at, bytes) = (UtcDateTime::UNIX_EPOCH, b"x".to_vec());
        Record { at, stream, continues, partial, bytes }
    }

    #[test]
    fn a_line_is_skipped_with_all_its_pieces() {
        let mut lines = Lines { skip: 2, ..Lines::default() };
        let mut is_wanted = |stream, continues, partial| {
            lines.take(&record(stream, continues, partial)) == (true, None)
        };
        assert!(
            !is_wanted(Stream::Stdout, true, true),
            "the beginning of the line was rotated away"
        );
        assert!(!is_wanted(Stream::Stderr, false, true));
        assert!(!is_wanted(Stream::Stdout, true, false));
        assert!(is_wanted(Stream::Stdout, false, false));
        assert!(!is_wanted(Stream::Stderr, true, false));
        assert!(is_wanted(Stream::Stderr, false, false));
    }

    #[test]
    fn a_line_without_its_end_is_not_continued_by_the_next_line() {
        let mut lines = Lines::default();
        let begin = record(Stream::Stdout, false, true);
        assert_eq!(lines.take(&begin), (true, None));
        assert_eq!(lines.take(&record(Stream::Note, false, false)), (true, None));
        let end = Record { continues: true, partial: false, bytes: Vec::new(), ..begin };
        let next = record(Stream::Stdout, false, false);
        assert_eq!(lines.take(&next), (true, Some(end)));
        assert_eq!(lines.take(&next), (true, None));
    }
}
