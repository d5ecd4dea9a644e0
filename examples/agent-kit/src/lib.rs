//! Everything that an agent needs beside its controller: a task file, a state directory, a socket,
//! the commands `run`, `ps`, `logs` and `stop`, a live table, and a status page with metrics.
//!
//! To make an agent, implement three traits. A [`Definition`] is the workload of a task. A
//! [`FileDefinition`] has its keys in a `[[task]]` of the task file. A [`TaskExecutor`] makes the
//! controllers. In `main`, make a [`Program`] and pass the parsed [`Command`] to [`run`](fn@run). The
//! README has the smallest complete agent.
//!
//! An agent without a task file, such as one whose tasks come from a manager, needs no
//! [`FileDefinition`]. It starts a [`Host`](host::Host) and assigns the tasks itself.
//!
//! The modules, from the input to the output:
//!
//! - [`task_file`]: reads a TOML file of tasks. [`values`]: values that several kinds of tasks have.
//!   [`watcher`]: reads the file again when it changes.
//! - [`state`]: the directory with everything that outlives the agent.
//! - [`agent`]: runs the tasks of a task file. [`host`]: runs the tasks of any agent. [`spec`]: what the
//!   store has of each task.
//! - [`board`], [`view`], [`output`]: show the tasks and their output.
//! - [`listing`], [`socket`]: answer other programs. [`http`]: the status page, an API, metrics and
//!   health, from [`metrics`] and [`history`].
//! - [`commands`]: the subcommands of the program. [`signals`]: the signals that end it.

#[cfg(not(target_os = "linux"))]
compile_error!("agent-kit is for Linux: it needs /proc");

pub mod agent;
pub mod board;
pub mod commands;
pub mod history;
pub mod host;
pub mod http;
mod json;
mod kind;
pub mod listing;
mod log_line;
pub mod logging;
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

pub use commands::{ClientCommand, Command, run, run_client};
pub use kind::{
    Definition, FileDefinition, Keys, LOG_SOURCE, Position, Problem, TaskExecutor, Translated,
};
pub use program::Program;

/// The README. Its blocks of code are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
