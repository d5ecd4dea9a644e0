//! Reads the assignments of the node, and applies them.

use std::sync::Arc;
use std::time::Duration;

use onward::agent::AssignError;
use onward::agent::policy::Backoff;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tonic::transport::Channel;

use super::end::{End, answer, in_time};
use super::node::Node;
use crate::assignments::{Assignments, Changes, Gap, apply};
use crate::wire::AssignmentsRequest;
use crate::wire::dispatcher_client::DispatcherClient;

/// The longest delay between two attempts.
const LONGEST: Duration = Duration::from_secs(5);

/// The delays between attempts to store a message, and between streams.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), LONGEST);

const CALL: &str = "Assignments";

/// Reads the assignments until the session is lost. Notifies `soon` if the node has no tasks any
/// more: perhaps it was removed from the swarm, and the next heartbeat tells.
pub(super) async fn read(
    mut client: DispatcherClient<Channel>,
    session_id: String,
    node: Node,
    soon: Arc<Notify>,
) -> End {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let request = AssignmentsRequest { session_id: session_id.clone() };
        let gap = match until_gap(&mut client, request, &node, &soon).await {
            Ok(gap) => gap,
            Err(end) => return end,
        };
        if began.elapsed() > LONGEST {
            failures = 0;
        }
        let delay = BACKOFF.delay(failures, 1.0);
        tracing::warn!(error = %gap, "assignments are read again in {delay:?}");
        sleep(delay).await;
        failures = failures.saturating_add(1);
    }
}

/// Reads one stream of assignments.
async fn until_gap(
    client: &mut DispatcherClient<Channel>,
    request: AssignmentsRequest,
    node: &Node,
    soon: &Notify,
) -> Result<Gap, End> {
    let mut messages = answer(CALL, client.assignments(request)).await?;
    let mut assignments = Assignments::new();
    let mut is_first = true;
    loop {
        let message = if is_first {
            in_time(CALL, messages.message()).await?
        } else {
            messages.message().await
        };
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => return Err(End::Lost(format!("{CALL}: the manager closed it"))),
            Err(status) => return Err(End::of(CALL, &status)),
        };
        let changes = match assignments.read(message) {
            Ok(changes) => changes,
            Err(gap) if is_first => return Err(End::Lost(format!("{CALL}: {gap}"))),
            Err(gap) => return Ok(gap),
        };
        is_first = false;
        store(&changes, node).await?;
        if node.tasks.tasks().iter().all(|task| task.record.removing) {
            soon.notify_one();
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
