//! Logs of a workload: how a controller publishes them, and how a reader subscribes.

use super::error::ControllerError;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::Future;
use core::ops::Range;
use futures::FutureExt;
use futures::future::BoxFuture;
use time::UtcDateTime;

/// Publishes the logs of a workload.
///
/// It is separate from the [`Controller`](super::Controller), because logs are read while
/// `wait` borrows the controller. A controller returns it as [`SharedLogs`].
///
/// ```
/// use onward::exec::{
///     ControllerError, ControllerLogs, LogMessage, LogPublisher, LogSubscriptionOptions,
/// };
///
/// /// The log messages of a workload that has ended.
/// struct Said(Vec<LogMessage>);
///
/// impl ControllerLogs for Said {
///     async fn logs<P: LogPublisher>(
///         &self,
///         mut publisher: P,
///         options: LogSubscriptionOptions,
///     ) -> Result<(), ControllerError> {
///         let wanted: Vec<_> = self.0.iter().filter(|message| options.accepts(message)).collect();
///         for message in &wanted[options.tail.of(wanted.len())] {
///             publisher.publish((*message).clone()).await?;
///         }
///         Ok(())
///     }
/// }
/// ```
///
/// In SwarmKit: `exec.ControllerLogs`.
pub trait ControllerLogs: Send + Sync + 'static {
    /// Publishes the messages that exist, and with `options.follow` also the messages to
    /// come.
    ///
    /// Without `follow` it returns when all existing messages are published. With
    /// `follow` it returns when the workload has ended and all its messages are
    /// published.
    ///
    /// # Errors
    ///
    /// The logs cannot be read, or the publisher's own error.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, it stops publishing. The message in progress may or may
    /// not have been published. Nothing else changes.
    fn logs<P: LogPublisher>(
        &self,
        publisher: P,
        options: LogSubscriptionOptions,
    ) -> impl Future<Output = Result<(), ControllerError>> + Send;
}

/// Receives log messages, one at a time.
///
/// A closure is a publisher. Its argument needs a type. An `async` closure is a publisher
/// if it captures nothing, or only reads through references.
///
/// An `async` closure that owns or changes a captured value is not a publisher. The
/// compiler reports "async closure does not implement `FnMut` because it captures state
/// from its environment". In that case write an ordinary closure that returns a future.
/// The future gets its own clone of the value, or is ready at once:
///
/// ```
/// use onward::exec::{ControllerError, LogMessage, LogPublisher};
/// use std::sync::Arc;
///
/// async fn show(mut publisher: impl LogPublisher) -> Result<(), ControllerError> {
///     publisher.publish(LogMessage::stdout("hello")).await
/// }
///
/// # futures::executor::block_on(async {
/// show(async |message: LogMessage| {
///     println!("{}", String::from_utf8_lossy(&message.data));
///     Ok(())
/// })
/// .await?;
///
/// // Not `async move |message: LogMessage|`: it owns `task`.
/// let task: Arc<str> = "web.1".into();
/// show(move |message: LogMessage| {
///     let task = Arc::clone(&task);
///     async move {
///         println!("{task}: {}", String::from_utf8_lossy(&message.data));
///         Ok(())
///     }
/// })
/// .await?;
///
/// let mut heard = Vec::new();
/// show(|message: LogMessage| {
///     heard.push(message.data);
///     std::future::ready(Ok(()))
/// })
/// .await?;
/// assert_eq!(heard, [b"hello"]);
/// # Ok::<(), ControllerError>(())
/// # }).unwrap();
/// ```
///
/// In SwarmKit: `exec.LogPublisher` and `exec.LogPublisherFunc`.
pub trait LogPublisher: Send {
    /// Publishes one message. Returns when the next one can be published.
    ///
    /// # Errors
    ///
    /// The message cannot be delivered, and no message after it either.
    ///
    /// # Cancel safety
    ///
    /// Its future is dropped if the reader of the logs is dropped. The message may or may
    /// not have been delivered, and is not published again.
    fn publish(
        &mut self,
        message: LogMessage,
    ) -> impl Future<Output = Result<(), ControllerError>> + Send;
}

impl<F, Fut> LogPublisher for F
where
    F: FnMut(LogMessage) -> Fut + Send,
    Fut: Future<Output = Result<(), ControllerError>> + Send,
{
    fn publish(
        &mut self,
        message: LogMessage,
    ) -> impl Future<Output = Result<(), ControllerError>> + Send {
        self(message)
    }
}

/// Makes the publisher for a subscription.
///
/// In SwarmKit: `exec.LogPublisherProvider`.
pub trait LogPublisherProvider: Send + Sync {
    /// The type of the publishers. Dropping a publisher closes it: the subscriber then
    /// knows that no more messages follow.
    type Publisher: LogPublisher;

    /// Opens a publisher for the subscription with this id.
    ///
    /// # Errors
    ///
    /// There is no subscriber for this subscription.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the publisher is closed if it was opened. It can be called
    /// again.
    fn publisher(
        &self,
        subscription_id: &str,
    ) -> impl Future<Output = Result<Self::Publisher, ControllerError>> + Send;
}

/// A log message of a workload, usually one line.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LogMessage {
    /// The time of the message, if it is known.
    pub timestamp: Option<UtcDateTime>,
    /// The stream of the message.
    pub stream: LogStream,
    /// The bytes of the message, unchanged, with the newline if there was one.
    pub data: Vec<u8>,
    /// Extra information from the log driver.
    pub attributes: Vec<LogAttribute>,
}

impl LogMessage {
    /// A message on this stream, without a time and attributes.
    pub fn new(stream: LogStream, data: impl Into<Vec<u8>>) -> Self {
        Self { timestamp: None, stream, data: data.into(), attributes: Vec::new() }
    }

    /// A message on the standard output, without a time and attributes.
    pub fn stdout(data: impl Into<Vec<u8>>) -> Self {
        Self::new(LogStream::Stdout, data)
    }

    /// A message on the standard error, without a time and attributes.
    pub fn stderr(data: impl Into<Vec<u8>>) -> Self {
        Self::new(LogStream::Stderr, data)
    }

    /// Adds the time of the message.
    #[must_use]
    pub fn at(self, timestamp: UtcDateTime) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with_attribute(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.push(LogAttribute { key: key.into(), value: value.into() });
        self
    }
}

/// Extra information that a log driver adds to a message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LogAttribute {
    /// The name of the attribute.
    pub key: String,
    /// The value of the attribute.
    pub value: String,
}

/// The stream of a log message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LogStream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

/// The options of a subscription to logs: which messages a reader wants.
///
/// Default: all existing messages of all streams, and none that follow.
///
/// ```
/// use onward::exec::{LogStream, LogSubscriptionOptions, LogTail};
///
/// // The last ten messages on the standard error, and all that follow.
/// let options = LogSubscriptionOptions::follow().with_stream(LogStream::Stderr).with_tail(10);
/// assert_eq!(options.tail, LogTail::Last(10));
/// ```
///
/// In SwarmKit: `api.LogSubscriptionOptions`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct LogSubscriptionOptions {
    /// The streams to read. Empty means all.
    pub streams: Vec<LogStream>,
    /// Whether to wait for messages that do not exist yet. Default: false.
    pub follow: bool,
    /// How many of the existing messages to skip or to read. Only messages that match
    /// `streams` and `since` count.
    pub tail: LogTail,
    /// Skip messages before this time. Default: `None`, which skips nothing.
    pub since: Option<UtcDateTime>,
}

impl LogSubscriptionOptions {
    /// All existing messages, and all that follow.
    pub fn follow() -> Self {
        Self { follow: true, ..Self::default() }
    }

    /// Adds a stream to read.
    #[must_use]
    pub fn with_stream(mut self, stream: LogStream) -> Self {
        self.streams.push(stream);
        self
    }

    /// Reads only the last `messages` existing messages.
    #[must_use]
    pub fn with_tail(self, messages: u64) -> Self {
        Self { tail: LogTail::Last(messages), ..self }
    }

    /// Skips the first `messages` existing messages.
    #[must_use]
    pub fn with_skip(self, messages: u64) -> Self {
        Self { tail: LogTail::Skip(messages), ..self }
    }

    /// Skips messages before `time`.
    #[must_use]
    pub fn with_since(self, time: UtcDateTime) -> Self {
        Self { since: Some(time), ..self }
    }

    /// Whether a message matches `streams` and `since`.
    ///
    /// A message without a time matches every value of `since`.
    pub fn accepts(&self, message: &LogMessage) -> bool {
        let recent = match (self.since, message.timestamp) {
            (Some(since), Some(timestamp)) => timestamp >= since,
            (None, _) | (_, None) => true,
        };
        recent && self.wants(message.stream)
    }

    /// Whether the options include this stream.
    pub fn wants(&self, stream: LogStream) -> bool {
        self.streams.is_empty() || self.streams.contains(&stream)
    }
}

/// How many of the existing messages to read.
///
/// On SwarmKit's wire this is one number:
///
/// | Number | Meaning |
/// |---|---|
/// | 0 | [`All`](Self::All) |
/// | n > 0 | [`Skip(n)`](Self::Skip) |
/// | n < 0 | [`Last(-n - 1)`](Self::Last) |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum LogTail {
    /// All messages.
    #[default]
    All,
    /// Only the last n messages.
    Last(u64),
    /// All except the first n messages.
    Skip(u64),
}

impl LogTail {
    /// The range of indexes to read, for a list of `messages` messages.
    pub fn of(self, messages: usize) -> Range<usize> {
        let at_most = |n| usize::try_from(n).unwrap_or(usize::MAX).min(messages);
        match self {
            Self::All => 0..messages,
            Self::Last(n) => messages.saturating_sub(at_most(n))..messages,
            Self::Skip(n) => at_most(n)..messages,
        }
    }
}

/// A handle on the logs of a controller, to read them while operations run.
///
/// Clones read the same logs.
#[derive(Clone)]
pub struct SharedLogs(Arc<dyn ErasedLogs>);

impl SharedLogs {
    /// A handle on the given logs.
    pub fn new(logs: impl ControllerLogs) -> Self {
        Self(Arc::new(logs))
    }

    /// Publishes the logs; see [`ControllerLogs::logs`].
    ///
    /// # Errors
    ///
    /// The logs cannot be read, or the publisher's own error.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, it stops publishing. Nothing else changes.
    pub async fn logs<P: LogPublisher>(
        &self,
        mut publisher: P,
        options: LogSubscriptionOptions,
    ) -> Result<(), ControllerError> {
        self.0.logs(ErasedPublisher(&mut publisher), options).await
    }
}

impl fmt::Debug for SharedLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedLogs").finish_non_exhaustive()
    }
}

/// [`ControllerLogs`] with boxed futures and publishers.
trait ErasedLogs: Send + Sync {
    fn logs<'a>(
        &'a self,
        publisher: ErasedPublisher<'a>,
        options: LogSubscriptionOptions,
    ) -> BoxFuture<'a, Result<(), ControllerError>>;
}

impl<L: ControllerLogs> ErasedLogs for L {
    fn logs<'a>(
        &'a self,
        publisher: ErasedPublisher<'a>,
        options: LogSubscriptionOptions,
    ) -> BoxFuture<'a, Result<(), ControllerError>> {
        ControllerLogs::logs(self, publisher, options).boxed()
    }
}

/// A publisher behind a reference.
struct ErasedPublisher<'a>(&'a mut dyn Publish);

trait Publish: Send {
    fn publish(&mut self, message: LogMessage) -> BoxFuture<'_, Result<(), ControllerError>>;
}

impl<P: LogPublisher> Publish for P {
    fn publish(&mut self, message: LogMessage) -> BoxFuture<'_, Result<(), ControllerError>> {
        Box::pin(LogPublisher::publish(self, message))
    }
}

impl LogPublisher for ErasedPublisher<'_> {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        self.0.publish(message).await
    }
}
