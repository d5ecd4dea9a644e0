//! An agent that takes operating-system processes through their lives.
//!
//! - [`definition`]: what a process task is, as a user writes it.
//! - [`task_file`]: a TOML file of such tasks.
//! - [`log`]: a task's output on disk, written by one process and read by others.
//! - [`keeper`]: the small process that holds one workload, and its client.

pub mod board;
pub mod definition;
pub mod keeper;
pub mod log;
pub mod stamp;
pub mod task_file;
