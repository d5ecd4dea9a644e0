//! Reads the assignments of the node, and applies them.

use std::sync::Arc;
use std::time::Duration;

use onward::agent::AssignError;
use onward::agent::policy::Backoff;
use tokio::sync::Notify;
use tokio::time::sleep;
use tonic::transport::Channel;

use super::end::{End, answer, in_time};
use super::node::Node;
use crate::assignments::{Assignments, Changes, apply};
use crate::wire::AssignmentsRequest;
use crate::wire::dispatcher_client::DispatcherClient;

/// The delays between attempts to store a message.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Reads the assignments until the session is lost. Notifies `soon` if the node has no tasks any
/// more: perhaps it was removed from the swarm, and the next heartbeat tells.
pub(super) async fn read(
    mut client: DispatcherClient<Channel>,
    session_id: String,
    node: Node,
    soon: Arc<Notify>,
) -> End {
    const CALL: &str = "Assignments";
    loop {
        let request = AssignmentsRequest { session_id: session_id.clone() };
        let mut messages = match answer(CALL, client.assignments(request)).await {
            Ok(messages) => messages,
            Err(end) => return end,
        };
        let mut assignments = Assignments::new();
        let mut is_first = true;
        loop {
            let message = if is_first {
                match in_time(CALL, messages.message()).await {
                    Ok(message) => message,
                    Err(end) => return end,
                }
            } else {
                messages.message().await
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => return End::Lost(format!("{CALL}: the manager closed it")),
                Err(status) => return End::of(CALL, &status),
            };
            let changes = match assignments.read(message) {
                Ok(changes) => changes,
                Err(gap) if is_first => return End::Lost(format!("{CALL}: {gap}")),
                Err(gap) => {
                    tracing::warn!(error = %gap, "assignments are read again");
                    break;
                }
            };
            is_first = false;
            if let Err(end) = store(&changes, &node).await {
                return end;
            }
            if node.tasks.tasks().iter().all(|task| task.record.removing) {
                soon.notify_one();
            }
        }
    }
}

/// Applies the changes. Tries again if they cannot be stored, because later messages build on them.
async fn store(changes: &Changes, node: &Node) -> Result<(), End> {
    let mut retries = 0;
    loop {
        match apply(changes, &node.tasks, &node.dependencies).await {
            Ok(refused) => {
                for task in refused {
                    tracing::info!(error = %task, "assignment refused");
                }
                return Ok(());
            }
            Err(AssignError::Closed) => {
                return Err(End::Lost("the worker is ending".to_owned()));
            }
            Err(error) => {
                tracing::warn!(%error, "assignments were not stored, trying again");
                sleep(BACKOFF.delay(retries, 1.0)).await;
                retries = retries.saturating_add(1);
            }
        }
    }
}
