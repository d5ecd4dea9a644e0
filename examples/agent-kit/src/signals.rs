//! The signals that the program handles.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks the program to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SignalRequest {
    /// End. Sent by `INT` and `TERM`, and by `HUP` if there is no file to read again.
    End,
    /// Read the task file again. Sent by `HUP`.
    Reread,
}

/// Receives signals. A signal that was ignored when the program started stays ignored, as `nohup`
/// needs it.
#[derive(Debug)]
pub struct Signals {
    end: [Option<Signal>; 2],
    hangup: Option<Signal>,
    /// The meaning of `HUP`.
    on_hangup: SignalRequest,
}

impl Signals {
    /// Installs the handlers. A signal that arrives before [`next`](Self::next) is called is not
    /// lost.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses a handler.
    pub fn new(on_hangup: SignalRequest) -> io::Result<Self> {
        let ignored = ignored();
        let listen = |kind: SignalKind| {
            let is_ignored = ignored >> (kind.as_raw_value() - 1) & 1 == 1;
            Some(kind).filter(|_| !is_ignored).map(signal).transpose()
        };
        let end = [listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?];
        Ok(Self { end, hangup: listen(SignalKind::hangup())?, on_hangup })
    }

    /// Waits for the next signal.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, no signal is lost.
    pub async fn next(&mut self) -> SignalRequest {
        poll_fn(|context| {
            if self.end.iter_mut().any(|signal| has_come(signal, context)) {
                Poll::Ready(SignalRequest::End)
            } else if has_come(&mut self.hangup, context) {
                Poll::Ready(self.on_hangup)
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

fn has_come(signal: &mut Option<Signal>, context: &mut Context<'_>) -> bool {
    signal.as_mut().is_some_and(|signal| signal.poll_recv(context).is_ready())
}

/// Returns the signals that this process ignores: a bit mask whose lowest bit is signal 1.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
