//! The runtime that an agent runs on: clock, sleeps, time of day, spawning.

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

/// The async runtime of an agent: monotonic time, sleeps, the time of day, and spawning. A
/// [`Driver`](super::Driver), a [`Worker`](super::Worker) and a [`Reporter`](super::Reporter)
/// use it.
///
/// An agent shares one as `Arc<dyn Runtime>`. With the feature `tokio` there is `TokioRuntime`.
/// With the feature `testing` there is `VirtualPool`, in virtual time.
///
/// # Panics
///
/// A panic of a runtime is caught and logged. If `spawn` panics, the future counts as refused. If
/// a sleep panics, it never ends: deadlines and retries do not work, and everything else does. If
/// `now` panics, the last known time is used. If `utc_now` panics, the clock of the operating
/// system is used.
///
/// # Examples
///
/// To write a runtime, implement three functions. This one uses a thread for each sleep and each
/// future. `examples/05_runtime_free.rs` has a better one, with `futures` only:
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
    /// The monotonic time since a fixed origin, for example the start of the program.
    ///
    /// Delays and deadlines use this time, and never the time of day.
    fn now(&self) -> Duration;

    /// A future that is ready when [`now`](Self::now) has reached `moment`, or soon after. If that
    /// time has passed already, it is ready at once. If the runtime cannot sleep that long, it is
    /// never ready.
    ///
    /// # Cancel safety
    ///
    /// If you drop it, its timer is removed.
    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()>;

    /// Spawns a future, which then runs to its end beside the caller.
    ///
    /// A [`Worker`](super::Worker) spawns one future for each task. If the runtime drops such a
    /// future before its end, the worker polls the driver of the task itself.
    ///
    /// # Errors
    ///
    /// The runtime refuses the future, for example because it is shutting down. The future was
    /// dropped.
    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError>;

    /// The time of day, in UTC. It is used for the times in statuses only.
    ///
    /// Default: the clock of the operating system.
    fn utc_now(&self) -> UtcDateTime {
        UtcDateTime::now()
    }
}

/// Why a runtime refused a future.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct SpawnError(alloc::boxed::Box<dyn core::error::Error + Send + Sync>);

impl SpawnError {
    /// An error with this reason.
    pub fn new(reason: impl Into<alloc::boxed::Box<dyn core::error::Error + Send + Sync>>) -> Self {
        Self(reason.into())
    }
}

/// One reading of both clocks. The decision cores get the time in this form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Now {
    /// [`Runtime::now`].
    pub(crate) monotonic: Duration,
    /// [`Runtime::utc_now`].
    pub(crate) utc: UtcDateTime,
}

impl Now {
    /// Reads both clocks. Call it outside of every lock: a runtime is code of the embedder. If
    /// [`Runtime::now`] panics, it returns the time `before`. If [`Runtime::utc_now`] panics, it
    /// reads the clock of the operating system.
    pub(crate) fn read(runtime: &dyn Runtime, before: Duration) -> Self {
        Self { monotonic: now(runtime, before), utc: utc_now(runtime) }
    }

    /// The time after a delay. None if that is beyond the range of a `Duration`.
    pub(crate) fn after(self, delay: Duration) -> Option<Duration> {
        self.monotonic.checked_add(delay)
    }
}

/// [`Runtime::now`]. If it panics, the time `before`.
pub(crate) fn now(runtime: &dyn Runtime, before: Duration) -> Duration {
    caught(|| runtime.now()).unwrap_or_else(|panic| {
        tracing::error!(%panic, "clock of the runtime panicked");
        before
    })
}

/// [`Runtime::utc_now`]. If it panics, the clock of the operating system.
pub(crate) fn utc_now(runtime: &dyn Runtime) -> UtcDateTime {
    caught(|| runtime.utc_now()).unwrap_or_else(|panic| {
        tracing::error!(%panic, "clock of the runtime panicked");
        UtcDateTime::now()
    })
}

/// [`Runtime::spawn`]. A panic counts as a refusal.
pub(crate) fn spawn(runtime: &dyn Runtime, future: BoxFuture<'static, ()>) -> Result<(), String> {
    match caught(|| runtime.spawn(future)) {
        Ok(spawned) => spawned.map_err(|error| text_of(&error)),
        Err(panic) => Err(panic.of("runtime").to_string()),
    }
}

/// A sleep of a runtime. If it panics, it never ends.
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
