//! Reads the subscriptions to logs, and answers them.

use std::collections::BTreeMap;
use std::time::Duration;

use onward::agent::policy::Backoff;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use super::end::End;
use super::node::Node;
use crate::subscriptions::publish;
use crate::wire::log_broker_client::LogBrokerClient;
use crate::wire::{ListenSubscriptionsRequest, SubscriptionMessage};

/// The longest delay between attempts to listen.
const LONGEST: Duration = Duration::from_secs(8);

/// The delays between attempts to listen.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), LONGEST);

/// Answers subscriptions until the node is removed from the swarm. If the manager stops to send
/// them, it listens again: a session does not end for that.
pub(super) async fn serve(mut client: LogBrokerClient<Channel>, node: Node) -> End {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        match client.listen_subscriptions(ListenSubscriptionsRequest {}).await {
            Ok(subscriptions) => answer(subscriptions.into_inner(), &client, &node).await,
            // An old manager has no logs.
            Err(status) if status.code() == Code::Unimplemented => std::future::pending().await,
            Err(status) => match End::of("ListenSubscriptions", &status) {
                End::Removed => return End::Removed,
                End::Lost(reason) => tracing::debug!(reason, "cannot listen for subscriptions"),
            },
        }
        if began.elapsed() > LONGEST {
            failures = 0;
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
                        let node_id = node.credentials.identity().node_id().to_owned();
                        let answer = publish(client.clone(), node_id, node.tasks.clone(), message);
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
