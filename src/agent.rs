//! Drives tasks over time: retries, deadlines, persistence.
//!
//! - [`Driver`] runs one task from its start to its removal.
//! - [`Worker`] runs many tasks, stores them, and resumes them after a restart.
//! - [`Reporter`] delivers statuses over a connection that may fail.
//! - [`Store`] keeps the tasks, so that they survive a restart of the agent. [`MemoryStore`] keeps
//!   them until the process ends.
//! - [`Policy`] has the back-off and the deadlines.
//! - [`Runtime`] has the clock, the sleeps and the `spawn` that all of them use.
//!
//! This layer needs the feature `std`. It starts no thread and has no runtime: drivers, workers and
//! reporters are futures, and you decide where they run. There is a module for each of these
//! types. The types that most agents use are also here.

pub mod driver;
#[cfg(test)]
#[allow(
    clippy::pedantic,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod explore;
mod ids;
mod limit;
pub(crate) mod panic;
pub mod policy;
pub mod reporter;
pub mod runtime;
mod signal;
mod sink;
pub mod store;
mod sync;
pub mod worker;

#[doc(no_inline)]
pub use driver::{Driver, DriverExit, DriverHandle, Snapshot, UpdateError};
#[doc(no_inline)]
pub use policy::Policy;
#[doc(no_inline)]
pub use reporter::{Reporter, ReporterHandle, StatusReporter};
#[doc(no_inline)]
pub use runtime::Runtime;
#[cfg(feature = "tokio")]
#[doc(no_inline)]
pub use runtime::TokioRuntime;
pub use sink::StatusSink;
#[cfg(feature = "redb")]
#[doc(no_inline)]
pub use store::RedbStore;
#[doc(no_inline)]
pub use store::{MemoryStore, Store};
#[doc(no_inline)]
pub use worker::{AssignError, AssignedTask, AssignmentChange, TaskView, Worker, WorkerHandle};
