//! The limits of a check, and its timer.

use core::time::Duration;

/// The limits of a check, and its timer.
#[derive(Clone, Debug)]
pub(super) struct Settings<T> {
    pub(super) timer: T,
    /// How long an operation may take.
    pub(super) timeout: Duration,
    /// The largest number of polls after which an operation is dropped.
    pub(super) max_polls: u32,
    /// How long the kit waits before it checks that nothing came back.
    pub(super) settle_time: Duration,
}
