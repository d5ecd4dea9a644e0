//! The tasks of an agent, for other parts of the program.

use std::collections::BTreeSet;

use onward::agent::{AssignmentChange, TaskView, WorkerHandle};
use onward::{Assignment, Controller as _, TaskState};

use crate::kind::{Definition, TaskExecutor};
use crate::spec::TaskSpec;

/// A handle to the worker that runs the tasks.
pub type Tasks<D> = WorkerHandle<TaskSpec<D>>;

/// Shuts tasks down for the clients of an agent's socket.
pub trait StopTasks: Clone + Send + Sync + 'static {
    /// Shuts these tasks down. Returns when that is stored.
    ///
    /// # Errors
    ///
    /// Fails if there is no such task, or if the order cannot be stored.
    fn stop(&self, names: Vec<String>) -> impl Future<Output = Result<(), String>> + Send;
}

/// For an agent without a task file: changes only the desired state of the tasks.
impl<D: Definition> StopTasks for Tasks<D> {
    async fn stop(&self, names: Vec<String>) -> Result<(), String> {
        let ids: BTreeSet<_> = ids(self, &names)?.into_iter().collect();
        let desired_state = TaskState::Shutdown;
        let changes =
            ids.into_iter().map(|id| AssignmentChange::DesiredState { id, desired_state });
        let refused = self.update(changes).await.map_err(|error| error.to_string())?;
        refused.first().map_or(Ok(()), |task| Err(task.to_string()))
    }
}

/// Returns the name of a task, which is its id if its definition has no name.
pub fn name<D: Definition>(view: &TaskView<TaskSpec<D>>) -> &str {
    let definition = &view.record.assignment.definition.definition;
    definition.name().unwrap_or_else(|| view.id())
}

/// Returns the ids of the tasks with these names or ids.
///
/// # Errors
///
/// The error names the first unknown name, and lists the known ones.
pub fn ids<D: Definition>(tasks: &Tasks<D>, names: &[String]) -> Result<Vec<String>, String> {
    let views = tasks.tasks();
    let is = |view: &&TaskView<_>, wanted: &str| view.id() == wanted || name(view) == wanted;
    let id = |wanted: &str| Some(views.iter().find(|view| is(view, wanted))?.id().to_owned());
    let known = || views.iter().map(|view| name(view).to_owned()).collect();
    check_names(names, |name| id(name).is_some(), known)?;
    Ok(names.iter().filter_map(|name| id(name)).collect())
}

/// Checks that all these names are known. `known` is called only to list the names in the error.
///
/// # Errors
///
/// The error names the first unknown name, and lists the known ones.
pub fn check_names(
    names: &[String],
    is_known: impl Fn(&str) -> bool,
    known: impl FnOnce() -> Vec<String>,
) -> Result<(), String> {
    let Some(unknown) = names.iter().find(|name| !is_known(name)) else { return Ok(()) };
    let known = known();
    if known.is_empty() {
        return Err(format!("there is no task {unknown:?}; there are no tasks"));
    }
    Err(format!("there is no task {unknown:?}; the tasks are {}", known.join(", ")))
}

/// Kills all workloads that still run. It uses controllers of its own, so the shutdown of the
/// drivers then succeeds. It does not wait. Must be called on a Tokio runtime.
pub fn kill_all<E: TaskExecutor + 'static>(tasks: &Tasks<E::Definition>, executor: &E) {
    let mut views = tasks.tasks();
    views.retain(|view| !view.has_ended());
    for TaskView { record, .. } in views {
        let executor = executor.clone();
        tokio::spawn(async move {
            let assignment = record.applied.as_ref().unwrap_or(&record.assignment);
            let definition = assignment.definition.definition.clone();
            let inner = Assignment::new(&*assignment.id, definition);
            let kill = async { executor.controller(&inner).await?.terminate().await };
            if let Err(error) = kill.await {
                let error = format_args!("{error:#}");
                tracing::error!(task.id = &*assignment.id, error, "cannot kill the workload");
            }
        });
    }
}
