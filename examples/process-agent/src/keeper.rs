//! The keeper: a small process that holds one workload, and its client.
//!
//! A task has a directory of its own, in which everything lies that outlives the agent:
//!
//! | file | written by | content |
//! |---|---|---|
//! | `spec.json` | [`Keeper::prepare`] | the definition, and the task's token |
//! | `keeper.json` | the keeper | which processes it and the workload are; there before the workload is |
//! | `control.sock` | the keeper | where it tells its state and takes requests |
//! | `log`, `log.1`, … | the keeper | the [output](crate::log) |
//! | `exit.json` | the keeper | how it ended; its space is reserved beforehand |
//! | `keeper.err` | the keeper | what it could not tell otherwise |
//! | `work/` | the workload | its working directory, unless it has another |
//! | `prepare/`, `probe/` | the [controller](crate::controller) | as this one, for the prepare command and the try of a readiness probe that runs |
//!
//! # One writer at a time
//!
//! Whoever writes a task's directory holds an exclusive `flock` on the directory itself. These are
//! the writers:
//!
//! 1. [`Keeper::prepare`] makes the directory, locks it, writes what a start needs, and unlocks it.
//! 2. [`Keeper::spawn`] locks it and hands the open directory to the launcher as its standard
//!    input; the launcher hands it to the keeper in the same way. `spawn` keeps no copy. So from
//!    the decision to start a workload until the keeper's end, there is no moment at which the lock
//!    is free.
//! 3. [`Keeper::end`] locks the directory of a task that was never started, and writes an exit
//!    record, so that it cannot be started any more.
//! 4. The removal locks the directory, renames it, and deletes it.
//!
//! A reader that finds no keeper to connect to takes the lock shared while it reads the records. If
//! it cannot have the lock, there is a writer, and nothing is known yet. If it can, the records
//! are the truth:
//!
//! | `keeper.json` | `exit.json` | the task |
//! |---|---|---|
//! | missing | | was not started, and no keeper is on its way |
//! | there | a record | has ended, or its start was refused |
//! | there | blank | is [lost](State::Lost): its keeper was killed |
//!
//! So the outcome of a launch is known even if the launcher was killed or its status could not be
//! had. The same call of `spawn`, and every later one, looks for it. A start that was refused for
//! a [temporary](NotStarted::is_temporary) reason is done again by the next call, which removes
//! `keeper.json` and blanks `exit.json` before it starts the launcher.
//!
//! A lock is on an open directory, not on its path. After taking one, a writer checks that the
//! path still leads to that directory; otherwise it starts again. The work of a writer in a thread
//! goes on when its future is dropped, so it asks whether its caller still waits: before it makes
//! the directory, and after it has taken the lock. A preparation that is not wanted any more
//! removes the directory that it has made.
//!
//! Programs that clean temporary directories leave locked ones alone, if they follow systemd's
//! rules for that.
//!
//! # The processes of a task
//!
//! Everything that the workload starts belongs to the task: its process group, what has left the
//! group or the session, and daemons that have left their parents. [`Tracking`] is how a keeper
//! finds all of it. The keeper chooses once, takes the first that is possible, and records it in
//! `keeper.json` and in its reports:
//!
//! 1. `cgroup`: a cgroup (v2) named `onward-<token>` below the keeper's own. It is possible for
//!    root, and for a user to whom a cgroup is delegated. The workload is in it from its first
//!    instant. `cgroup.kill` kills all of it at once, also what is frozen or of another user.
//! 2. `children`: the kernel's lists of children (`CONFIG_PROC_CHILDREN`), from the keeper down.
//! 3. `scan`: the parents of all processes of the machine. A keeper scans only when something is
//!    left 20 ms after a signal to the workload's process group.
//!
//! In each case the keeper is the subreaper of all that the workload starts: what leaves its parent
//! becomes the keeper's child. So the keeper knows without a look that nothing is left: it has no
//! child any more.
//!
//! # How a task ends
//!
//! On a stop, every process of the task gets the stop signal once: the process group, and then each
//! process outside of it. The keeper waits until all have ended, at most for `stop_grace`, and then
//! kills what is left. If the workload's first process ends by itself, what it has left behind gets
//! the stop signal and the same grace. The exit code is that of the first process in each case. The
//! task is running until nothing is left.
//!
//! What survives are processes that the keeper's user may not kill, like a set-user-ID program, where
//! there is no cgroup. A workload that is killed and does not end is held by a tracer, so all its
//! descendants are killed with it, in whatever group they are.
//!
//! When the task's directory is removed, nobody can ask for anything any more: the keeper looks
//! again and again whether its `keeper.json` is still there, and stops the workload if not. It looks
//! after 1 s, 2 s, 4 s and so on, at last every 30 s; and at once when a client leaves, when it gets
//! a request, or when it is sent `CONT`. While an agent is connected, the keeper looks 10 min later.
//! The agent looks every 10 s instead, for all of its tasks at the same moment, and sends an empty
//! request if `keeper.json` is gone. So thousands of keepers sleep. An agent that waits for the end of such a task, or of one whose directory was moved
//! or replaced, finds the keeper by the path in its arguments, and stops it ([`Keeper::end`]).
//!
//! When the keeper is stopped, [`Keeper::end`] wakes it, or kills it if that does not help and
//! the end is forced.
//!
//! When the keeper is killed, [`Keeper::sweep`] kills what is left in the cgroup. What escapes is
//! a process of root's that has moved to another cgroup. Without a cgroup, `sweep` finds what is
//! left by the token in its environment. What has cleared its environment *and* has no living
//! ancestor with the token escapes then, and so does the workload of another keeper that ran inside
//! the task, since its environment has that keeper's token.
//!
//! # What a keeper costs
//!
//! It has two threads. One waits in a single `poll` for signals, clients and deadlines, and never
//! for the log's disk or a slow client. The other one copies the output to the log, which may take as long as
//! the disk takes.

mod cgroup;
mod client;
mod complain;
mod control;
mod ending;
mod environment;
mod executable;
mod exit;
mod files;
#[doc(hidden)]
pub mod fuzzing;
mod lock;
mod members;
mod output;
mod procfs;
mod removal_watch;
mod run;
mod signals;
mod state;
mod sweep;
mod workload;

pub use client::{End, Keeper, KeeperError, Spawned, State};
pub(crate) use client::{PATIENCE, POLL};
pub use environment::TOKEN_VARIABLE;
pub use executable::{ExecutableError, find_executable};
pub use exit::{By, Ended, Exit, NotStarted};
pub(crate) use lock::try_lock;
pub use members::Tracking;
pub use run::run_if_asked;
