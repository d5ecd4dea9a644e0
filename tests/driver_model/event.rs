//! The events of a trace.

use onward::agent::UpdateError;
use onward::exec::{ControllerError, ErrorKind, Inspected, Inspection};
use onward::lifecycle::{ContainerStatus, PortConfig, PortStatus, TaskState, TaskStatus};
use std::hash::{Hash, Hasher};
use std::io;
use std::time::Duration;

/// The calls of a controller and of the executor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Op {
    /// `Executor::controller`.
    Controller,
    Prepare,
    Start,
    Wait,
    Shutdown,
    Terminate,
    Update,
    Remove,
    Close,
    Inspect,
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Event {
    /// A poll of the driver begins, returns `Pending`, and returns `Ready`.
    Poll,
    Pending {
        sleeps: Vec<Duration>,
        woken: bool,
    },
    Ended(String),
    /// The future of `run` was dropped.
    Stopped,
    /// `Driver` itself was dropped.
    Gone,
    /// A call. `Executor::controller` and `update` have a definition.
    Call(Op, u64),
    Return(Op, Answer),
    Inspected(Told),
    Panicked,
    /// The driver dropped an operation.
    Dropped(Op),
    Status(TaskStatus),
    /// A sleep of the driver until this time has ended.
    Fired(Duration),
    Update {
        id: &'static str,
        desired: TaskState,
        version: u64,
        answer: Result<(), UpdateError>,
    },
    Remove,
    Close,
}

impl Event {
    /// Whether it distinguishes traces. Polls and timers do not.
    pub(crate) fn counts(&self) -> bool {
        !matches!(self, Self::Poll | Self::Pending { .. } | Self::Fired(_))
    }
}

impl Hash for Event {
    fn hash<H: Hasher>(&self, state: &mut H) {
        core::mem::discriminant(self).hash(state);
        match self {
            Self::Call(op, version) => (op, version).hash(state),
            Self::Return(op, answer) => (op, answer).hash(state),
            Self::Inspected(told) => told.hash(state),
            Self::Dropped(op) => op.hash(state),
            Self::Status(status) => {
                (status.state.number(), &status.message, &status.err).hash(state);
            }
            Self::Update { id, desired, version, .. } => {
                (id, desired.number(), version).hash(state);
            }
            _ => {}
        }
    }
}

/// The result of an operation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Answer {
    Good,
    Bad(Bad),
    Panic,
}

/// The data of an error.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Bad {
    pub(crate) kind: ErrorKind,
    pub(crate) temporary: bool,
    pub(crate) exit_code: i32,
    pub(crate) container: Option<i32>,
    /// How it is wrapped.
    pub(crate) wrapped: u32,
}

pub(crate) const PANIC: &str = "out of cheese";

impl Bad {
    /// A failure with only a text, like a panic.
    pub(crate) fn plain() -> Self {
        let kind = ErrorKind::Failure;
        Self { kind, temporary: false, exit_code: 0, container: None, wrapped: 0 }
    }

    /// The error with these properties.
    pub(crate) fn or(self, other: &Self) -> Self {
        let exit_code = if self.exit_code == 0 { other.exit_code } else { self.exit_code };
        Self { exit_code, container: self.container.or(other.container), ..self }
    }

    pub(crate) fn error(&self) -> ControllerError {
        let mut error = ControllerError::of_kind(self.kind, "bad").with_exit_code(self.exit_code);
        if self.temporary {
            error = error.temporary();
        }
        if let Some(pid) = self.container {
            error = error.with_container_status(container(pid));
        }
        match self.wrapped {
            0 => error,
            1 => ControllerError::new("worse").with_source(error),
            2 => ControllerError::wrap(io::Error::other(error)),
            _ => ControllerError::new("worse").with_source(io::Error::other(error)),
        }
    }

    /// The text in the status.
    pub(crate) fn text(&self) -> &'static str {
        if self.wrapped % 2 == 1 { "worse: bad" } else { "bad" }
    }

    pub(crate) fn is_interruption(&self) -> bool {
        self.kind == ErrorKind::Interrupted
    }
}

/// The result of an inspection: the pid of a container, the number of a port.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Told {
    pub(crate) container: Tells,
    pub(crate) ports: Tells,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Tells {
    Nothing,
    Is(i32),
    Failed,
}

impl Tells {
    fn inquiry<T>(&self, is: impl Fn(i32) -> T) -> Inspected<T> {
        match self {
            Self::Nothing => Inspected::Unchanged,
            Self::Is(number) => Inspected::Known(is(*number)),
            Self::Failed => Inspected::Failed(ControllerError::new("no answer").temporary()),
        }
    }
}

impl Told {
    pub(crate) fn inspection(&self) -> Inspection {
        Inspection::default()
            .with_container_status(self.container.inquiry(container))
            .with_port_status(self.ports.inquiry(ports))
    }
}

/// 0 is none.
pub(crate) fn container(pid: i32) -> ContainerStatus {
    let container_id = if pid == 0 { String::new() } else { "c".into() };
    let pid = Some(pid).filter(|pid| *pid != 0);
    ContainerStatus { container_id, pid, exit_code: None }
}

/// 0 is none.
pub(crate) fn ports(number: i32) -> PortStatus {
    let port = |published_port| PortConfig { published_port, ..PortConfig::default() };
    (number != 0).then(|| port(u16::try_from(number).unwrap())).into_iter().collect()
}
