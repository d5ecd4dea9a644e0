//! The log broker's part of a fake manager.

use std::future::pending;

use swarm_worker::wire::{
    ListenSubscriptionsRequest, LogMessage, PublishLogsMessage, PublishLogsResponse,
    SubscriptionMessage, log_broker_server,
};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::dispatcher::{Calls, Messages, StreamCall, stream_call};

/// The log broker's part, as the test sees it.
pub(crate) struct Logs {
    pub(crate) listeners: Calls<StreamCall<ListenSubscriptionsRequest, SubscriptionMessage>>,
    /// Each message of each subscription.
    pub(crate) published: Calls<PublishLogsMessage>,
    /// Each end of a subscription [`UNREAD`].
    pub(crate) given_up: Calls<()>,
}

/// The id of a subscription whose messages the manager does not read.
pub(crate) const UNREAD: &str = "unread";

impl Logs {
    /// The log broker and its service.
    pub(crate) fn new() -> (Self, LogService) {
        let (listener, listeners) = Calls::new("ListenSubscriptions");
        let (publish, published) = Calls::new("PublishLogs");
        let (give_up, given_up) = Calls::new("end of a subscription");
        (Self { listeners, published, given_up }, LogService { listener, publish, give_up })
    }

    /// Waits for the end of a subscription. Returns its lines.
    pub(crate) async fn until_close(&mut self, subscription: &str) -> Vec<LogMessage> {
        let mut lines = Vec::new();
        loop {
            let message = self.published.next().await;
            assert_eq!(message.subscription_id, subscription);
            lines.extend(message.messages);
            if message.close {
                return lines;
            }
        }
    }
}

/// The service of [`Logs`].
pub(crate) struct LogService {
    listener: mpsc::UnboundedSender<StreamCall<ListenSubscriptionsRequest, SubscriptionMessage>>,
    publish: mpsc::UnboundedSender<PublishLogsMessage>,
    give_up: mpsc::UnboundedSender<()>,
}

/// Tells the test when it is dropped.
struct GivenUp(mpsc::UnboundedSender<()>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tonic::async_trait]
impl log_broker_server::LogBroker for LogService {
    type ListenSubscriptionsStream = Messages<SubscriptionMessage>;

    async fn listen_subscriptions(
        &self,
        request: Request<ListenSubscriptionsRequest>,
    ) -> Result<Response<Self::ListenSubscriptionsStream>, Status> {
        Ok(stream_call(&self.listener, request.into_inner()))
    }

    async fn publish_logs(
        &self,
        request: Request<Streaming<PublishLogsMessage>>,
    ) -> Result<Response<PublishLogsResponse>, Status> {
        let mut messages = request.into_inner();
        while let Some(message) = messages.message().await? {
            if message.subscription_id == "unknown" {
                return Err(Status::not_found("unknown subscription ID"));
            }
            if message.subscription_id == UNREAD {
                let _given_up = GivenUp(self.give_up.clone());
                pending::<()>().await;
            }
            let _ = self.publish.send(message);
        }
        Ok(Response::new(PublishLogsResponse {}))
    }
}
