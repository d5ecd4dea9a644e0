//! `Executor`, which makes the controllers of tasks, and `Assignment`.

use super::controller::Controller;
use super::error::ControllerError;
use crate::lifecycle::TaskState;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::{self, Future};

/// A task that is assigned to this agent: its definition and its desired state.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Assignment<D> {
    /// The task's id, unique in its cluster.
    ///
    /// The library does not restrict its form. It may be empty, and it may have dots, spaces, `/`
    /// or `..` in it. An executor that uses it as a file name must check or encode it.
    pub id: Arc<str>,
    /// The state to bring the task to.
    pub desired_state: TaskState,
    /// What the task is: an image, a command. The library only compares it.
    pub definition: D,
    /// The service that the task belongs to, if it belongs to one. The logs of a service are
    /// those of its tasks.
    pub service_id: Option<Arc<str>>,
}

impl<D> Assignment<D> {
    /// A task that is to be brought to RUNNING.
    pub fn new(id: impl Into<Arc<str>>, definition: D) -> Self {
        let desired_state = TaskState::Running;
        Self { id: id.into(), desired_state, definition, service_id: None }
    }

    /// The same as a task of this service.
    #[must_use]
    pub fn with_service_id(self, service_id: impl Into<Arc<str>>) -> Self {
        Self { service_id: Some(service_id.into()), ..self }
    }

    /// The same with another definition.
    #[must_use]
    pub fn with_definition(self, definition: D) -> Self {
        Self { definition, ..self }
    }

    /// The same with another desired state.
    #[must_use]
    pub fn with_desired_state(self, desired_state: TaskState) -> Self {
        Self { desired_state, ..self }
    }
}

/// Hands out the controllers of the tasks that are assigned to a node.
///
/// What runs containers, processes or virtual machines implements this. One
/// agent with several kinds of controllers has an enum for its definition and
/// a [`BoxController`](super::BoxController) for its controller; see
/// [`Controller::boxed_for`].
///
/// ```
/// use onward::testing::NoopController;
/// use onward::{Assignment, BoxController, Controller, ControllerError, Executor};
///
/// /// Runs tasks that do nothing, and no others.
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
    label = "this does not hand out controllers",
    note = "an executor implements `onward::exec::Executor`, which asks for `controller`"
)]
pub trait Executor: Send + Sync {
    /// The definition of a task: an image, a command. The library compares it, to see
    /// whether it has changed, and never looks inside. It clones an assignment to raise
    /// its desired state while others share it.
    type Definition: Clone + PartialEq + Send + Sync + 'static;

    /// What operates a task.
    type Controller: Controller<Definition = Self::Definition>;

    /// Makes the controller of a task.
    ///
    /// It is called before the first operation of each task, also of one that has ended,
    /// and again after a restart of the agent: the new controller then finds by itself
    /// how far the task is. The definition is the one that the last controller had, if
    /// there was one; a newer one follows in [`update`](Controller::update).
    ///
    /// It does nothing to the workload. Put what takes long into
    /// [`prepare`](Controller::prepare).
    ///
    /// # Errors
    ///
    /// A temporary error: the executor cannot know yet. A driver (`agent::Driver`) calls it
    /// again after a delay, until `Policy::controller_deadline` expires. [`resolve`](super::resolve()) does not
    /// call it again.
    ///
    /// Any other error: this executor cannot run the definition, and nothing exists of
    /// the task. The task is REJECTED, or FAILED from STARTING on. When it is no longer
    /// assigned, an agent forgets it without a removal.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, it is called again.
    fn controller(
        &self,
        assignment: &Assignment<Self::Definition>,
    ) -> impl Future<Output = Result<Self::Controller, ControllerError>> + Send;

    /// Lists the ids of the tasks of which something exists in the world: a workload
    /// that runs, or something that `prepare` made.
    ///
    /// An agent calls it when it knows its assignments. It passes each id that is not
    /// assigned to [`reconcile`](Self::reconcile). The default returns no ids.
    ///
    /// # Errors
    ///
    /// The list is not available now. It is called again when there are new
    /// assignments.
    ///
    /// # Cancel safety
    ///
    /// Its future is dropped if the worker is closed or dropped. The next worker calls it again.
    fn list(&self) -> impl Future<Output = Result<Vec<String>, ControllerError>> + Send {
        future::ready(Ok(Vec::new()))
    }

    /// Ends and removes what exists of the task with this id, or leaves it.
    ///
    /// The task is not assigned: it is left from a crash or from a store that is
    /// lost. While this runs, the agent does nothing with a task of this id. The
    /// default leaves it.
    ///
    /// # Errors
    ///
    /// Something is left. It is listed again when there are new assignments.
    ///
    /// # Cancel safety
    ///
    /// Its future is dropped if a task of this id is to be shut down or removed, because its
    /// controller does that then. It is also dropped if the worker is closed or dropped. It can be
    /// called again for the id, and must then remove what is left.
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
