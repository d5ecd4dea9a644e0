//! The stored form of a task's definition, and an executor that unwraps it.

use onward::exec::{
    Assignment, Controller, ControllerError, Executor, Inspection, ProgressReporter, SharedLogs,
};
use serde::{Deserialize, Serialize};
use time::UtcDateTime;

use crate::stamp;

/// A definition, with all that an agent must know about the task after a restart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskSpec<D> {
    /// The definition.
    pub definition: D,
    /// When the task was first assigned. `stop_after` counts from this time.
    #[serde(with = "stamp")]
    pub assigned_at: UtcDateTime,
    /// Whether an agent shut the task down only because the agent ended. The next agent starts such
    /// a task again.
    pub is_stopped_by_exit: bool,
}

/// Wraps an executor of definitions as an executor of [`TaskSpec`]s.
#[derive(Clone, Debug)]
pub struct SpecExecutor<E>(pub E);

impl<E: Executor> Executor for SpecExecutor<E>
where
    E::Definition: Clone,
{
    type Definition = TaskSpec<E::Definition>;
    type Controller = SpecController<E::Controller>;

    async fn controller(
        &self,
        assignment: &Assignment<Self::Definition>,
    ) -> Result<Self::Controller, ControllerError> {
        let Assignment { id, definition, desired_state, .. } = assignment;
        let inner = Assignment::new(&**id, definition.definition.clone())
            .with_desired_state(*desired_state);
        self.0.controller(&inner).await.map(SpecController)
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        self.0.list().await
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        self.0.reconcile(id).await
    }
}

/// Wraps a controller of definitions as a controller of [`TaskSpec`]s.
#[derive(Debug)]
pub struct SpecController<C>(C);

impl<C: Controller> Controller for SpecController<C> {
    type Definition = TaskSpec<C::Definition>;

    async fn update(&mut self, spec: &Self::Definition) -> Result<(), ControllerError> {
        self.0.update(&spec.definition).await
    }

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.0.prepare().await
    }

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.0.start().await
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.0.wait().await
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.0.shutdown().await
    }

    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.0.terminate().await
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.0.remove().await
    }

    async fn close(&mut self) -> Result<(), ControllerError> {
        self.0.close().await
    }

    async fn inspect(&mut self) -> Inspection {
        self.0.inspect().await
    }

    fn set_progress(&mut self, progress: ProgressReporter) {
        self.0.set_progress(progress);
    }

    fn logs(&self) -> Option<SharedLogs> {
        self.0.logs()
    }
}
