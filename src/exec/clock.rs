//! `WallClock`: the source of the timestamps in statuses.

use time::UtcDateTime;

/// A wall clock, which gives the timestamps of statuses. Delays and deadlines do not use
/// it.
///
/// A closure is a clock, for example in a test:
///
/// ```
/// use onward::exec::{SystemClock, WallClock};
/// use time::UtcDateTime;
///
/// let stopped = || UtcDateTime::UNIX_EPOCH;
/// assert!(stopped.now() < SystemClock.now());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a clock",
    label = "this does not return the current time",
    note = "a clock is `onward::exec::SystemClock`, or a closure that is `Send` and `Sync` and returns \
            the time: `&|| now`"
)]
pub trait WallClock: Send + Sync {
    /// The current time.
    fn now(&self) -> UtcDateTime;
}

impl<F: Fn() -> UtcDateTime + Send + Sync> WallClock for F {
    fn now(&self) -> UtcDateTime {
        self()
    }
}

/// The operating system's clock. Requires the feature `std`.
#[cfg(feature = "std")]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SystemClock;

#[cfg(feature = "std")]
impl WallClock for SystemClock {
    fn now(&self) -> UtcDateTime {
        UtcDateTime::now()
    }
}
