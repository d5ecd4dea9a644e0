//! What the world is told of a task: the wire form.

use super::state::TaskState;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use time::UtcDateTime;

#[cfg(feature = "serde")]
mod wire;

/// What is reported of a task, stored, and taken up again.
///
/// It is the `Status` of a task in the Docker Engine API's `GET /tasks`, and
/// with the feature `serde` it is printed and read as that API prints it.
/// A status is data: it can say anything. A [`Task`](super::Task) can not.
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
    /// When anything else in this status last changed.
    pub timestamp: Option<UtcDateTime>,
    /// The state.
    pub state: TaskState,
    /// The last step, in a word or two: `started`.
    pub message: Cow<'static, str>,
    /// What went wrong, with its causes; empty where nothing did.
    pub err: Cow<'static, str>,
    /// The container, where there is one.
    pub container_status: Option<ContainerStatus>,
    /// The ports that the task has on its host.
    pub port_status: PortStatus,
}

impl TaskStatus {
    /// A status that says nothing but the state.
    pub const fn new(state: TaskState) -> Self {
        Self {
            timestamp: None,
            state,
            message: Cow::Borrowed(""),
            err: Cow::Borrowed(""),
            container_status: None,
            port_status: PortStatus { ports: Vec::new() },
        }
    }
}

/// What runs the workload, as far as one can tell from outside.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ContainerStatus {
    /// The container's id in its engine.
    pub container_id: String,
    /// The process id of its first process; 0 where none is known.
    pub pid: i32,
    /// What that process exited with: 0 while it runs, 128 + n where signal n
    /// ended it.
    pub exit_code: i32,
}

impl ContainerStatus {
    /// Whether this says nothing: such a status counts as none.
    pub fn is_empty(&self) -> bool {
        self.container_id.is_empty() && self.pid == 0 && self.exit_code == 0
    }
}

/// The ports that a task has on its host.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PortStatus {
    /// One entry a published port and address family, in a stable order: a
    /// status whose ports change their order has changed.
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
    /// A name for it; may be empty.
    pub name: String,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The port on which the workload listens.
    pub target_port: u16,
    /// The port under which the world finds it.
    pub published_port: u16,
    /// Where the world finds it.
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
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, UnknownProtocol> {
        match name {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            "sctp" => Ok(Self::Sctp),
            unknown => Err(UnknownProtocol(unknown.into())),
        }
    }
}

/// A name that is no transport protocol.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown protocol `{0}`: expected tcp, udp or sctp")]
pub struct UnknownProtocol(String);

/// Where a published port is open.
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
    type Err = UnknownPublishMode;

    fn from_str(name: &str) -> Result<Self, UnknownPublishMode> {
        match name {
            "ingress" => Ok(Self::Ingress),
            "host" => Ok(Self::Host),
            unknown => Err(UnknownPublishMode(unknown.into())),
        }
    }
}

/// A name that is no publish mode.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown publish mode `{0}`: expected ingress or host")]
pub struct UnknownPublishMode(String);
