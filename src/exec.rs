//! Runs one operation of a task's controller: async, without a runtime.
//!
//! There is no loop and no delay here. The rule is: *borrow to decide, await the
//! effect, consume to record*. No operation's future owns a task, so dropping one
//! loses nothing.

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
