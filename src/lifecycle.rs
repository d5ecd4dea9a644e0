//! What is true: the states of a task, the edges between them, and what its
//! status says.
//!
//! Everything here is pure and total: no `async`, no clock, no logging, no
//! panic. Time comes in as a value.
//!
//! A solid arrow is an edge that the agent takes, a dashed one is a manager's; its
//! colour is that of the end it leads to. A failure before STARTING is a rejection.
//!
//! <div>
#![doc = include_str!("../docs/lifecycle.svg")]
//! </div>

mod any_task;
mod decision;
mod diagram;
mod edge;
mod event;
pub mod state;
mod status;
mod table;
mod task;

pub use any_task::{AnyTask, InvalidTransition, Observed, Refused};
pub use decision::{Decision, Operation, decide};
pub use diagram::{Diagram, DiagramFormat};
pub use edge::{Actor, EDGES, Edge, Live, Transition};
pub use event::{Event, EventKind, Failure};
pub use state::{State, TaskState, UnknownState};
pub use status::{
    ContainerStatus, PortConfig, PortStatus, Protocol, PublishMode, TaskStatus, UnknownProtocol,
    UnknownPublishMode,
};
pub use task::Task;
