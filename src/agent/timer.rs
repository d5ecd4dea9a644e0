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
/// two functions. With a thread for each sleep, for want of anything better:
///
/// ```
/// use futures::channel::oneshot;
/// use onward::agent::Timer;
/// use std::sync::mpsc::{RecvTimeoutError, channel};
/// use std::thread;
/// use std::time::{Duration, Instant};
///
/// struct ThreadTimer(Instant);
///
/// impl Timer for ThreadTimer {
///     fn now(&self) -> Duration {
///         self.0.elapsed()
///     }
///
///     async fn sleep_until(&self, moment: Duration) {
///         let (wake, woken) = oneshot::channel();
///         // Dropped with this future, it ends the thread.
///         let (_wanted, until_dropped) = channel::<()>();
///         let wait = moment.saturating_sub(self.now());
///         thread::spawn(move || {
///             if until_dropped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
///                 _ = wake.send(());
///             }
///         });
///         _ = woken.await;
///     }
/// }
///
/// let timer = ThreadTimer(Instant::now());
/// let soon = timer.now() + Duration::from_millis(1);
/// futures::executor::block_on(timer.sleep_until(soon));
/// assert!(timer.now() >= soon);
/// ```
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
