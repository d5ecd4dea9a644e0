//! Reads the messages of a session, and tells the manager when the node has changed.

use std::time::Duration;

use tokio::time::sleep;
use tonic::transport::Channel;

use super::end::End;
use super::node::Node;
use super::registration::Registration;
use crate::wire::dispatcher_client::DispatcherClient;
use crate::wire::node_spec::Availability;
use crate::wire::{NodeDescription, SessionMessage};

/// Time between two looks at whether the description of the node has changed.
const LOOK: Duration = Duration::from_secs(20);

/// Reads the messages of a session until it is lost. If the description of the node changes, or its
/// certificate in a way that the manager must know, it continues the session with that.
pub(super) async fn read(
    client: DispatcherClient<Channel>,
    mut registration: Registration,
    node: Node,
) -> End {
    let mut changes = node.credentials.changes();
    let mut described = registration.description.clone();
    let mut looking = Box::pin(look(&node));
    take(&node, &registration.first).await;
    loop {
        described.tls_info = Some(changes.borrow_and_update().tls_info());
        if registration.description != described {
            let (new, id) = (described.clone(), registration.id.clone());
            registration = match Registration::open(client.clone(), new, id.clone()).await {
                Ok(new) if new.id == id => new,
                Ok(_) => {
                    return End::Lost("Session: the manager has opened another one".to_owned());
                }
                Err(end) => return end,
            };
            take(&node, &registration.first).await;
            continue;
        }
        tokio::select! {
            message = registration.messages.message() => match message {
                Ok(Some(message)) => take(&node, &message).await,
                Ok(None) => return End::Lost("Session: the manager closed it".to_owned()),
                Err(status) => return End::of("Session", &status),
            },
            changed = changes.changed() => if changed.is_err() {
                return End::Lost("the credentials are gone".to_owned());
            },
            new = &mut looking => {
                described = new;
                looking.set(look(&node));
            }
        }
    }
}

/// Describes the node after a while. An engine that does not answer is asked again.
async fn look(node: &Node) -> NodeDescription {
    loop {
        sleep(LOOK).await;
        match node.describe().await {
            Ok(description) => return description,
            Err(error) => tracing::debug!("cannot describe this node: {error:#}"),
        }
    }
}

async fn take(node: &Node, message: &SessionMessage) {
    // First, because the session may end while the identity is written.
    node.managers().update(&message.managers);
    node.credentials.observe(message).await;
    let spec = message.node.as_ref().and_then(|node| node.spec.as_ref());
    let notice = match spec.and_then(|spec| Availability::try_from(spec.availability).ok()) {
        Some(Availability::Drain) => Some("this node is drained: it gets no tasks"),
        Some(Availability::Pause) => Some("this node is paused: it gets no new tasks"),
        Some(Availability::Active) | None => None,
    };
    node.board.notice("availability", notice.map(str::to_owned));
}
