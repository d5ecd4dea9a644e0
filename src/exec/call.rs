//! `Call`: the methods of an executor and of a controller, as values.

use core::fmt;

/// A method of an [`Executor`](super::Executor) or a [`Controller`](super::Controller),
/// for logs, metrics and tests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the method of its name")]
pub enum Call {
    /// [`Executor::controller`](super::Executor::controller).
    Controller,
    Update,
    Prepare,
    Start,
    Wait,
    Shutdown,
    Terminate,
    Remove,
    Close,
    Inspect,
    /// [`Executor::list`](super::Executor::list).
    List,
    /// [`Executor::reconcile`](super::Executor::reconcile).
    Reconcile,
}

impl Call {
    /// The name of the method.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Controller => "controller",
            Self::Update => "update",
            Self::Prepare => "prepare",
            Self::Start => "start",
            Self::Wait => "wait",
            Self::Shutdown => "shutdown",
            Self::Terminate => "terminate",
            Self::Remove => "remove",
            Self::Close => "close",
            Self::Inspect => "inspect",
            Self::List => "list",
            Self::Reconcile => "reconcile",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
