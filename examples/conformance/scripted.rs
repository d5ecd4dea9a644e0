//! A controller that follows a script.

use onward::exec::{
    Assignment, Controller, ControllerError, ErrorKind, Executor, Inspected, Inspection,
};
use onward::lifecycle::{ContainerStatus, PortStatus};
use serde::Deserialize;

/// The error of an operation.
#[derive(Clone, Deserialize)]
pub(crate) struct ErrorScript {
    message: String,
    kind: KindScript,
    #[serde(default)]
    temporary: bool,
    exit_code: Option<i32>,
    container_status: Option<ContainerStatus>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KindScript {
    Failure,
    AlreadyPrepared,
    AlreadyStarted,
    UpdateRejected,
    Closed,
    Canceled,
    DeadlineExceeded,
}

impl ErrorScript {
    pub(crate) fn error(&self) -> ControllerError {
        let kind = match self.kind {
            KindScript::Failure => ErrorKind::Failure,
            KindScript::AlreadyPrepared => ErrorKind::AlreadyPrepared,
            KindScript::AlreadyStarted => ErrorKind::AlreadyStarted,
            KindScript::UpdateRejected => ErrorKind::UpdateRejected,
            KindScript::Closed => ErrorKind::Closed,
            KindScript::Canceled | KindScript::DeadlineExceeded => ErrorKind::Interrupted,
        };
        let mut error = ControllerError::of_kind(kind, self.message.clone());
        if self.temporary {
            error = error.temporary();
        }
        if let Some(exit_code) = self.exit_code {
            error = error.with_exit_code(exit_code);
        }
        if let Some(status) = &self.container_status {
            error = error.with_container_status(status.clone());
        }
        error
    }
}

/// The result of `inspect`: the container.
#[derive(Clone, Deserialize)]
#[serde(tag = "support", rename_all = "lowercase")]
pub(crate) enum ContainerScript {
    Unsupported,
    Absent,
    Present { container_status: ContainerStatus },
    Error { error: String },
}

/// The result of `inspect`: the ports.
#[derive(Clone, Deserialize)]
#[serde(tag = "support", rename_all = "lowercase")]
pub(crate) enum PortScript {
    Unsupported,
    Absent,
    Present { port_status: PortStatus },
    Error { error: String },
}

/// The controller, and the executor that hands it out.
#[derive(Clone)]
pub(crate) struct Scripted {
    pub(crate) error: Option<ErrorScript>,
    pub(crate) container: ContainerScript,
    pub(crate) port: PortScript,
    pub(crate) calls: Vec<&'static str>,
}

impl Scripted {
    fn call(&mut self, operation: &'static str) -> Result<(), ControllerError> {
        self.calls.push(operation);
        self.error.as_ref().map_or(Ok(()), |script| Err(script.error()))
    }
}

impl Controller for Scripted {
    type Definition = ();

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.call("prepare")
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.call("start")
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.call("wait")
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.call("shutdown")
    }

    async fn inspect(&mut self) -> Inspection {
        let container = match self.container.clone() {
            ContainerScript::Unsupported | ContainerScript::Absent => Inspected::Unchanged,
            ContainerScript::Present { container_status } => Inspected::Known(container_status),
            ContainerScript::Error { error } => Inspected::Failed(ControllerError::new(error)),
        };
        let port = match self.port.clone() {
            PortScript::Unsupported => Inspected::Unchanged,
            PortScript::Absent => Inspected::Known(PortStatus::default()),
            PortScript::Present { port_status } => Inspected::Known(port_status),
            PortScript::Error { error } => Inspected::Failed(ControllerError::new(error)),
        };
        Inspection::default().with_container_status(container).with_port_status(port)
    }
}

impl Executor for Scripted {
    type Definition = ();
    type Controller = Self;

    async fn controller(&self, _: &Assignment<()>) -> Result<Self, ControllerError> {
        self.error.as_ref().map_or_else(|| Ok(self.clone()), |script| Err(script.error()))
    }
}
