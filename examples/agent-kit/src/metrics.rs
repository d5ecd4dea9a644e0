//! Metrics of an agent for Prometheus, and whether the agent is healthy, over HTTP.
//!
//! | file | content |
//! |---|---|
//! | `families.rs` | [`Metrics`]: every metric, with its name, help text and labels |
//! | `events.rs` | counts the library's `tracing` events |
//! | `calls.rs` | measures the calls of the executor and its controllers |
//! | `vitals.rs` | [`Vitals`]: values that are read for each answer, such as the states of the tasks |
//! | `address.rs` | parses `--metrics ADDR` |
//! | `server.rs` | [`MetricsServer`]: answers `GET /metrics` and `GET /healthz` |
//!
//! An agent without `--metrics` uses nothing of this.

mod address;
mod calls;
mod events;
mod families;
mod server;
mod vitals;

pub use address::{AddressError, parse_address};
pub use calls::Calls;
pub use events::Events;
pub use families::Metrics;
pub use server::{BindError, MetricsServer};
pub use vitals::Vitals;
