use tokio::sync::{mpsc, oneshot};

use crate::kind::Definition;
use crate::task_file::{TaskFile, TaskFileError};
use crate::tasks::StopTasks;

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

/// Sends [`Order::Stop`] to the agent.
impl<D: Definition> StopTasks for mpsc::UnboundedSender<Order<D>> {
    async fn stop(&self, names: Vec<String>) -> Result<(), String> {
        let ends = || "the agent is ending".to_owned();
        let (reply, answer) = oneshot::channel();
        self.send(Order::Stop(names, reply)).map_err(|_| ends())?;
        answer.await.map_err(|_| ends())?
    }
}
