use tokio::sync::oneshot;

use crate::task_file::{TaskFile, TaskFileError};

/// A request to an agent.
#[derive(Debug)]
pub enum Order<D> {
    /// The task file was read: its tasks, or the error.
    File(Result<TaskFile<D>, TaskFileError>),
    /// Shut these tasks down. The answer comes when that is stored.
    Stop(Vec<String>, oneshot::Sender<Result<(), String>>),
    /// End, as [`Ending`](super::Ending) says.
    End,
    /// Kill every workload that still runs.
    Kill,
}
