//! The keeper: a small process that runs one workload, and the agent's client for it.
//!
//! Each task has a directory with everything that must survive the agent:
//!
//! | file | written by | content |
//! |---|---|---|
//! | `spec.json` | [`Keeper::prepare`] | the definition, and the task's token |
//! | `keeper.json` | the keeper | the process ids of the keeper and the workload; written before the workload starts |
//! | `control.sock` | the keeper | the socket for reports and requests |
//! | `log`, `log.1`, … | the keeper | the [output](crate::log) |
//! | `exit.json` | the keeper | how the workload ended; its disk space is reserved before the start |
//! | `keeper.err` | the keeper | errors that it could not report otherwise |
//! | `work/` | the workload | its working directory, unless the definition has another one |
//! | `prepare/`, `probe/` | the [controller](crate::controller) | a directory like this one for the prepare command, and one for the current readiness probe |
//!
//! # One writer at a time
//!
//! A process that writes to a task's directory holds an exclusive `flock` on the directory itself.
//! These are the writers:
//!
//! 1. [`Keeper::prepare`] creates the directory, locks it, writes the files for the start, and
//!    unlocks it.
//! 2. [`Keeper::spawn`] locks it and passes the open directory to the launcher as its standard
//!    input. The launcher passes it to the keeper in the same way. `spawn` keeps no copy. So from
//!    the decision to start a workload until the keeper's end, the lock is never free.
//! 3. [`Keeper::end`] locks the directory of a task that was never started, and writes an exit
//!    record, so that it can no longer be started.
//! 4. The removal locks the directory, renames it, and deletes it.
//!
//! A reader first tries to connect to the keeper. If there is no keeper, it takes a shared lock and
//! reads the records. If it cannot get the lock, there is a writer, and the state is not known yet.
//! If it gets the lock, the records show the state:
//!
//! | `keeper.json` | `exit.json` | the task |
//! |---|---|---|
//! | missing | | was not started, and no keeper is starting |
//! | exists | a record | has ended, or its start was refused |
//! | exists | blank | is [lost](State::Lost): its keeper was killed |
//!
//! So the result of a launch is known even if the launcher was killed or its exit status was lost.
//! The same call of `spawn`, and every later one, reads it. If a start was refused for a
//! [temporary](NotStarted::is_temporary) reason, the next call tries again. It removes `keeper.json`
//! and blanks `exit.json` before it starts the launcher.
//!
//! A lock belongs to an open directory, not to a path. After taking a lock, a writer checks that the
//! path still leads to that directory. Otherwise it starts again.
//!
//! A writer in a thread continues when its future is dropped. So it checks whether its caller still
//! waits: before it creates the directory, and after it has taken the lock. A preparation that is no
//! longer wanted removes the directory that it has created.
//!
//! Programs that clean temporary directories skip locked ones, if they follow systemd's rules.
//!
//! # The processes of a task
//!
//! All processes that the workload starts belong to the task: its process group, processes that have
//! left the group or the session, and daemons. [`Tracking`] is how a keeper finds them. The keeper
//! uses the first way that works, and records it in `keeper.json` and in its reports:
//!
//! 1. `cgroup`: a cgroup (v2) named `onward-<token>` below the keeper's own. This works for root,
//!    and for a user with a delegated cgroup. The workload is in it from the start. `cgroup.kill`
//!    kills all processes at once, including frozen processes and those of other users.
//! 2. `children`: the kernel's lists of children (`CONFIG_PROC_CHILDREN`), starting at the keeper.
//! 3. `scan`: the parents of all processes of the machine. A keeper scans only if processes are left
//!    20 ms after a signal to the workload's process group.
//!
//! In each case the keeper is the subreaper of all processes that the workload starts. A process
//! whose parent ends becomes a child of the keeper. So the task has ended when the keeper has no
//! children.
//!
//! # How a task ends
//!
//! On a stop, every process of the task gets the stop signal once: first the process group, then each
//! process outside of it. The keeper waits until all have ended, at most for `stop_grace`. Then it
//! kills those that are left. If the workload's first process exits by itself, the others get the
//! stop signal and the same grace. In both cases, the exit code is that of the first process. The
//! task is running until no process is left.
//!
//! Without a cgroup, a process survives if the keeper's user may not kill it, for example a
//! set-user-ID program. If a killed workload does not end, a tracer is holding it. Then the keeper
//! kills all its descendants, in all process groups.
//!
//! If the task's directory is removed, no client can send requests any more. So the keeper checks
//! whether its `keeper.json` still exists, and stops the workload if not. It checks after 1 s, 2 s,
//! 4 s and so on, up to every 30 s. It also checks when a client disconnects, when it gets a request,
//! and when it gets the signal `CONT`.
//!
//! While an agent is connected, the keeper checks 10 min later. The agent checks instead: every 10 s,
//! for all of its tasks at the same moment. If `keeper.json` is gone, the agent sends an empty
//! request. So thousands of keepers can sleep.
//!
//! An agent may wait for a task whose directory was removed, moved or replaced. It finds the keeper
//! by the path in the keeper's arguments, and stops it ([`Keeper::end`]).
//!
//! If the keeper is stopped by a signal, [`Keeper::end`] wakes it. If that does not help and the end
//! is forced, it kills the keeper.
//!
//! If the keeper is killed, [`Keeper::sweep`] kills the processes in the cgroup. Only a process of
//! root that has moved to another cgroup escapes. Without a cgroup, `sweep` finds the processes by
//! the token in their environment. A process escapes if it has cleared its environment *and* has no
//! living ancestor with the token. The workload of another keeper inside the task escapes too,
//! because its environment has that keeper's token.
//!
//! # What a keeper costs
//!
//! A keeper has two threads. One waits in a single `poll` for signals, clients and deadlines. It
//! never waits for the log's disk or for a slow client. The other one copies the output to the log,
//! and may wait for the disk.

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
pub(crate) use client::{POLL, SILENCE_LIMIT};
pub use environment::TOKEN_VARIABLE;
pub use executable::{ExecutableError, find_executable};
pub use exit::{By, Ended, Exit, NotStarted};
pub(crate) use lock::try_lock;
pub use members::Tracking;
pub use run::run_if_asked;
