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

pub mod certificate;
pub mod connection;
pub mod credentials;
pub mod identity;
pub mod issuance;
pub mod join;
pub mod renewal;
pub mod tls;
pub mod token;
pub mod wire;
