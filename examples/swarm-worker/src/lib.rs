//! A worker of a Docker Swarm that runs its tasks with `onward`.
//!
//! From a join token to a connection to a manager:
//!
//! - [`wire`]: the messages between managers and workers.
//! - [`token`]: the join token. [`certificate`]: certificates of a swarm, and what they contain.
//! - [`identity`]: the key and the certificate of a node, and their files.
//! - [`tls`]: whom a connection trusts. [`connection`]: connects to one manager.
//! - [`issuance`]: gets a certificate from a manager. [`join`](mod@join): makes this machine a node of
//!   a swarm.
//! - [`credentials`]: the identity of a running worker. [`renewal`]: renews its certificate.
//!
//! From a message of the manager to a container:
//!
//! - [`task`]: the stored definition of a task. [`template`]: the templates in it.
//! - [`dependencies`]: the secrets, configs and registry credentials of tasks.
//! - [`runtime`]: the executor of tasks. [`description`]: the description of the node.
//! - [`status`]: the status of a task as a message.
//!
//! From a connection to a running worker:
//!
//! - [`assignments`]: reads and applies assignments. [`subscriptions`]: sends logs.
//! - [`session`]: one session with one manager. [`managers`]: which manager is next, and when.
//! - [`worker`]: the running worker. [`commands`]: the subcommands of the program.

pub mod assignments;
pub mod certificate;
pub mod commands;
pub mod connection;
pub mod credentials;
mod crypto;
pub mod dependencies;
pub mod description;
pub mod identity;
pub mod issuance;
pub mod join;
pub mod managers;
pub mod renewal;
pub mod runtime;
pub mod session;
pub mod status;
pub mod subscriptions;
pub mod task;
pub mod template;
mod text;
pub mod tls;
pub mod token;
pub mod wire;
pub mod worker;
