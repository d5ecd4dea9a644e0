//! Time that passes: for delays and deadlines.

use core::future::Future;
use core::time::Duration;

/// Measures how time passes, and waits.
///
/// It is monotonic, and has nothing to do with the time of day, which is a
/// [`WallClock`](crate::exec::WallClock)'s: no delay ever moves with that.
/// Moments are told as the time since one that the timer has chosen.
///
/// The feature `tokio` has one. Whatever else an embedder runs on needs these
/// two functions.
pub trait Timer: Send + Sync {
    /// The time since a moment that stays the same for this timer.
    fn now(&self) -> Duration;

    /// Ready when [`now`](Self::now) has come to `moment`, or soon after; at
    /// once if it has already. A moment that is too far away for the timer is
    /// one that never comes.
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing of it is left.
    fn sleep_until(&self, moment: Duration) -> impl Future<Output = ()> + Send;
}

/// The timer of the tokio runtime, for code that runs on one.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug)]
pub struct TokioTimer {
    origin: tokio::time::Instant,
}

#[cfg(feature = "tokio")]
impl TokioTimer {
    /// A timer whose time begins now.
    pub fn new() -> Self {
        Self { origin: tokio::time::Instant::now() }
    }
}

#[cfg(feature = "tokio")]
impl Default for TokioTimer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "tokio")]
impl Timer for TokioTimer {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    async fn sleep_until(&self, moment: Duration) {
        match self.origin.checked_add(moment) {
            Some(moment) => tokio::time::sleep_until(moment).await,
            None => core::future::pending().await,
        }
    }
}
