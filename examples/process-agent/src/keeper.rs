//! The keeper: a small process that holds one workload, and its client.
//!
//! A task has a directory of its own, in which everything lies that outlives the agent:
//!
//! | file | written by | content |
//! |---|---|---|
//! | `spec.json` | [`Keeper::prepare`] | the definition, and the task's token |
//! | `lock` | the keeper | locked for as long as the keeper lives |
//! | `keeper.json` | the keeper | which processes it and the workload are; there before the workload is |
//! | `control.sock` | the keeper | where it tells its state and takes requests |
//! | `log`, `log.1`, … | the keeper | the [output](crate::log) |
//! | `exit.json` | the keeper | how it ended; its space is reserved beforehand |
//! | `keeper.err` | the keeper | what it could not tell otherwise |
//! | `work/` | the workload | its working directory, unless it has another |
//! | `prepare/`, `probe/` | the [controller](crate::controller) | as this one, for the prepare command and the try of a readiness probe that runs |
//!
//! # What survives a task
//!
//! As long as its keeper lives, nothing: the keeper is the subreaper of all that the
//! workload starts, so that whatever leaves the workload's process group, session or parent
//! becomes the keeper's child when the workload has ended, and is killed then. What is excepted
//! are processes that the keeper's user may not kill, like a set-user-ID program. A workload that
//! is killed and does not end is held by a tracer, so all its descendants are killed with it, in
//! whatever group they are.
//!
//! When the task's directory is removed, nobody can ask for anything any more: the keeper looks
//! every second whether its `keeper.json` is still there, and stops the workload if not.
//!
//! When the keeper is stopped, [`Keeper::end`] wakes it, or kills it if that does not help and
//! the end is forced.
//!
//! When the keeper is killed, [`Keeper::sweep`] finds what is left by the token in its
//! environment. What has cleared its environment *and* has no living ancestor with the
//! token escapes, and so does the workload of another keeper that ran inside the
//! task, since its environment has that keeper's token.

mod client;
mod control;
mod environment;
mod executable;
mod exit;
mod files;
mod lock;
mod output;
mod procfs;
mod run;
mod state;
mod sweep;
mod workload;

pub use client::{End, Keeper, KeeperError, Spawned, State};
pub(crate) use client::{PATIENCE, POLL};
pub use executable::{ExecutableError, find_executable};
pub use exit::{By, Ended, Exit, NotStarted};
pub(crate) use lock::try_lock;
pub use run::{Stage, run};

/// The environment variable that marks every process of a task.
pub const TOKEN_VARIABLE: &str = "ONWARD_TASK";

/// Leaves a line in `keeper.err`. Not by `eprintln`, which panics on a full disk.
fn complain(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "keeper: {text}");
}
