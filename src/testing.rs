//! What tests are made with.
//!
//! - Virtual time, and a runtime in it.
//! - Controllers, executors and connections that do what a script says.
//! - Whatever can be and happen, as [strategies](strategy) of `proptest`.
//! - The edges that a run has [covered](Coverage).
//! - A kit that checks a controller against its [contract].
//!
//! It needs the feature `testing`.

pub mod contract;
mod coverage;
mod pool;
mod reporter;
mod scenario;
mod script;
mod scripted;
pub mod strategy;
mod time;
mod trace;

pub use coverage::{Coverage, CoverageLayer};
pub use pool::VirtualPool;
pub use reporter::{Reply, ScriptedReporter, Taken};
pub use scenario::{Scenario, Wish};
pub use script::{Behavior, Script};
pub use scripted::{NoopController, ScriptedController, ScriptedExecutor};
pub use time::{Turn, VirtualClock, VirtualSleep, VirtualTime};
pub use trace::{CallEvent, Trace, TraceEntry};

#[doc(no_inline)]
pub use crate::exec::Call;
