//! Test support: virtual time, scripted controllers, `proptest` strategies, and the
//! contract kit.
//!
//! | To test | Use |
//! |---|---|
//! | your controller against the rules of [`Controller`](crate::Controller) | the kit in [`contract`] |
//! | code that waits, without waiting | [`VirtualTime`] and the runtime [`VirtualPool`] |
//! | a loop or an agent, without real workloads | [`ScriptedController`], [`ScriptedExecutor`] and [`ScriptedReporter`] |
//! | with random statuses, events, scripts and assignments | the [strategies](strategy) of `proptest` |
//! | which edges your tests have taken | [`Coverage`] |
//!
//! Requires the feature `testing`.

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
pub use reporter::{Delivery, Reply, ScriptedReporter};
pub use scenario::{Request, Scenario};
pub use script::{Behavior, Script};
pub use scripted::{NoopController, ScriptedController, ScriptedExecutor};
pub use time::{Turn, VirtualClock, VirtualSleep, VirtualTime};
pub use trace::{CallEvent, Trace, TraceEntry};

#[doc(no_inline)]
pub use crate::exec::Call;
