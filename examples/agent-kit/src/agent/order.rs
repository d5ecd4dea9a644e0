use tokio::sync::oneshot;

use crate::task_file::{TaskFile, TaskFileError};

/// A request to an agent.
#[derive(Debug)]
pub enum Order<D> {
    /// Use this version of the task file, or show why it cannot be used.
    File(Result<TaskFile<D>, TaskFileError>),
    /// Shut these tasks down. The reply is sent when that is stored.
    Stop(Vec<String>, oneshot::Sender<Result<(), String>>),
    /// End the agent, in the way of its [`Ending`](super::Ending).
    End,
    /// Kill every workload that still runs.
    Kill,
}
