//! What the sessions of a node share.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_kit::board::Board;
use agent_kit::tasks::Tasks;
use onward::agent::Runtime;
use onward::exec::ControllerError;

use crate::credentials::Credentials;
use crate::dependencies::SwarmDependencies;
use crate::managers::Managers;
use crate::runtime::SwarmExecutor;
use crate::task::SwarmTask;
use crate::wire;

/// What the sessions of a node share. A clone is the same node.
#[derive(Clone)]
pub struct Node {
    /// The identity of the node.
    pub credentials: Credentials,
    /// The executor, which describes the node.
    pub executor: SwarmExecutor,
    /// The tasks of the node.
    pub tasks: Tasks<SwarmTask>,
    /// The secrets, configs and credentials of the tasks.
    pub dependencies: SwarmDependencies,
    /// The runtime of the worker.
    pub runtime: Arc<dyn Runtime>,
    /// The board, for notices.
    pub board: Arc<Board>,
    /// The known managers.
    pub managers: Arc<Mutex<Managers>>,
}

impl Node {
    /// Describes the node for the manager.
    ///
    /// # Errors
    ///
    /// The engine does not answer.
    pub(super) async fn describe(&self) -> Result<wire::NodeDescription, ControllerError> {
        let mut description = self.executor.describe().await?;
        description.tls_info = Some(self.credentials.identity().tls_info());
        Ok(description)
    }

    /// Returns the known managers.
    pub(crate) fn managers(&self) -> MutexGuard<'_, Managers> {
        // The list is consistent at any time, even after a panic of another thread.
        self.managers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { credentials, executor, managers, .. } = self;
        let mut shown = f.debug_struct("Node");
        shown.field("credentials", credentials).field("executor", executor);
        shown.field("managers", managers).finish_non_exhaustive()
    }
}
