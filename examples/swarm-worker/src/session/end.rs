//! Why a session ended.

use std::time::Duration;

use tokio::time::timeout;
use tonic::{Code, Response, Status};

use crate::text::said;

/// The longest duration of a call, and of the wait for the first message of a stream.
const LIMIT: Duration = Duration::from_secs(5);

/// What a manager says to a node that was removed. It has no code of its own.
const REMOVED: &str = "was removed from swarm";

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The node was removed from the swarm. No manager will accept it again.
    Removed,
    /// The session is lost. A new one can be opened. The text has the reason.
    Lost(String),
}

impl End {
    /// Reads the failure of a call.
    pub(crate) fn of(call: &str, status: &Status) -> Self {
        if is_removed(status) {
            return Self::Removed;
        }
        Self::Lost(format!("{call}: {}", text(status)))
    }
}

/// Whether a manager answers that the node was removed from the swarm.
pub(crate) fn is_removed(status: &Status) -> bool {
    status.code() == Code::PermissionDenied && status.message().contains(REMOVED)
}

/// Returns the message of a status with its code. Many have no message.
pub(crate) fn text(status: &Status) -> String {
    match status.message() {
        "" => format!("{:?}", status.code()),
        message => format!("{} ({:?})", said(message), status.code()),
    }
}

/// Waits for the answer of a call, at most 5 s.
pub(crate) async fn answer<T>(
    name: &str,
    call: impl Future<Output = Result<Response<T>, Status>>,
) -> Result<T, End> {
    match in_time(name, call).await? {
        Ok(response) => Ok(response.into_inner()),
        Err(status) => Err(End::of(name, &status)),
    }
}

/// Waits for anything that a manager sends at once, at most 5 s.
pub(crate) async fn in_time<T>(name: &str, answer: impl Future<Output = T>) -> Result<T, End> {
    let late = |_| End::Lost(format!("{name}: no answer within {} s", LIMIT.as_secs()));
    timeout(LIMIT, answer).await.map_err(late)
}
