//! Runs the agent as a child of process 1, for a container without an `init`.
//!
//! Every orphan of a container becomes a child of process 1. Process 1 must reap it; otherwise it
//! stays as a zombie and keeps its process id. An agent that reaped every child would also take
//! exit statuses that its own code waits for. So process 1 starts the agent as its only child. It
//! reaps all others, forwards signals to the agent, and exits with the agent's exit code. The
//! kernel then kills all processes of the container, including tasks that the agent left running.

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

/// Runs this program again as a child with the same arguments, until it has ended.
///
/// # Errors
///
/// Fails if the program cannot be started, or if the system refuses the signals.
pub fn run() -> io::Result<ExitCode> {
    // If SIGCHLD was ignored by the parent, there would be no exit status to wait for.
    signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)))?;
    // The agent inherits the blocked signals and unblocks them.
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
        // A terminal sends its signals to the agent too, because the agent is in the same process
        // group.
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

/// Reaps all children that have ended. Returns the agent's status if it is one of them.
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

/// Returns the agent's exit code, or 128 plus the number of the signal that killed it.
fn exit_code(status: WaitStatus) -> ExitCode {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    let code = status.exit_status().or(signal).unwrap_or(255);
    ExitCode::from(u8::try_from(code).unwrap_or(255))
}
