//! Drives tasks over time: retries, deadlines, persistence.
//!
//! - [`Driver`] takes one task through its whole life.
//! - [`Worker`] runs many tasks, stores them, and resumes them after a restart.
//! - [`Reporter`] delivers statuses over a connection that may fail.
//! - [`Store`] keeps what must outlive the agent; [`MemoryStore`] does not outlive it.
//! - [`Policy`] has the back-off and the deadlines.
//! - [`Runtime`] is what all of them need of the program around them.
//!
//! This layer needs the feature `std`. It starts no thread and has no runtime of its own: what
//! loops is a future, and you decide where it runs. Each module has what belongs to one of
//! these; the names that most agents use are here too.

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
