//! What is done: the operations of a task's controller, one at a time.
//!
//! It is async but has no runtime, no loop and no delay of its own. The rule
//! of the house: *borrow to decide, await the effect, consume to record*. No
//! operation's future owns a task, so dropping one loses nothing.

mod clock;
mod controller;
mod error;
mod executor;
mod logs;
mod resolve;
mod step;
mod trace;

#[cfg(feature = "std")]
pub use clock::SystemClock;
pub use clock::WallClock;
pub use controller::{BoxController, Controller, Inquiry, Inspection};
pub use error::{ControllerError, ErrorKind};
pub use executor::{Assignment, Executor};
pub use logs::{
    ControllerLogs, LogAttribute, LogMessage, LogPublisher, LogPublisherProvider, LogStream,
    LogSubscriptionOptions, LogTail, SharedLogs,
};
pub use resolve::resolve;
pub use step::{Outcome, Progress, advance, inspect, note, outcome, perform, step};
pub use trace::task_span;
