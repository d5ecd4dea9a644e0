//! The controller of a swarm's task: its workload, and the secrets and configs that it waits for.

use std::error::Error;
use std::sync::Arc;

use onward::exec::{
    BoxController, Controller, ControllerError, Inspection, ProgressReporter, SharedLogs,
};
use tokio::sync::watch;

use super::{Expanded, SwarmExecutor};
use crate::dependencies::{MissingError, Registration, TaskFiles};
use crate::task::SwarmTask;
use crate::wire;

/// Operates the workload of one task.
#[derive(Debug)]
pub struct SwarmController {
    executor: SwarmExecutor,
    workload: BoxController<Expanded>,
    node: Arc<wire::NodeDescription>,
    task: SwarmTask,
    /// The templates in secrets and configs need it while the workload is prepared.
    registration: Option<Registration>,
    progress: Option<ProgressReporter>,
}

impl SwarmController {
    pub(super) fn new(
        executor: SwarmExecutor,
        workload: BoxController<Expanded>,
        node: Arc<wire::NodeDescription>,
        task: &SwarmTask,
    ) -> Self {
        let registration = register(&executor, &node, task);
        let (task, progress) = (task.clone(), None);
        Self { executor, workload, node, task, registration, progress }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.executor.0.dependencies.changes()
    }
}

/// Returns the result of an operation, unless it lacks a secret, a config or a credential. Then waits
/// for a change of those since `changes` was made.
async fn or_change(
    result: Result<(), ControllerError>,
    mut changes: watch::Receiver<u64>,
    progress: Option<&ProgressReporter>,
) -> Option<Result<(), ControllerError>> {
    let Err(error) = &result else { return Some(result) };
    let is_missing = error.get_ref().is_some_and(<dyn Error>::is::<MissingError>);
    if !is_missing {
        return Some(result);
    }
    if let Some(progress) = progress {
        progress.report(error.to_string());
    }
    match changes.changed().await {
        Ok(()) => None,
        Err(_) => Some(result),
    }
}

fn register(
    executor: &SwarmExecutor,
    node: &wire::NodeDescription,
    task: &SwarmTask,
) -> Option<Registration> {
    // The executor has expanded it just before.
    let definition = task.expand(node).ok()?;
    let (context, has_credentials) = (task.context(node), task.has_credentials);
    let files = TaskFiles { context, definition, has_credentials };
    Some(executor.0.dependencies.register(&task.id, files))
}

impl Controller for SwarmController {
    type Definition = SwarmTask;

    async fn update(&mut self, task: &SwarmTask) -> Result<(), ControllerError> {
        if *task == self.task {
            return Ok(());
        }
        let expanded = self.executor.expand(task, &self.node).map_err(|error| {
            ControllerError::update_rejected("the new definition cannot run").with_source(error)
        })?;
        self.workload.update(&expanded).await?;
        self.registration = register(&self.executor, &self.node, task);
        self.task = task.clone();
        Ok(())
    }

    /// Waits for secrets, configs and registry credentials that have not come yet.
    async fn prepare(&mut self) -> Result<(), ControllerError> {
        loop {
            let changes = self.changes();
            let prepared = self.workload.prepare().await;
            if let Some(result) = or_change(prepared, changes, self.progress.as_ref()).await {
                return result;
            }
        }
    }

    /// Waits for secrets and configs that have not come yet: they are written again.
    async fn start(&mut self) -> Result<(), ControllerError> {
        loop {
            let changes = self.changes();
            let started = self.workload.start().await;
            if let Some(result) = or_change(started, changes, self.progress.as_ref()).await {
                return result;
            }
        }
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.workload.wait().await
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.workload.shutdown().await
    }

    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.workload.terminate().await
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.workload.remove().await
    }

    async fn close(&mut self) -> Result<(), ControllerError> {
        self.workload.close().await
    }

    async fn inspect(&mut self) -> Inspection {
        self.workload.inspect().await
    }

    fn set_progress(&mut self, progress: ProgressReporter) {
        self.progress = Some(progress.clone());
        self.workload.set_progress(progress);
    }

    fn logs(&self) -> Option<SharedLogs> {
        self.workload.logs()
    }
}
