//! An agent that takes operating-system processes through their lives.
//!
//! For Linux. From what is read to what is done:
//!
//! - [`task_file`]: a TOML file of tasks; [`definition`]: what one of them is.
//! - [`agent`]: takes all of them through their lives.
//! - [`controller`]: the library's controller for a process.
//! - [`keeper`]: the small process that holds one workload, and its client.
//! - [`log`]: a task's output on disk, written by its keeper and read by others.
//! - [`board`], [`view`], [`output`]: what there is to see, and how it is shown.

#[cfg(not(target_os = "linux"))]
compile_error!("process-agent is for Linux: it needs pidfds, child subreapers and /proc");

pub mod agent;
pub mod board;
pub mod controller;
pub mod definition;
pub mod keeper;
pub mod listing;
pub mod log;
pub mod output;
pub mod socket;
pub mod stamp;
pub mod state;
pub mod task_file;
pub mod view;
pub mod watcher;
