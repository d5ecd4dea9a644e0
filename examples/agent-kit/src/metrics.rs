//! Metrics of an agent for Prometheus, and whether the agent is healthy. [`http`](crate::http)
//! serves both.
//!
//! | file | content |
//! |---|---|
//! | `families.rs` | [`Metrics`]: every metric, with its name, help text and labels |
//! | `events.rs` | counts the library's `tracing` events, and records those of a task |
//! | `calls.rs` | measures and records the calls of the executor and its controllers |
//! | `recorded.rs` | [`Recorded`]: the metrics, with the histories of the tasks |
//! | `vitals.rs` | [`Vitals`]: values that are read for each answer, such as the states of the tasks |
//!
//! An agent without `--http` uses nothing of this.

mod calls;
mod events;
mod families;
mod recorded;
mod vitals;

pub use calls::Calls;
pub use events::Events;
pub use families::Metrics;
pub use recorded::Recorded;
pub use vitals::Vitals;
