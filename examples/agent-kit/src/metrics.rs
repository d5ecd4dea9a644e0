//! Metrics of an agent for Prometheus, and whether the agent is healthy, over HTTP.
//!
//! | file | what it has |
//! |---|---|
//! | `families.rs` | [`Metrics`]: every metric, with its name, help text and labels |
//! | `events.rs` | counts the library's `tracing` events |
//! | `calls.rs` | measures the calls of the executor and its controllers |
//! | `vitals.rs` | [`Vitals`]: what is looked at for each answer, such as the states of the tasks |
//! | `address.rs` | reads `--metrics ADDR` |
//! | `server.rs` | [`MetricsServer`]: answers `GET /metrics` and `GET /healthz` |
//!
//! Nothing of this exists in an agent that runs without `--metrics`.

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
