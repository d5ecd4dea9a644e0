//! The limits of a check, and its runtime.

use crate::agent::Runtime;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

/// The limits of a check, and its runtime.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) runtime: Arc<dyn Runtime>,
    /// How long an operation may take.
    pub(super) timeout: Duration,
    /// The largest number of polls after which an operation is dropped.
    pub(super) max_polls: u32,
    /// How long the kit waits before it checks that nothing came back.
    pub(super) settle_time: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("timeout", &self.timeout)
            .field("max_polls", &self.max_polls)
            .field("settle_time", &self.settle_time)
            .finish_non_exhaustive()
    }
}
