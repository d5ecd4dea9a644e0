//! The HTTP server of an agent: the status page, a read-only API of the tasks, metrics, and health.
//!
//! | path | content |
//! |---|---|
//! | `/` | the status page |
//! | `/api/tasks`, `/api/tasks/ID`, `/api/tasks/ID/logs`, `/api/events` | the tasks as JSON |
//! | `/metrics`, `/healthz` | metrics for Prometheus, and whether the agent is healthy |
//!
//! `docs/status-page.md` describes all of them. The files:
//!
//! | file | content |
//! |---|---|
//! | `arguments.rs` | [`HttpArguments`]: `--http` and `--http-token-file` |
//! | `address.rs`, `token.rs` | the values of the two |
//! | `server.rs` | [`HttpServer`]: accepts connections, and limits them |
//! | `guard.rs` | who gets an answer: names of hosts, other sites, the token |
//! | `routes.rs` | the paths, and the headers of all answers |
//! | `served.rs` | [`Served`]: the agent that is served |
//! | `tasks.rs`, `events.rs`, `logs.rs` | the API |
//! | `files.rs` | the files of the page, which are in `page/` |
//!
//! An agent without `--http` uses nothing of this.

mod address;
mod arguments;
mod events;
mod files;
mod guard;
mod logs;
mod routes;
mod served;
mod server;
mod tasks;
mod token;

pub use address::{AddressError, parse_address};
pub use arguments::HttpArguments;
pub use served::Served;
pub use server::{BindError, HttpServer};
pub use token::{Token, TokenError};
