//! Sends the statuses of the tasks to the manager.

use std::time::Duration;

use onward::agent::policy::Backoff;
use onward::agent::reporter::{ReportError, StatusUpdate};
use onward::agent::{Reporter, StatusReporter};
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::end::{End, in_time, is_removed, text};
use super::node::Node;
use crate::status;
use crate::wire::UpdateTaskStatusRequest;
use crate::wire::dispatcher_client::DispatcherClient;
use crate::wire::update_task_status_request::TaskStatusUpdate;

/// The delays between attempts.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(8));

/// Sends the stored status of each task, and then each change, until the session is lost.
pub(super) async fn report(
    client: DispatcherClient<Channel>,
    session_id: String,
    node: Node,
) -> End {
    let (sender, mut ends) = mpsc::channel(1);
    let manager = Manager { client, session_id, end: sender };
    let mut reporter = Reporter::new(manager, node.runtime.clone()).with_backoff(BACKOFF);
    let _listener = node.tasks.listen(reporter.handle());
    tokio::select! {
        () = reporter.run() => End::Lost("the reporter has ended".to_owned()),
        Some(end) = ends.recv() => end,
    }
}

/// Sends statuses in one session.
struct Manager {
    client: DispatcherClient<Channel>,
    session_id: String,
    /// Ends the session.
    end: mpsc::Sender<End>,
}

const CALL: &str = "UpdateTaskStatus";

impl StatusReporter for Manager {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        let updates = updates.iter().map(|StatusUpdate { id, status, .. }| TaskStatusUpdate {
            task_id: id.to_string(),
            status: Some(status::to_wire(status)),
        });
        let request = UpdateTaskStatusRequest {
            session_id: self.session_id.clone(),
            updates: updates.collect(),
        };
        match in_time(CALL, self.client.update_task_status(request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(status)) if is_refusal(&status) => Err(ReportError::Refused(status.into())),
            Ok(Err(status)) => {
                // The session is over. The next one sends all statuses again.
                _ = self.end.try_send(End::of(CALL, &status));
                Err(ReportError::Unreachable(text(&status).into()))
            }
            Err(late) => {
                _ = self.end.try_send(late);
                Err(ReportError::Unreachable("no answer".into()))
            }
        }
    }
}

/// Whether the manager refuses the call because of one of its tasks, which is not this node's.
fn is_refusal(status: &Status) -> bool {
    status.code() == Code::PermissionDenied && !is_removed(status)
}
