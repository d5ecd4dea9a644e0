//! Publishes log messages to the manager.

use futures::stream::{self, Stream, StreamExt as _};
use onward::exec::{ControllerError, LogMessage, LogPublisher, LogPublisherProvider, LogStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::transport::Channel;

use crate::status::timestamp;
use crate::wire;
use crate::wire::log_broker_client::LogBrokerClient;

/// The most lines that wait for the manager.
const QUEUED: usize = 256;

/// The most lines in one message.
const LINES: usize = 64;

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
/// gets the end of the subscription.
#[derive(Debug)]
pub struct Publisher {
    context: wire::LogContext,
    lines: mpsc::Sender<wire::LogMessage>,
    /// The call that sends the lines. `None` for the publisher of one task.
    call: Option<JoinHandle<()>>,
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
        if let Some(call) = call {
            _ = call.await;
        }
    }
}

impl LogPublisherProvider for LogBroker {
    type Publisher = Publisher;

    async fn publisher(&self, subscription_id: &str) -> Result<Publisher, ControllerError> {
        let (lines, queue) = mpsc::channel(QUEUED);
        let mut client = self.client.clone();
        let messages = messages(subscription_id.to_owned(), queue);
        let call = tokio::spawn(async move {
            if let Err(status) = client.publish_logs(messages).await {
                tracing::debug!(%status, "the manager has ended a subscription");
            }
        });
        let node_id = self.node_id.clone();
        let context = wire::LogContext { node_id, ..wire::LogContext::default() };
        Ok(Publisher { context, lines, call: Some(call) })
    }
}

impl LogPublisher for Publisher {
    async fn publish(&mut self, message: LogMessage) -> Result<(), ControllerError> {
        let LogMessage { timestamp: time, stream, data, attributes, .. } = message;
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
                timestamp: time.map(timestamp),
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
        let mut messages = Vec::new();
        let close = queue.recv_many(&mut messages, LINES).await == 0;
        let message =
            wire::PublishLogsMessage { subscription_id: subscription_id.clone(), messages, close };
        Some((message, (!close).then_some((queue, subscription_id))))
    })
    .fuse()
}
