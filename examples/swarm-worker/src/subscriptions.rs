//! Sends the logs of tasks to the manager, for `docker service logs`.

mod broker;
mod options;

use agent_kit::tasks::Tasks;
use onward::exec::{LogMessage, LogPublisher as _, LogPublisherProvider as _};
use tonic::transport::Channel;

use crate::task::SwarmTask;
use crate::wire::SubscriptionMessage;
use crate::wire::log_broker_client::LogBrokerClient;
pub use broker::{LogBroker, Publisher};
pub use options::{options, selector};

/// Sends the logs of one subscription, and then its end. A manager waits for the end, even of a node
/// that has nothing to send.
///
/// # Cancel safety
///
/// If you drop the future, the manager gets the end of the subscription.
pub async fn publish(
    client: LogBrokerClient<Channel>,
    node_id: String,
    tasks: Tasks<SwarmTask>,
    message: SubscriptionMessage,
) {
    let SubscriptionMessage { id, selector: selected, options: wanted, .. } = message;
    let selector = selector(&selected.unwrap_or_default(), &node_id);
    let options = options(&wanted.unwrap_or_default());
    let broker = LogBroker::new(client, node_id);
    let publisher = match broker.publisher(&id).await {
        Ok(publisher) => publisher,
        Err(error) => return tracing::warn!("cannot answer the subscription {id}: {error:#}"),
    };
    let of_task = |task: &str| {
        let view = tasks.task(task);
        let service = view.and_then(|view| view.record.assignment.service_id.clone());
        publisher.of_task(task, service.as_deref().unwrap_or_default())
    };
    let failed = tokio::select! {
        failed = tasks.logs(&selector, &options, of_task) => failed,
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
