//! Publishes log messages to the manager.

use std::time::Duration;

use futures::stream::{self, Stream, StreamExt as _};
use onward::exec::{ControllerError, LogMessage, LogPublisher, LogPublisherProvider, LogStream};
use prost::Message as _;
use time::UtcDateTime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tonic::transport::Channel;

use crate::status::timestamp;
use crate::wire;
use crate::wire::log_broker_client::LogBrokerClient;

/// The most lines that wait for the manager.
const QUEUED: usize = 256;

/// The most lines in one message.
const LINES: usize = 64;

/// A message with as many bytes gets no more lines. A manager takes messages of up to 4 MiB.
const BYTES: usize = 1 << 20;

/// How long a manager may take to read the rest of a subscription that has been given up.
const REST: Duration = Duration::from_secs(5);

/// Publishes logs to a manager, for its subscriptions.
#[derive(Debug, Clone)]
pub struct LogBroker {
    client: LogBrokerClient<Channel>,
    node_id: String,
}

impl LogBroker {
    /// Publishes as this node.
    pub fn new(client: LogBrokerClient<Channel>, node_id: String) -> Self {
        Self { client, node_id }
    }
}

/// Publishes to one subscription. When it and the publishers of all tasks are dropped, the manager
/// gets the end of the subscription, if it reads the rest within 5 s.
#[derive(Debug)]
pub struct Publisher {
    context: wire::LogContext,
    lines: mpsc::Sender<wire::LogMessage>,
    /// `None` for the publisher of one task.
    call: Option<Call>,
}

/// The call that sends the lines.
#[derive(Debug)]
struct Call {
    ended: JoinHandle<()>,
    /// The call gets little time when this is dropped.
    wanted: oneshot::Sender<()>,
}

impl Publisher {
    /// Makes a publisher for the messages of one task.
    #[must_use]
    pub fn of_task(&self, task_id: &str, service_id: &str) -> Self {
        let context = wire::LogContext {
            service_id: service_id.to_owned(),
            node_id: self.context.node_id.clone(),
            task_id: task_id.to_owned(),
        };
        Self { context, lines: self.lines.clone(), call: None }
    }

    /// Waits until the manager has ended the subscription.
    pub async fn closed(&self) {
        self.lines.closed().await;
    }

    /// Sends the end of the subscription, and waits until everything is sent. All publishers of
    /// tasks must be dropped before.
    pub async fn finish(self) {
        let Self { lines, call, .. } = self;
        drop(lines);
        if let Some(Call { ended, wanted }) = call {
            _ = ended.await;
            drop(wanted);
        }
    }
}

impl LogPublisherProvider for LogBroker {
    type Publisher = Publisher;

    async fn publisher(&self, subscription_id: &str) -> Result<Publisher, ControllerError> {
        let (lines, queue) = mpsc::channel(QUEUED);
        let mut client = self.client.clone();
        let messages = messages(subscription_id.to_owned(), queue);
        let (wanted, given_up) = oneshot::channel::<()>();
        let too_late = async {
            _ = given_up.await;
            sleep(REST).await;
        };
        let ended = tokio::spawn(async move {
            tokio::select! {
                sent = client.publish_logs(messages) => if let Err(status) = sent {
                    tracing::debug!(%status, "the manager has ended a subscription");
                },
                () = too_late => tracing::debug!("the manager does not read a subscription"),
            }
        });
        let node_id = self.node_id.clone();
        let context = wire::LogContext { node_id, ..wire::LogContext::default() };
        Ok(Publisher { context, lines, call: Some(Call { ended, wanted }) })
    }
}

impl LogPublisher for Publisher {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        let LogMessage { timestamp: time, stream, data, attributes, .. } = message;
        // A manager shows an error in place of a line without a time.
        let time = timestamp(time.unwrap_or_else(UtcDateTime::now));
        let stream = match stream {
            LogStream::Stdout => wire::LogStream::Stdout,
            LogStream::Stderr => wire::LogStream::Stderr,
        };
        let attrs: Vec<_> = attributes
            .into_iter()
            .map(|attribute| wire::LogAttr { key: attribute.key, value: attribute.value })
            .collect();
        // A client prints the name of the task before each message, so each line is one.
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            let line = wire::LogMessage {
                context: Some(self.context.clone()),
                timestamp: Some(time),
                stream: stream.into(),
                data: line.to_vec(),
                attrs: attrs.clone(),
            };
            let gone = |_| ControllerError::new("the subscriber is gone");
            self.lines.send(line).await.map_err(gone)?;
        }
        Ok(())
    }
}

/// Returns the messages of a subscription: its lines, and then its end.
fn messages(
    subscription_id: String,
    queue: mpsc::Receiver<wire::LogMessage>,
) -> impl Stream<Item = wire::PublishLogsMessage> {
    stream::unfold(Some((queue, subscription_id)), |state| async {
        let (mut queue, subscription_id) = state?;
        let (mut messages, mut bytes) = (Vec::new(), 0);
        let mut next = queue.recv().await;
        let close = next.is_none();
        while let Some(line) = next {
            bytes += line.encoded_len();
            messages.push(line);
            let is_full = messages.len() >= LINES || bytes >= BYTES;
            next = if is_full { None } else { queue.try_recv().ok() };
        }
        let message =
            wire::PublishLogsMessage { subscription_id: subscription_id.clone(), messages, close };
        Some((message, (!close).then_some((queue, subscription_id))))
    })
    .fuse()
}
