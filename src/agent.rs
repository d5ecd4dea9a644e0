//! What goes on: the loops around a task, with time.
//!
//! It needs the feature `std`. It starts no thread and has no runtime: what
//! loops is a future, for the embedder to run.

mod driver;
pub(crate) mod panic;
mod policy;
mod reporter;
mod store;
mod timer;
#[cfg(feature = "tokio")]
mod tokio;
mod worker;

#[cfg(feature = "tokio")]
pub use self::tokio::{TokioSpawner, TokioTimer};
pub use driver::{
    Driver, DriverHandle, Ended, Past, Snapshot, StatusSink, Surroundings, UpdateRefused, Watch,
};
pub use policy::{InvalidPolicy, Policy};
pub use reporter::{
    ReportError, Reporter, ReporterHandle, StatusReporter, StatusUpdate, TaskReportError,
};
pub use store::{MemoryStore, Store, StoreChange, StoreError, StoredTask, TaskRecord};
#[cfg(feature = "redb")]
pub use store::{Migration, OpenStoreError, RedbOptions, RedbStore};
#[cfg(feature = "testing")]
pub use store::{StoreCall, StoreFault};
pub use timer::Timer;
pub use worker::{
    AssignError, AssignedTask, AssignmentChange, Changes, Listener, LogSelector, RefusedTask,
    TaskView, Worker, WorkerHandle,
};
