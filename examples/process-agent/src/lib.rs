//! An agent that takes operating-system processes through their lives.
//!
//! For Linux. What is not about processes is in [`agent_kit`]. From what is read to what is done:
//!
//! - [`definition`]: what a task is, as it stands in a task file.
//! - [`controller`]: the library's controller for a process.
//! - [`keeper`]: the small process that holds one workload, and its client.
//! - [`process_state`], [`init`]: what the program inherits, and what it does as process 1.
//! - [`log`]: a task's output on disk, written by its keeper and read by others.

#[cfg(not(target_os = "linux"))]
compile_error!("process-agent is for Linux: it needs pidfds, child subreapers and /proc");

mod blocking;
pub mod controller;
pub mod definition;
pub mod init;
pub mod keeper;
pub mod log;
pub mod process_state;
mod turns;

pub(crate) use agent_kit::stamp;
