//! A worker of a Docker Swarm that runs its tasks with `onward`.
//!
//! - [`wire`]: the messages between managers and workers.

pub mod wire;
