//! The agent in a container that has no `init`: what process 1 must do, done by a process of its
//! own.
//!
//! Every orphan of a container becomes a child of process 1, which must wait for it; otherwise it
//! stays as a zombie and keeps its number. An agent that waited for every child would also take
//! the statuses that its own code waits for. So process 1 starts the agent as its only child. It
//! waits for all others, passes signals on to the agent, and exits with the agent's code. The
//! system then ends what is left in the container, also tasks that the agent left running.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::SigSet;
use nix::sys::signalfd::SignalFd;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use signal_hook::consts::SIGCHLD;

/// Whether this process is process 1.
#[must_use]
pub fn is_process_1() -> bool {
    getpid() == Pid::INIT
}

/// Runs this program again with the same arguments, as a child, until it has ended.
///
/// # Errors
///
/// The program cannot be started, or the system gives no signals.
pub fn run() -> io::Result<ExitCode> {
    // If it were ignored, as can be inherited, there would be no status to wait for.
    signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)))?;
    // The agent inherits the mask and empties it.
    let all = SigSet::all();
    all.thread_set_mask()?;
    let signals = SignalFd::new(&all)?;
    let mut arguments = std::env::args_os();
    let agent = Command::new("/proc/self/exe")
        .arg0(arguments.next().unwrap_or_default())
        .args(arguments)
        .spawn()?;
    let agent = Pid::from_child(&agent);
    loop {
        let signal = match signals.read_signal() {
            Ok(Some(signal)) => signal,
            Ok(None) | Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        let number = i32::try_from(signal.ssi_signo).unwrap_or_default();
        // What a terminal sends, the agent gets as well: it is in the same process group.
        let is_from_a_process = signal.ssi_code <= 0;
        match Signal::from_named_raw(number) {
            Some(Signal::CHILD) => {
                if let Some(status) = reap(agent)? {
                    return Ok(exit_code(status));
                }
            }
            Some(signal) if is_from_a_process => _ = kill_process(agent, signal),
            Some(_) | None => {}
        }
    }
}

/// Waits for all children that have ended, and returns the agent's status if it is one of them.
fn reap(agent: Pid) -> io::Result<Option<WaitStatus>> {
    let mut of_agent = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == agent => of_agent = Some(status),
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(of_agent),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The agent's exit code, or 128 plus the number of the signal that ended it.
fn exit_code(status: WaitStatus) -> ExitCode {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    let code = status.exit_status().or(signal).unwrap_or(255);
    ExitCode::from(u8::try_from(code).unwrap_or(255))
}
