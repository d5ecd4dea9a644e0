//! An agent that runs operating-system processes as tasks.
//!
//! It runs on Linux. Everything that does not depend on processes is in [`agent_kit`]. The modules,
//! from the input to the output:
//!
//! - [`definition`]: a task, as it is written in a task file.
//! - [`controller`]: the library's controller for a process.
//! - [`keeper`]: the small process that runs one workload, and the client for it.
//! - [`program`]: the main function. [`process_state`]: what processes inherit. [`init`]: the program
//!   as process 1 of a container.
//! - [`log`]: a task's output on disk.

#[cfg(not(target_os = "linux"))]
compile_error!("process-agent is for Linux: it needs pidfds, child subreapers and /proc");

mod blocking;
pub mod controller;
pub mod definition;
pub mod init;
pub mod keeper;
pub mod log;
pub mod process_state;
pub mod program;
mod turns;

pub(crate) use agent_kit::stamp;
