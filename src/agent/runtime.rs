//! The runtime that an agent runs on: time, sleeping, the wall clock, spawning.

#[cfg(feature = "tokio")]
mod tokio;

use core::time::Duration;
use futures::future::BoxFuture;
use time::UtcDateTime;

#[cfg(feature = "tokio")]
pub use self::tokio::TokioRuntime;

/// What a [`Driver`](super::Driver), a [`Worker`](super::Worker) and a
/// [`Reporter`](super::Reporter) need of the program around them: monotonic time,
/// sleeping, the time of day, and a place to run futures.
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
#[error("spawn failed: {0}")]
pub struct SpawnError(#[source] alloc::boxed::Box<dyn core::error::Error + Send + Sync>);

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
    /// Reads both clocks. Call it outside of every lock: a runtime is the embedder's code.
    pub(crate) fn read(runtime: &dyn Runtime) -> Self {
        Self { monotonic: runtime.now(), utc: runtime.utc_now() }
    }

    /// The moment that is `delay` away, or none if there is no such moment.
    pub(crate) fn after(self, delay: Duration) -> Option<Duration> {
        self.monotonic.checked_add(delay)
    }
}
