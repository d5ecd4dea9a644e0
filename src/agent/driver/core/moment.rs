//! An optional time in eight bytes.

use core::time::Duration;

/// A time on the monotonic clock of the runtime, in microseconds, or [`NEVER`](Self::NEVER). A
/// time more than 584,000 years away is `NEVER`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::agent::driver) struct At(u64);

impl At {
    /// No time.
    pub(super) const NEVER: Self = Self(u64::MAX);

    pub(in crate::agent::driver) fn get(self) -> Option<Duration> {
        (self != Self::NEVER).then(|| Duration::from_micros(self.0))
    }
}

impl From<Option<Duration>> for At {
    fn from(moment: Option<Duration>) -> Self {
        let micros = moment.map(|moment| u64::try_from(moment.as_micros()));
        micros.map_or(Self::NEVER, |micros| micros.map_or(Self::NEVER, Self))
    }
}
