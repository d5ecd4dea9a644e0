//! The signals that the program handles.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals to end within this time count as one. Some programs send a signal twice. For example,
/// `timeout` sends it to its command and to its process group.
const REPEATED: Duration = Duration::from_millis(200);

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
    /// When the last signal to end came that counts.
    ended: Option<Instant>,
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
        Ok(Self { end, hangup: listen(SignalKind::hangup())?, on_hangup, ended: None })
    }

    /// Waits for the next signal. Signals to end that come within 200 ms are one.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, no signal is lost.
    pub async fn next(&mut self) -> SignalRequest {
        poll_fn(|context| {
            loop {
                let request = if self.end.iter_mut().any(|signal| has_come(signal, context)) {
                    SignalRequest::End
                } else if has_come(&mut self.hangup, context) {
                    self.on_hangup
                } else {
                    return Poll::Pending;
                };
                if request != SignalRequest::End || counts(&mut self.ended, Instant::now()) {
                    return Poll::Ready(request);
                }
            }
        })
        .await
    }
}

/// Whether a signal counts that comes `now`, after the last one that counted.
fn counts(last: &mut Option<Instant>, now: Instant) -> bool {
    let is_new = last.is_none_or(|last| now.duration_since(last) >= REPEATED);
    if is_new {
        *last = Some(now);
    }
    is_new
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_sent_twice_counts_once() {
        let begin = Instant::now();
        let (mut last, millis) = (None, |millis| begin + Duration::from_millis(millis));
        let counted =
            [0, 0, 1, 199, 200, 201, 399, 400, 5000].map(|at| counts(&mut last, millis(at)));
        assert_eq!(counted, [true, false, false, false, true, false, false, true, true]);
    }
}
