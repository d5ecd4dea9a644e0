//! Sends the logs of tasks to the manager, for `docker service logs`.

mod broker;
mod options;

use std::collections::BTreeMap;
use std::time::Duration;

use onward::agent::policy::Backoff;
use onward::exec::{LogMessage, LogPublisher as _, LogPublisherProvider as _};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::session::{End, Node};
use crate::wire::log_broker_client::LogBrokerClient;
use crate::wire::{ListenSubscriptionsRequest, SubscriptionMessage};
pub use broker::{LogBroker, Publisher};
pub use options::{options, selector};

/// The delays between attempts to listen.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(8));

/// Answers subscriptions until the node is removed from the swarm. If the manager stops to send
/// them, it listens again: a session does not end for that.
pub(crate) async fn serve(mut client: LogBrokerClient<Channel>, node: Node) -> End {
    let mut failures = 0;
    loop {
        match client.listen_subscriptions(ListenSubscriptionsRequest {}).await {
            Ok(subscriptions) => {
                failures = 0;
                answer(subscriptions.into_inner(), &client, &node).await;
            }
            // An old manager has no logs.
            Err(status) if status.code() == Code::Unimplemented => std::future::pending().await,
            Err(status) => match End::of("ListenSubscriptions", &status) {
                End::Removed => return End::Removed,
                End::Lost(reason) => tracing::debug!(reason, "cannot listen for subscriptions"),
            },
        }
        sleep(BACKOFF.delay(failures, 1.0)).await;
        failures = failures.saturating_add(1);
    }
}

/// Answers the subscriptions of one stream. Those that are open when it ends are given up: the
/// manager cannot close them any more.
async fn answer(
    mut subscriptions: Streaming<SubscriptionMessage>,
    client: &LogBrokerClient<Channel>,
    node: &Node,
) {
    let mut publishing = JoinSet::new();
    let mut open: BTreeMap<String, AbortHandle> = BTreeMap::new();
    loop {
        tokio::select! {
            message = subscriptions.message() => match message {
                Ok(Some(message)) => {
                    if let Some(before) = open.remove(&message.id) {
                        before.abort();
                    }
                    if !message.close {
                        let id = message.id.clone();
                        let answer = publish(client.clone(), node.clone(), message);
                        open.insert(id, publishing.spawn(answer));
                    }
                }
                Ok(None) => return,
                Err(status) => {
                    tracing::debug!(%status, "subscriptions have ended");
                    return;
                }
            },
            Some(_) = publishing.join_next() => open.retain(|_, task| !task.is_finished()),
        }
    }
}

/// Sends the logs of one subscription, and then its end. A manager waits for the end, even of a node
/// that has nothing to send.
async fn publish(client: LogBrokerClient<Channel>, node: Node, message: SubscriptionMessage) {
    let SubscriptionMessage { id, selector: selected, options: wanted, .. } = message;
    let node_id = node.credentials.identity().node_id().to_owned();
    let selector = selector(&selected.unwrap_or_default(), &node_id);
    let options = options(&wanted.unwrap_or_default());
    let broker = LogBroker::new(client, node_id);
    let publisher = match broker.publisher(&id).await {
        Ok(publisher) => publisher,
        Err(error) => return tracing::warn!("cannot answer the subscription {id}: {error:#}"),
    };
    let of_task = |task: &str| {
        let view = node.tasks.task(task);
        let service = view.and_then(|view| view.record.assignment.service_id.clone());
        publisher.of_task(task, service.as_deref().unwrap_or_default())
    };
    let failed = tokio::select! {
        failed = node.tasks.logs(&selector, &options, of_task) => failed,
        () = publisher.closed() => return,
    };
    for (task, error) in failed {
        tracing::warn!(task.id = task, "cannot read the log of the task to its end: {error:#}");
        let line = format!("the log of this task cannot be read to its end: {error:#}\n");
        // If the subscriber is gone, nobody reads it.
        _ = of_task(&task).publish(LogMessage::stderr(line)).await;
    }
    publisher.finish().await;
}
