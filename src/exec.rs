//! Controllers and their operations: async, without a runtime.
//!
//! You implement [`Controller`] and [`Executor`]. [`resolve`] gets the controller of a
//! task, and [`step`] runs one operation. There is no loop, no retry and no delay here.
//! The rule is: *borrow to decide, await the effect, consume to record*. An operation's
//! future never owns the task, so you can drop it at any time without losing the task.

mod call;
mod clock;
mod controller;
mod error;
mod executor;
mod logs;
mod observe;
mod progress;
mod resolve;
mod step;
pub(crate) mod trace;

pub use call::Call;
#[cfg(feature = "std")]
pub use clock::SystemClock;
pub use clock::WallClock;
pub use controller::{BoxController, Controller, Inspected, Inspection};
pub use error::{ControllerError, ErrorKind};
pub use executor::{Assignment, Executor};
pub use logs::{
    ControllerLogs, LogAttribute, LogMessage, LogPublisher, LogPublisherProvider, LogStream,
    LogSubscriptionOptions, LogTail, SharedLogs,
};
pub use observe::{CallObserver, CallOutcome, ObservedController, ObservedExecutor};
pub use progress::ProgressReporter;
pub use resolve::resolve;
#[cfg(feature = "std")]
pub(crate) use step::{FromError, News, differing, known};
pub use step::{Outcome, perform, step};
pub use trace::task_span;
