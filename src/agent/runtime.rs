//! The runtime that an agent runs on: time, sleeping, the wall clock, spawning.

#[cfg(feature = "tokio")]
mod tokio;

use super::panic::{Panic, caught, discard, poll_caught, text_of};
use alloc::string::{String, ToString};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use futures::future::BoxFuture;
use time::UtcDateTime;

#[cfg(feature = "tokio")]
pub use self::tokio::TokioRuntime;

/// What a [`Driver`](super::Driver), a [`Worker`](super::Worker) and a
/// [`Reporter`](super::Reporter) need of the program around them: monotonic time,
/// sleeping, the time of day, and a place to run futures.
///
/// A panic of it is contained. A `spawn` that panics has refused the future. A sleep that panics
/// never ends, so deadlines and retries wait for ever, and everything that needs no time is still
/// done. A `now` that panics returns the last time that is known, and `utc_now` that of the
/// operating system. Each panic is logged.
///
/// It is object-safe. An agent shares one as `Arc<dyn Runtime>`. The feature `tokio` has
/// `TokioRuntime`; the feature `testing` has `VirtualPool`, in virtual time.
///
/// A runtime of your own needs three functions. This one uses a thread for each sleep and
/// each future; `examples/05_runtime_free.rs` has a better one with `futures` only:
///
/// ```
/// use futures::channel::oneshot;
/// use futures::executor::block_on;
/// use futures::future::BoxFuture;
/// use onward::agent::Runtime;
/// use onward::agent::runtime::SpawnError;
/// use std::thread;
/// use std::time::{Duration, Instant};
///
/// struct Threads(Instant);
///
/// impl Runtime for Threads {
///     fn now(&self) -> Duration {
///         self.0.elapsed()
///     }
///
///     fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
///         let (wake, woken) = oneshot::channel::<()>();
///         let wait = moment.saturating_sub(self.now());
///         thread::spawn(move || {
///             thread::sleep(wait);
///             drop(wake);
///         });
///         Box::pin(async { _ = woken.await })
///     }
///
///     fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
///         let spawned = thread::Builder::new().spawn(|| block_on(future));
///         spawned.map(drop).map_err(SpawnError::new)
///     }
/// }
///
/// let runtime = Threads(Instant::now());
/// let soon = runtime.now() + Duration::from_millis(1);
/// block_on(runtime.sleep_until(soon));
/// assert!(runtime.now() >= soon);
/// ```
pub trait Runtime: Send + Sync {
    /// The time since a moment that this runtime has chosen and never changes.
    ///
    /// It is monotonic. It has nothing to do with [`utc_now`](Self::utc_now): delays and
    /// deadlines never move with the time of day.
    fn now(&self) -> Duration;

    /// Ready when [`now`](Self::now) has reached `moment`, or soon after; at once if it has
    /// already. If `moment` is too far away for the runtime, it is never ready.
    ///
    /// # Cancel safety
    ///
    /// If you drop it, nothing of it is left.
    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()>;

    /// Runs a future beside the caller, from now on, to its end.
    ///
    /// A [`Worker`](super::Worker) spawns one future for each task. It notices if the runtime
    /// drops such a future before its end, and then polls the task's driver itself.
    ///
    /// # Errors
    ///
    /// The runtime does not take the future, for example because it shuts down. The future is
    /// dropped.
    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError>;

    /// The time of day, in UTC. It is written into statuses and used for nothing else.
    ///
    /// Default: the clock of the operating system.
    fn utc_now(&self) -> UtcDateTime {
        UtcDateTime::now()
    }
}

/// Why a runtime did not take a future.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SpawnError(alloc::boxed::Box<dyn core::error::Error + Send + Sync>);

impl SpawnError {
    /// The runtime did not take a future, for this reason.
    pub fn new(reason: impl Into<alloc::boxed::Box<dyn core::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// One reading of both clocks. The decision cores get time in this form, as a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Now {
    /// [`Runtime::now`].
    pub(crate) monotonic: Duration,
    /// [`Runtime::utc_now`].
    pub(crate) utc: UtcDateTime,
}

impl Now {
    /// Reads both clocks. Call it outside of every lock: a runtime is the embedder's code. If
    /// [`Runtime::now`] panics, the time is what it was `before`. If [`Runtime::utc_now`]
    /// panics, the time of day is the operating system's.
    pub(crate) fn read(runtime: &dyn Runtime, before: Duration) -> Self {
        Self { monotonic: now(runtime, before), utc: utc_now(runtime) }
    }

    /// The moment that is `delay` away, or none if there is no such moment.
    pub(crate) fn after(self, delay: Duration) -> Option<Duration> {
        self.monotonic.checked_add(delay)
    }
}

/// [`Runtime::now`], or the time `before` if that panics.
pub(crate) fn now(runtime: &dyn Runtime, before: Duration) -> Duration {
    caught(|| runtime.now()).unwrap_or_else(|panic| {
        tracing::error!(%panic, "clock of the runtime panicked");
        before
    })
}

/// [`Runtime::utc_now`], or the operating system's time of day if that panics.
pub(crate) fn utc_now(runtime: &dyn Runtime) -> UtcDateTime {
    caught(|| runtime.utc_now()).unwrap_or_else(|panic| {
        tracing::error!(%panic, "clock of the runtime panicked");
        UtcDateTime::now()
    })
}

/// [`Runtime::spawn`]. A panic is a refusal.
pub(crate) fn spawn(runtime: &dyn Runtime, future: BoxFuture<'static, ()>) -> Result<(), String> {
    match caught(|| runtime.spawn(future)) {
        Ok(spawned) => spawned.map_err(|error| text_of(&error)),
        Err(panic) => Err(panic.of("runtime").to_string()),
    }
}

/// A sleep of a runtime. If it panics, it never ends: without time, only what needs no time is
/// done.
pub(crate) struct Sleep(Option<BoxFuture<'static, ()>>);

impl Sleep {
    /// [`Runtime::sleep_until`].
    pub(crate) fn until(runtime: &dyn Runtime, moment: Duration) -> Self {
        let sleep = caught(|| runtime.sleep_until(moment));
        Self(sleep.map_err(|panic| Self::log(&panic)).ok())
    }

    /// Whether it has panicked.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.is_none()
    }

    fn log(panic: &Panic) {
        tracing::error!(%panic, "sleep of the runtime panicked, and never ends");
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(sleep) = &mut self.0 else { return Poll::Pending };
        match poll_caught(Pin::new(sleep), context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(panic)) => {
                Self::log(&panic);
                discard("sleep", self.0.take());
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        discard("sleep", self.0.take());
    }
}
