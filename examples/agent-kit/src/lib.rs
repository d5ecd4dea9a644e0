//! What an agent needs beside its controller.
//!
//! An agent made with this kit brings two things: a [`Definition`], which says what stands in
//! the `[[task]]` of a file and what it means, and a [`TaskExecutor`], which makes the
//! controllers. Its program has a [`Program`] and hands the [`Command`]s on to [`run`](fn@run). The
//! README has a complete smallest agent.
//!
//! From what is read to what is done:
//!
//! - [`task_file`]: a TOML file of tasks, with [`values`] that several kinds of tasks have;
//!   [`watcher`]: it is read again when it changes.
//! - [`state`]: the directory in which everything lies that outlives the agent.
//! - [`agent`]: takes all tasks through their lives; [`spec`]: what it stores of each.
//! - [`board`], [`view`], [`output`]: what there is to see, and how it is shown.
//! - [`listing`], [`socket`]: what others are told of it; [`metrics`]: what Prometheus is told.
//! - [`commands`]: the subcommands of the program; [`signals`]: what ends it.

#[cfg(not(target_os = "linux"))]
compile_error!("agent-kit is for Linux: it needs /proc");

pub mod agent;
pub mod board;
pub mod commands;
mod json;
mod kind;
pub mod listing;
mod logging;
pub mod logs;
pub mod metrics;
mod note;
pub mod output;
mod program;
pub mod signals;
pub mod socket;
pub mod spec;
pub mod stamp;
pub mod state;
pub mod task_file;
pub mod tasks;
pub mod values;
pub mod view;
pub mod watcher;
mod workload;

pub use commands::{Command, run};
pub use kind::{Definition, Keys, LOG_SOURCE, TaskExecutor};
pub use program::Program;

/// The README, whose blocks of code are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
