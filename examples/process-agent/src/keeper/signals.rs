//! The signals of a keeper, as a descriptor for `poll`.

use std::{
    io::{self, Read as _},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::event::{PollFd, PollFlags};
use signal_hook::{
    consts::{SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGTERM},
    flag,
    low_level::pipe,
};

/// Handles the keeper's signals. `TERM` and `INT` stop the workload, `CONT` wakes the keeper, and
/// `HUP` has no effect. They are handled and not ignored, because a workload would inherit an
/// ignored signal.
#[derive(Debug)]
pub(super) struct Signals {
    woken: UnixStream,
    stop: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
}

impl Signals {
    pub(super) fn handle() -> io::Result<Self> {
        let (woken, wakes) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        let (stop, continued) = (Arc::default(), Arc::default());
        for signal in [SIGTERM, SIGINT] {
            flag::register(signal, Arc::clone(&stop))?;
        }
        flag::register(SIGCONT, Arc::clone(&continued))?;
        // After the flags, because actions run in the order of their registration.
        for signal in [SIGTERM, SIGINT, SIGCONT, SIGCHLD, SIGHUP] {
            pipe::register(signal, wakes.try_clone()?)?;
        }
        Ok(Self { woken, stop, continued })
    }

    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        PollFd::new(&self.woken, PollFlags::IN)
    }

    /// Makes the descriptor wait for the next signal. Call it before reading the signals.
    pub(super) fn clear(&self) {
        let mut bytes = [0; 64];
        while (&self.woken).read(&mut bytes).is_ok_and(|length| length > 0) {}
    }

    /// Whether a signal to stop the workload has arrived since the last call.
    pub(super) fn stop(&self) -> bool {
        self.stop.swap(false, Ordering::Relaxed)
    }

    /// Whether the keeper was woken since the last call.
    pub(super) fn continued(&self) -> bool {
        self.continued.swap(false, Ordering::Relaxed)
    }
}
