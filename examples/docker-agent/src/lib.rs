//! An agent that runs containers on a Docker engine.
//!
//! The parts that are not about containers are in [`agent_kit`]. From a definition to a container:
//!
//! - [`definition`]: a task as it is written in a task file; [`dependencies`]: its secrets, configs and
//!   credentials. [`login`]: the credentials of `docker login`.
//! - [`compose`]: reads Compose files as tasks.
//! - [`engine`]: the connection to the engine; [`error`]: its errors.
//! - [`executor`], [`controller`]: the library's executor and controller for containers.
//! - [`agent`]: the executor of the program, whose tasks are containers and processes. [`task`]: the
//!   definition of either. [`demo`]: the tasks of the demo, and their image.
//! - [`files`]: secrets and configs as files in memory.
//! - [`labels`], [`name`]: how containers are named and found again.
//! - [`end`]: how a container has ended.

#[cfg(not(target_os = "linux"))]
compile_error!("docker-agent is for Linux: agent-kit needs /proc");

pub mod agent;
pub mod compose;
mod container;
pub mod controller;
mod create;
pub mod definition;
pub mod demo;
pub mod dependencies;
pub mod end;
pub mod engine;
mod env_file;
pub mod error;
mod events;
pub mod executor;
pub mod files;
mod jobs;
pub mod labels;
pub mod login;
mod logs;
pub mod name;
mod network;
mod ports;
mod pull;
mod requests;
pub mod task;
mod task_file;
