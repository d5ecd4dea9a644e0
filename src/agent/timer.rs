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
