//! Who hands out controllers, and for what.

use super::controller::Controller;
use super::error::ControllerError;
use crate::lifecycle::TaskState;
use alloc::string::String;
use alloc::sync::Arc;
use core::future::Future;

/// What somebody wants of this agent: a task, and the state to bring it to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Assignment<D> {
    /// The task's id, unique in its cluster.
    pub id: String,
    /// The version of the definition: another one is a changed definition.
    pub version: u64,
    /// The state to bring the task to.
    pub desired_state: TaskState,
    /// What the task is: an image, a command. The library never looks inside.
    pub definition: D,
    /// The service that it is a task of, if it is one's: who follows a service's
    /// logs finds it by that.
    pub service_id: Option<String>,
}

impl<D> Assignment<D> {
    /// The first version of a task, to be brought to RUNNING.
    pub fn new(id: impl Into<String>, definition: D) -> Self {
        Self {
            id: id.into(),
            version: 1,
            desired_state: TaskState::Running,
            definition,
            service_id: None,
        }
    }

    /// The same as a task of this service.
    #[must_use]
    pub fn with_service_id(self, service_id: impl Into<String>) -> Self {
        Self { service_id: Some(service_id.into()), ..self }
    }

    /// The same with another version of the definition.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
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
/// In SwarmKit: `exec.Executor` (`agent/exec/executor.go`).
pub trait Executor: Send + Sync {
    /// What a task is. It is compared, to see whether it has changed, and cloned,
    /// to be offered to the controller.
    type Definition: Clone + PartialEq + Send + Sync + 'static;

    /// What operates a task.
    type Controller: Controller<Definition = Self::Definition>;

    /// Makes the controller of a task.
    ///
    /// It is called before the first operation of every task, and again when
    /// an agent takes up tasks that it finds after a restart: the controller
    /// then finds by itself how far the task had come.
    ///
    /// It does nothing to the workload. What takes long belongs into
    /// [`prepare`](Controller::prepare).
    ///
    /// # Errors
    ///
    /// The definition is not one that this executor can run. Every error is
    /// final for the task, a temporary one too: see [`resolve`](super::resolve()).
    fn controller(
        &self,
        assignment: &Assignment<Self::Definition>,
    ) -> impl Future<Output = Result<Self::Controller, ControllerError>> + Send;
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
}
