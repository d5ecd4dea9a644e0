//! `TaskStatus`: the status of a task, to report, store and resume.

use super::state::TaskState;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use time::UtcDateTime;

#[cfg(feature = "serde")]
pub mod stored;
#[cfg(feature = "serde")]
mod wire;

/// The status of a task, to report, store and resume.
///
/// It is the `Status` of a task in the Docker Engine API's `GET /tasks`. With the feature
/// `serde` it is serialized as that API's JSON. The API has no `null`, so some values are
/// not kept:
///
/// | Value | Written as | Read as |
/// |---|---|---|
/// | `pid` is `None` | 0 | `None` |
/// | `exit_code` is `None` or `Some(0)` | 0 | `Some(0)` in COMPLETE, `None` in any other state |
/// | `err` is `None` | left out | `None` |
///
/// `lifecycle::stored_status` is a JSON form for stores, which keeps every value.
///
/// A status is plain data and can hold any combination of values. A [`Task`](super::Task)
/// cannot.
#[cfg_attr(
    feature = "serde",
    doc = "
```
use onward::lifecycle::{TaskState, TaskStatus};

let json = r#\"{\"Timestamp\":\"2026-11-22T06:32:31.313Z\",\"State\":\"running\",\"PortStatus\":{}}\"#;
let status: TaskStatus = serde_json::from_str(json)?;
assert_eq!(status.state, TaskState::Running);
assert_eq!(serde_json::to_string(&status)?, json);
# Ok::<(), serde_json::Error>(())
```
"
)]
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TaskStatus {
    /// The time of the last change of any other field.
    pub timestamp: Option<UtcDateTime>,
    /// The state of the task.
    pub state: TaskState,
    /// A short description of the last step, for example `started`.
    pub message: Cow<'static, str>,
    /// The last error with its causes. It is never `Some("")`.
    pub err: Option<Cow<'static, str>>,
    /// The status of the container, if there is one.
    pub container_status: Option<ContainerStatus>,
    /// The ports that the task publishes.
    pub port_status: PortStatus,
}

impl TaskStatus {
    /// A status with this state. All other fields are empty.
    pub const fn new(state: TaskState) -> Self {
        Self {
            timestamp: None,
            state,
            message: Cow::Borrowed(""),
            err: None,
            container_status: None,
            port_status: PortStatus { ports: Vec::new() },
        }
    }
}

/// The status of the container, process or virtual machine that runs the workload.
///
/// ```
/// use onward::lifecycle::ContainerStatus;
///
/// let running = ContainerStatus { pid: Some(4711), ..ContainerStatus::default() };
/// assert_eq!(running.exit_code, None);
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ContainerStatus {
    /// The container's id in its engine. It can be empty.
    pub container_id: String,
    /// The id of its first process, if there is one. It is not 0.
    pub pid: Option<i32>,
    /// The exit code of that process, or 128 + n if signal n ended it. It is
    /// `None` while the process runs, and if the exit code is not known.
    pub exit_code: Option<i32>,
}

impl ContainerStatus {
    /// Whether this status has no information. A task stores such a status as `None`.
    ///
    /// An exit code of 0 without an id and a pid counts as no information, because the
    /// JSON form cannot distinguish it from an unknown exit code.
    pub fn is_empty(&self) -> bool {
        let Self { container_id, pid, exit_code } = self;
        container_id.is_empty() && pid.unwrap_or(0) == 0 && exit_code.unwrap_or(0) == 0
    }
}

/// The ports that a task publishes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PortStatus {
    /// One entry for each published port and address family. Keep their order stable: a
    /// different order counts as a changed status.
    pub ports: Vec<PortConfig>,
}

impl PortStatus {
    /// Whether there are no ports.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }
}

impl FromIterator<PortConfig> for PortStatus {
    fn from_iter<I: IntoIterator<Item = PortConfig>>(ports: I) -> Self {
        Self { ports: ports.into_iter().collect() }
    }
}

/// One published port.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct PortConfig {
    /// A name for the port. It may be empty.
    pub name: String,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The port on which the workload listens.
    pub target_port: u16,
    /// The port under which clients reach it.
    pub published_port: u16,
    /// The nodes on which clients reach it.
    pub publish_mode: PublishMode,
}

/// A transport protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// The name on the wire, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocolError;

    fn from_str(name: &str) -> Result<Self, UnknownProtocolError> {
        match name {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            unknown => Err(UnknownProtocolError(unknown.into())),
        }
    }
}

/// The error for a name that is not a transport protocol.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown protocol `{0}`: expected tcp, udp or sctp")]
pub struct UnknownProtocolError(String);

/// The nodes on which a published port is open.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum PublishMode {
    /// On every node of the swarm, through its routing mesh.
    #[default]
    Ingress,
    /// On the node where the task runs.
    Host,
}

impl PublishMode {
    /// The name on the wire, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for PublishMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for PublishMode {
    type Err = UnknownPublishModeError;

    fn from_str(name: &str) -> Result<Self, UnknownPublishModeError> {
        match name {
            "ingress" => Ok(Self::Ingress),
            "host" => Ok(Self::Host),
            unknown => Err(UnknownPublishModeError(unknown.into())),
        }
    }
}

/// The error for a name that is not a publish mode.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown publish mode `{0}`: expected ingress or host")]
pub struct UnknownPublishModeError(String);
