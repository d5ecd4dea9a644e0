//! `Executor`, which makes the controllers of tasks, and `Assignment`, a task to run.

use super::controller::Controller;
use super::error::ControllerError;
use crate::lifecycle::TaskState;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::{self, Future};

/// A task that an agent has to run: its id, its definition and its desired state.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Assignment<D> {
    /// The task's id, unique in its cluster.
    ///
    /// The library does not restrict its form. It may be empty, and it may have dots, spaces, `/`
    /// or `..` in it. An executor that uses it as a file name must check or encode it.
    pub id: Arc<str>,
    /// The state that the agent brings the task to.
    pub desired_state: TaskState,
    /// The definition of the task: an image, a command. The library only compares it.
    pub definition: D,
    /// The service of the task, if it has one. The logs of a service are those of its
    /// tasks.
    pub service_id: Option<Arc<str>>,
}

impl<D> Assignment<D> {
    /// An assignment with the desired state RUNNING, without a service.
    pub fn new(id: impl Into<Arc<str>>, definition: D) -> Self {
        let desired_state = TaskState::Running;
        Self { id: id.into(), desired_state, definition, service_id: None }
    }

    /// The same assignment as a task of this service.
    #[must_use]
    pub fn with_service_id(self, service_id: impl Into<Arc<str>>) -> Self {
        Self { service_id: Some(service_id.into()), ..self }
    }

    /// The same assignment with another definition.
    #[must_use]
    pub fn with_definition(self, definition: D) -> Self {
        Self { definition, ..self }
    }

    /// The same assignment with another desired state.
    #[must_use]
    pub fn with_desired_state(self, desired_state: TaskState) -> Self {
        Self { desired_state, ..self }
    }
}

/// Makes the controllers of an agent's tasks.
///
/// You implement it for your kind of workload: containers, processes, virtual machines.
/// If your agent has several kinds, use an enum as the definition and a
/// [`BoxController`](super::BoxController) as the controller; see
/// [`Controller::boxed_for`].
///
/// ```
/// use onward::testing::NoopController;
/// use onward::{Assignment, BoxController, Controller, ControllerError, Executor};
///
/// /// Runs tasks that do nothing. Rejects all others.
/// struct Idle;
///
/// impl Executor for Idle {
///     type Definition = String;
///     type Controller = BoxController<String>;
///
///     async fn controller(
///         &self,
///         task: &Assignment<String>,
///     ) -> Result<Self::Controller, ControllerError> {
///         match task.definition.as_str() {
///             "nothing" => Ok(NoopController::Runs.boxed_for(|_| Some(&()))),
///             other => Err(ControllerError::new(format!("no such program: {other}"))),
///         }
///     }
/// }
///
/// let task = Assignment::new("web.1", "something".to_owned());
/// let refused = futures::executor::block_on(Idle.controller(&task)).unwrap_err();
/// assert_eq!(refused.to_string(), "no such program: something");
/// ```
///
/// In SwarmKit: `exec.Executor` (`agent/exec/executor.go`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an executor",
    label = "this type does not make controllers",
    note = "an executor implements `onward::exec::Executor`, which requires `controller`"
)]
pub trait Executor: Send + Sync {
    /// The definition of a task: an image, a command. The library compares definitions to
    /// detect a change, and never looks inside. It clones the definition when it has to
    /// change the desired state of a shared assignment.
    type Definition: Clone + PartialEq + Send + Sync + 'static;

    /// The type of the controllers.
    type Controller: Controller<Definition = Self::Definition>;

    /// Makes the controller of a task.
    ///
    /// It is called before the first operation of each task, even if the task has ended,
    /// and again after a restart of the agent. The new controller must then find out how
    /// far the task is. `assignment` has the definition that the task's last controller
    /// had, if there was one. A newer definition follows in
    /// [`update`](Controller::update).
    ///
    /// Do not change the workload here. Put slow work into
    /// [`prepare`](Controller::prepare).
    ///
    /// # Errors
    ///
    /// - A temporary error: the executor cannot decide yet. `agent::Driver` calls it
    ///   again after a delay, until `Policy::controller_deadline` expires.
    ///   [`resolve`](super::resolve()) does not call it again.
    /// - Any other error: the executor cannot run this definition, and nothing exists of
    ///   the task. The task is REJECTED, or FAILED from STARTING on. When the task is no
    ///   longer assigned, the agent forgets it without calling `remove`.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, it is called again.
    fn controller(
        &self,
        assignment: &Assignment<Self::Definition>,
    ) -> impl Future<Output = Result<Self::Controller, ControllerError>> + Send;

    /// Lists the ids of all tasks of which something exists: a workload that runs, or
    /// something that `prepare` created.
    ///
    /// An agent calls it when it knows its assignments. For each listed id that is not
    /// assigned, it calls [`reconcile`](Self::reconcile). Default: an empty list.
    ///
    /// # Errors
    ///
    /// The list is not available now. It is called again when there are new assignments.
    ///
    /// # Cancel safety
    ///
    /// Its future is dropped if the worker is closed or dropped. The next worker calls it again.
    fn list(&self) -> impl Future<Output = Result<Vec<String>, ControllerError>> + Send {
        future::ready(Ok(Vec::new()))
    }

    /// Stops and removes what exists of a task that is not assigned, or keeps it.
    ///
    /// Such a task is left over from a crash, or from a store that was lost. While this
    /// runs, the agent does nothing else with this id. Default: keeps everything.
    ///
    /// # Errors
    ///
    /// Something is left. The id is listed again when there are new assignments.
    ///
    /// # Cancel safety
    ///
    /// Its future is dropped if a task of this id has to be shut down or removed, because
    /// its controller does that then. It is also dropped if the worker is closed or
    /// dropped. A later call for the same id must remove what is left.
    fn reconcile(&self, id: &str) -> impl Future<Output = Result<(), ControllerError>> + Send {
        let _ = id;
        future::ready(Ok(()))
    }
}

impl<E: Executor> Executor for Arc<E> {
    type Definition = E::Definition;
    type Controller = E::Controller;

    fn controller(
        &self,
        assignment: &Assignment<E::Definition>,
    ) -> impl Future<Output = Result<E::Controller, ControllerError>> + Send {
        (**self).controller(assignment)
    }

    fn list(&self) -> impl Future<Output = Result<Vec<String>, ControllerError>> + Send {
        (**self).list()
    }

    fn reconcile(&self, id: &str) -> impl Future<Output = Result<(), ControllerError>> + Send {
        (**self).reconcile(id)
    }
}
