//! What a workload says, and how it is read while the workload runs.

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

/// Makes a workload's logs accessible.
///
/// It is a thing of its own, shared and separate from the
/// [`Controller`](super::Controller): logs are read while `wait` is in flight,
/// and that has the controller for itself. A controller hands it out as
/// [`SharedLogs`].
///
/// ```
/// use onward::exec::{
///     ControllerError, ControllerLogs, LogMessage, LogPublisher, LogSubscriptionOptions,
/// };
///
/// /// What a workload has said, that has ended.
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
    /// Publishes what the workload has said and, if the options say *follow*,
    /// what it goes on to say.
    ///
    /// It returns when there is no more: at once without *follow*, else when
    /// the workload has ended and all it said is published.
    ///
    /// # Errors
    ///
    /// The logs cannot be read, or the publisher's own error.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it stops publishing; a message that was being published may
    /// have gone out or not. Nothing else is affected.
    fn logs<P: LogPublisher>(
        &self,
        publisher: P,
        options: LogSubscriptionOptions,
    ) -> impl Future<Output = Result<(), ControllerError>> + Send;
}

/// Takes log messages, one after the other.
///
/// A closure is a publisher. Its argument needs a type. An `async` closure is a
/// publisher if it captures nothing, or only reads through references.
///
/// An `async` closure that owns a captured value is not a publisher, even if it only
/// reads the value. One that changes a captured value is not a publisher either. The
/// compiler reports "async closure does not implement `FnMut` because it captures
/// state from its environment". Write an ordinary closure that returns a future. The
/// future gets its own clone of the value, or it is ready at once:
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
    /// Publishes one message; ready when the next may come.
    ///
    /// # Errors
    ///
    /// The message cannot be delivered, nor can any after it.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the message is delivered or not, and it is not published again.
    /// That happens if the reader of the logs is dropped.
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
    /// The type of the publishers. Dropping a publisher closes it: the subscriber
    /// learns that no more messages will come.
    type Publisher: LogPublisher;

    /// Opens a publisher for the subscription of this id.
    ///
    /// # Errors
    ///
    /// No subscriber takes logs for this subscription.
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

/// One message of a workload: usually a line.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct LogMessage {
    /// When it was said, where that is known.
    pub timestamp: Option<UtcDateTime>,
    /// Where it was said.
    pub stream: LogStream,
    /// What was said, as it came: any bytes, with the newline if there was one.
    pub data: Vec<u8>,
    /// What the log's driver adds to it.
    pub attributes: Vec<LogAttribute>,
}

impl LogMessage {
    /// A message on a stream.
    pub fn new(stream: LogStream, data: impl Into<Vec<u8>>) -> Self {
        Self { timestamp: None, stream, data: data.into(), attributes: Vec::new() }
    }

    /// A message on the standard output.
    pub fn stdout(data: impl Into<Vec<u8>>) -> Self {
        Self::new(LogStream::Stdout, data)
    }

    /// A message on the standard error.
    pub fn stderr(data: impl Into<Vec<u8>>) -> Self {
        Self::new(LogStream::Stderr, data)
    }

    /// Adds when it was said.
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

/// Something that a log's driver adds to a message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LogAttribute {
    /// What it is.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Where a message was said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LogStream {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

/// What a reader of logs wants.
///
/// The default is everything that there is, and nothing that is still to come.
///
/// ```
/// use onward::exec::{LogStream, LogSubscriptionOptions, LogTail};
///
/// // The last ten errors, and all that come.
/// let options = LogSubscriptionOptions::follow().with_stream(LogStream::Stderr).with_tail(10);
/// assert_eq!(options.tail, LogTail::Last(10));
/// ```
///
/// In SwarmKit: `api.LogSubscriptionOptions`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct LogSubscriptionOptions {
    /// The streams; none means all.
    pub streams: Vec<LogStream>,
    /// Whether to go on with what is still to come.
    pub follow: bool,
    /// How much to begin with of what there is, counted among what is wanted by
    /// its stream and its time.
    pub tail: LogTail,
    /// Leave out what was said before this time.
    pub since: Option<UtcDateTime>,
}

impl LogSubscriptionOptions {
    /// Everything that there is and that is still to come.
    pub fn follow() -> Self {
        Self { follow: true, ..Self::default() }
    }

    /// Adds a stream to those that are wanted.
    #[must_use]
    pub fn with_stream(mut self, stream: LogStream) -> Self {
        self.streams.push(stream);
        self
    }

    /// With the last `messages` only of what there is.
    #[must_use]
    pub fn with_tail(self, messages: u64) -> Self {
        Self { tail: LogTail::Last(messages), ..self }
    }

    /// Without the first `messages` of what there is.
    #[must_use]
    pub fn with_skip(self, messages: u64) -> Self {
        Self { tail: LogTail::Skip(messages), ..self }
    }

    /// Without what was said before `time`.
    #[must_use]
    pub fn with_since(self, time: UtcDateTime) -> Self {
        Self { since: Some(time), ..self }
    }

    /// Whether a message is wanted, by its stream and its time.
    ///
    /// A message without a time is wanted for each value of `since`.
    pub fn accepts(&self, message: &LogMessage) -> bool {
        let recent = match (self.since, message.timestamp) {
            (Some(since), Some(timestamp)) => timestamp >= since,
            (None, _) | (_, None) => true,
        };
        recent && self.wants(message.stream)
    }

    /// Whether messages on this stream are wanted.
    pub fn wants(&self, stream: LogStream) -> bool {
        self.streams.is_empty() || self.streams.contains(&stream)
    }
}

/// How much to begin with of the messages that there are.
///
/// On SwarmKit's wire this is one number: 0 is [`All`](Self::All), n above it
/// [`Skip(n)`](Self::Skip), and n below it [`Last(-n - 1)`](Self::Last).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum LogTail {
    /// All of them.
    #[default]
    All,
    /// The last so many of them.
    Last(u64),
    /// All but the first so many of them.
    Skip(u64),
}

impl LogTail {
    /// Which of so many messages to begin with.
    pub fn of(self, messages: usize) -> Range<usize> {
        let at_most = |n| usize::try_from(n).unwrap_or(usize::MAX).min(messages);
        match self {
            Self::All => 0..messages,
            Self::Last(n) => messages.saturating_sub(at_most(n))..messages,
            Self::Skip(n) => at_most(n)..messages,
        }
    }
}

/// A handle on the logs of a controller, to keep, clone and read from beside
/// the controller's operations.
#[derive(Clone)]
pub struct SharedLogs(Arc<dyn ErasedLogs>);

impl SharedLogs {
    /// A handle on these logs.
    pub fn new(logs: impl ControllerLogs) -> Self {
        Self(Arc::new(logs))
    }

    /// See [`ControllerLogs::logs`].
    ///
    /// # Errors
    ///
    /// The logs cannot be read, or the publisher's own error.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it stops publishing. Nothing else is affected.
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

/// [`ControllerLogs`] with its futures and publishers in boxes.
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
