//! The output of a container, as the engine has kept it.

mod position;

use std::future::{Future, pending};
use std::pin::pin;

use bollard::container::LogOutput;
use bollard::errors::Error as ClientError;
use bollard::query_parameters::LogsOptions;
use futures::{FutureExt, Stream, StreamExt};
use onward::exec::{
    ControllerError, ControllerLogs, LogAttribute, LogMessage, LogPublisher, LogStream,
    LogSubscriptionOptions, LogTail,
};
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::container::{Container, Found, Phase};
use crate::error::failed;
use position::{Position, tail};

/// The output of a task's container.
///
/// A message is a line with its newline, or a piece of at most 16 KiB of a longer one. The output
/// of a terminal is on the standard output. The attributes are those that the options
/// `labels` and `env` of the log driver ask for.
#[derive(Clone, Debug)]
pub(crate) struct DockerLogs {
    container: Container,
}

impl DockerLogs {
    pub(crate) fn new(container: Container) -> Self {
        Self { container }
    }

    /// Publishes the output. With *follow*, it waits for the container to start, and goes on until
    /// the container has ended or `ended` is ready.
    pub(crate) async fn publish<P: LogPublisher>(
        &self,
        mut publisher: P,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        let mut ended = pin!(ended.fuse());
        let mut events = self.container.shared.events.subscribe(&self.container.task);
        let mut is_over = !options.follow;
        let mut position: Option<Position> = None;
        loop {
            let found = match self.container.find().await {
                Err(error) if options.follow && error.is_temporary() && !is_over => {
                    tracing::debug!(
                        task = &*self.container.task,
                        "logs wait for the engine: {error:#}"
                    );
                    None
                }
                found => found?,
            };
            let phase = found.as_ref().map(Found::phase);
            if let (Some(found), Some(Phase::Running | Phase::Ended)) = (&found, phase) {
                let from = match &mut position {
                    Some(position) => position,
                    none => none.insert(self.begin(found, &options).await?),
                };
                let follows = !is_over && phase == Some(Phase::Running);
                match self.read(found, &options, follows, from, &mut publisher).await {
                    // The engine has gone in the middle.
                    Err(Interrupted::Engine(error)) if follows && error.is_temporary() => {}
                    Err(Interrupted::Engine(error) | Interrupted::Publisher(error)) => {
                        return Err(error);
                    }
                    Ok(()) if follows => continue,
                    Ok(()) => return Ok(()),
                }
            } else if is_over || (position.is_some() && phase.is_none()) {
                return Ok(());
            }
            tokio::select! {
                () = events.changed() => {}
                () = &mut ended => is_over = true,
            }
        }
    }

    /// Where to begin, by the tail that is asked for.
    async fn begin(
        &self,
        found: &Found,
        options: &LogSubscriptionOptions,
    ) -> Result<Position, ControllerError> {
        match options.tail {
            LogTail::All => Ok(Position::default()),
            LogTail::Skip(messages) => Ok(Position::after(messages)),
            LogTail::Last(messages) => {
                let there = self.messages(found, options, false, None).await?;
                tail(there.map(|message| message.map_err(unreadable)), options, messages).await
            }
        }
    }

    /// Publishes the messages after the position.
    async fn read<P: LogPublisher>(
        &self,
        found: &Found,
        options: &LogSubscriptionOptions,
        follow: bool,
        position: &mut Position,
        publisher: &mut P,
    ) -> Result<(), Interrupted> {
        let attributes = attributes(found);
        let messages = self.messages(found, options, follow, position.time()).await;
        let mut messages = pin!(messages.map_err(Interrupted::Engine)?);
        let mut replay = position.replay();
        while let Some(message) = messages.next().await {
            let mut message = message.map_err(|error| Interrupted::Engine(unreadable(error)))?;
            if replay.is_known(&message) || !position.takes(&message, options) {
                continue;
            }
            message.attributes.clone_from(&attributes);
            publisher.publish(message).await.map_err(Interrupted::Publisher)?;
        }
        Ok(())
    }

    async fn messages(
        &self,
        found: &Found,
        options: &LogSubscriptionOptions,
        follow: bool,
        since: Option<UtcDateTime>,
    ) -> Result<impl Stream<Item = Result<LogMessage, ClientError>> + use<>, ControllerError> {
        let since = since.max(options.since).map_or(0, UtcDateTime::unix_timestamp);
        let options = LogsOptions {
            follow,
            stdout: options.wants(LogStream::Stdout),
            stderr: options.wants(LogStream::Stderr),
            since: i32::try_from(since).unwrap_or(i32::MAX),
            timestamps: true,
            ..LogsOptions::default()
        };
        let client = self.container.shared.engine.client().await?.clone();
        Ok(client.logs(&found.id, Some(options)).map(|output| output.map(message)))
    }
}

impl ControllerLogs for DockerLogs {
    async fn logs<P: LogPublisher>(
        &self,
        publisher: P,
        options: LogSubscriptionOptions,
    ) -> Result<(), ControllerError> {
        self.publish(publisher, options, pending()).await
    }
}

/// Why no more messages were published.
enum Interrupted {
    Engine(ControllerError),
    Publisher(ControllerError),
}

fn unreadable(error: ClientError) -> ControllerError {
    failed("the container's logs cannot be read", error)
}

/// The engine writes the time before each message.
fn message(output: LogOutput) -> LogMessage {
    let (stream, bytes) = match output {
        LogOutput::StdErr { message } => (LogStream::Stderr, message),
        LogOutput::StdOut { message }
        | LogOutput::StdIn { message }
        | LogOutput::Console { message } => (LogStream::Stdout, message),
    };
    let space = bytes.iter().position(|byte| *byte == b' ');
    let split = space.and_then(|space| bytes.split_at_checked(space));
    let stamped = split.and_then(|(stamp, rest)| {
        let at = UtcDateTime::parse(std::str::from_utf8(stamp).ok()?, &Rfc3339).ok()?;
        Some((at, rest.get(1..)?))
    });
    match stamped {
        Some((at, data)) => LogMessage::new(stream, data).at(at),
        None => LogMessage::new(stream, bytes.to_vec()),
    }
}

/// The labels and variables of the container that its log driver was asked to add.
fn attributes(found: &Found) -> Vec<LogAttribute> {
    let host = found.inspection.host_config.as_ref();
    let driver = host.and_then(|host| host.log_config.as_ref()?.config.as_ref());
    let config = found.inspection.config.as_ref();
    let asked = |option: &str| {
        let names = driver.and_then(|driver| driver.get(option)).map_or("", String::as_str);
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
    };
    let label = |key: String| {
        let value = config?.labels.as_ref()?.get(&key)?.clone();
        Some(LogAttribute { key, value })
    };
    let variable = |key: String| {
        let mut entries = config?.env.iter().flatten().filter_map(|entry| entry.split_once('='));
        let value = entries.find(|(name, _)| *name == key)?.1.to_owned();
        Some(LogAttribute { key, value })
    };
    asked("labels").filter_map(label).chain(asked("env").filter_map(variable)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_taken_off_a_message_and_nothing_else() {
        let read = |text: &'static str| message(LogOutput::StdErr { message: text.into() });
        let stamped = read("2026-11-22T06:32:31.000000001Z  two spaces\n");
        assert_eq!(stamped.data, b" two spaces\n");
        assert_eq!(stamped.stream, LogStream::Stderr);
        assert_eq!(stamped.timestamp.map(UtcDateTime::nanosecond), Some(1));
        for bare in ["no time here\n", "2026 x\n", ""] {
            assert_eq!(read(bare), LogMessage::stderr(bare));
        }
    }
}
