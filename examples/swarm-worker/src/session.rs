//! One session with one manager: the node is up as long as it lasts.
//!
//! Its parts run side by side. The first one that ends, ends the session:
//!
//! | module | part |
//! |---|---|
//! | `registration` | opens the session |
//! | `heartbeat` | tells the manager that the node is up |
//! | `messages` | reads what the manager says about the node and the swarm |
//! | `assigning` | reads the assignments |
//! | `reporting` | sends the statuses of the tasks |
//! | `logs` | answers subscriptions to logs |

mod assigning;
mod end;
mod heartbeat;
mod logs;
mod messages;
mod node;
mod registration;
mod reporting;

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::connection::Connection;
pub use end::End;
pub use node::Node;
use registration::Registration;

/// Opens a session, and runs it until it is lost or the node is removed. `opening` is called before
/// the session is opened, and `opened` when the manager has accepted it.
///
/// # Cancel safety
///
/// If you drop the future, the session ends. The manager sees that when heartbeats are missing.
pub async fn run(
    connection: &Connection,
    node: &Node,
    opening: impl FnOnce(),
    opened: impl FnOnce(),
) -> End {
    let description = match node.describe().await {
        Ok(description) => description,
        Err(error) => return End::Lost(format!("cannot describe this node: {error:#}")),
    };
    opening();
    let registered = Registration::open(connection.dispatcher(), description, String::new()).await;
    let registration = match registered {
        Ok(registration) => registration,
        Err(end) => return end,
    };
    opened();
    let id = registration.id.clone();
    let dispatcher = || connection.dispatcher();
    let soon = Arc::new(Notify::new());
    // Each part has a Tokio task of its own, so that a slow one does not delay heartbeats.
    let mut parts = JoinSet::new();
    parts.spawn(heartbeat::beat(dispatcher(), id.clone(), Arc::clone(&soon)));
    parts.spawn(messages::read(dispatcher(), registration, node.clone()));
    parts.spawn(assigning::read(dispatcher(), id.clone(), node.clone(), soon));
    parts.spawn(reporting::report(dispatcher(), id, node.clone()));
    parts.spawn(logs::serve(connection.log_broker(), node.clone()));
    match parts.join_next().await {
        Some(Ok(end)) => end,
        Some(Err(error)) => End::Lost(format!("a part of the session failed: {error}")),
        None => End::Lost("the session has no parts".to_owned()),
    }
}
