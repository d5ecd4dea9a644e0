//! One call of an operation: limited in polls and time, recorded, and with its panic caught.

use crate::agent::Runtime;
use crate::agent::panic::poll_caught;
use crate::exec::Call;
use crate::exec::ControllerError;
use crate::testing::trace::{CallEvent, Trace};
use alloc::string::{String, ToString};
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;

/// The limit of one call: the kit drops the call when it is reached.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) polls: u32,
    pub(super) time: Duration,
}

/// How a call ended.
pub(super) enum Ended<A> {
    Returned(Result<A, ControllerError>),
    Panicked(String),
    /// It was dropped because it took too long.
    TimedOut,
    /// It was dropped after the number of polls of its limit.
    Dropped,
}

/// The reason why a call has not succeeded.
pub(super) enum Fault {
    Error(ControllerError),
    Panicked(String),
    TimedOut(Duration),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => write!(f, "it failed: {error:#}"),
            Self::Panicked(text) => write!(f, "it panicked: {text}"),
            Self::TimedOut(timeout) => write!(f, "it did not return within {timeout:?}"),
        }
    }
}

impl<A> Ended<A> {
    /// Whether the call failed with an error after which it is called again.
    pub(super) fn is_retryable(&self) -> bool {
        matches!(self, Self::Returned(Err(error)) if error.is_retryable())
    }

    /// The value that the call returned, or the reason why it returned none.
    pub(super) fn answer(self, timeout: Duration) -> Result<A, Fault> {
        match self {
            Self::Returned(answer) => answer.map_err(Fault::Error),
            Self::Panicked(text) => Err(Fault::Panicked(text)),
            Self::TimedOut | Self::Dropped => Err(Fault::TimedOut(timeout)),
        }
    }
}

/// Runs a call until it returns or the limit is reached, and records it. The polls are
/// subtracted from the limit. If this future is dropped, the call is recorded as dropped.
pub(super) async fn run<A>(
    runtime: &dyn Runtime,
    trace: &Trace,
    id: &str,
    call: Call,
    limit: &mut Limit,
    operation: impl Future<Output = Result<A, ControllerError>> + Send,
) -> Ended<A> {
    let mut recorded = RecordedCall { runtime, trace, id, call, event: CallEvent::Begun };
    recorded.record();
    recorded.event = CallEvent::Dropped;
    let ended = {
        let mut operation = pin!(operation);
        let mut timeout = pin!(runtime.sleep_until(runtime.now().saturating_add(limit.time)));
        poll_fn(|context| {
            let Some(left) = limit.polls.checked_sub(1) else {
                return Poll::Ready(Ended::Dropped);
            };
            limit.polls = left;
            match poll_caught(operation.as_mut(), context) {
                Poll::Ready(Ok(answer)) => Poll::Ready(Ended::Returned(answer)),
                Poll::Ready(Err(panic)) => Poll::Ready(Ended::Panicked(panic.to_string())),
                Poll::Pending if left == 0 => Poll::Ready(Ended::Dropped),
                Poll::Pending => timeout.as_mut().poll(context).map(|()| Ended::TimedOut),
            }
        })
        .await
    };
    match &ended {
        Ended::Returned(answer) => recorded.event = CallEvent::of(answer),
        Ended::Panicked(text) => recorded.event = CallEvent::Panicked(text.clone()),
        Ended::TimedOut | Ended::Dropped => {}
    }
    ended
}

/// A call in progress, and the event to record next. The last event is recorded when this value is
/// dropped.
struct RecordedCall<'a> {
    runtime: &'a dyn Runtime,
    trace: &'a Trace,
    id: &'a str,
    call: Call,
    event: CallEvent,
}

impl RecordedCall<'_> {
    fn record(&self) {
        self.trace.record(self.runtime.now(), self.id, self.call, self.event.clone());
    }
}

impl Drop for RecordedCall<'_> {
    fn drop(&mut self) {
        self.record();
    }
}
