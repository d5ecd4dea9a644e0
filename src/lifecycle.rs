//! States, transitions and the status of a task: pure, `no_std`.
//!
//! There is no `async`, no clock, no logging and no panic here. Time is passed in
//! as a value.
//!
//! The agent takes the solid edges, a manager takes the dashed ones. An edge has the
//! color of the end that it leads to. A failure before STARTING is a rejection.
//!
//! <div>
#![doc = include_str!("../docs/lifecycle.svg")]
//! </div>

mod answer;
mod any_task;
mod decision;
mod edge;
mod event;
pub mod state;
mod status;
mod table;
mod task;

pub use answer::{Answer, InvalidOperationError};
pub use any_task::{AnyTask, ApplyError, InvalidTransitionError, Observed};
pub use decision::{Decision, Operation, decide};
pub use edge::{Actor, EDGES, Edge, Live, Transition};
pub use event::{Event, EventKind, Failure};
pub use state::{State, TaskState, UnknownStateError};
#[cfg(feature = "serde")]
pub use status::stored as stored_status;
pub use status::{
    ContainerStatus, PortConfig, PortStatus, Protocol, PublishMode, TaskStatus,
    UnknownProtocolError, UnknownPublishModeError,
};
pub use task::Task;
