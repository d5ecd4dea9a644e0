//! Where the time in a status comes from.

use time::UtcDateTime;

/// Tells the time of day, which goes into statuses and nowhere else: delays
/// never move with it.
///
/// A closure is a clock:
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
    label = "this does not tell the time when it is asked",
    note = "a clock is `onward::exec::SystemClock`, or a closure that is `Send` and `Sync` and returns \
            the time: `&|| now`"
)]
pub trait WallClock: Send + Sync {
    /// The time now.
    fn now(&self) -> UtcDateTime;
}

impl<F: Fn() -> UtcDateTime + Send + Sync> WallClock for F {
    fn now(&self) -> UtcDateTime {
        self()
    }
}

/// The clock of the operating system. It needs the feature `std`.
#[cfg(feature = "std")]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SystemClock;

#[cfg(feature = "std")]
impl WallClock for SystemClock {
    fn now(&self) -> UtcDateTime {
        UtcDateTime::now()
    }
}
