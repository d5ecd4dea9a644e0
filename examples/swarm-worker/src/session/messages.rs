//! Reads what the manager says about the node and the swarm.

use tonic::transport::Channel;

use super::end::End;
use super::node::Node;
use super::registration::Registration;
use crate::wire::SessionMessage;
use crate::wire::dispatcher_client::DispatcherClient;
use crate::wire::node_spec::Availability;

/// Reads the messages of a session until it is lost. If the certificate changes in a way that the
/// manager must know, it continues the session with a new description.
pub(super) async fn read(
    client: DispatcherClient<Channel>,
    mut registration: Registration,
    node: Node,
) -> End {
    let mut changes = node.credentials.changes();
    take(&node, &registration.first).await;
    loop {
        let tls_info = changes.borrow_and_update().tls_info();
        if registration.tls_info() != Some(&tls_info) {
            let mut description = registration.description.clone();
            description.tls_info = Some(tls_info);
            let id = registration.id.clone();
            registration = match Registration::open(client.clone(), description, id.clone()).await {
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
