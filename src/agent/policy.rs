//! Retry policy: back-off, deadlines, grace.

mod backoff;
#[cfg(feature = "serde")]
mod wire;

use alloc::sync::Arc;
use core::time::Duration;
use std::sync::LazyLock;

pub(super) use backoff::Jitter;
pub use backoff::{Backoff, BackoffError};

/// The back-off between retries and the deadlines of a task's operations.
///
/// It is plain data, and every value of it is valid. With the feature `serde`, it is an object
/// with durations in whole milliseconds. A missing field has its default. For an invalid value,
/// deserialization fails with an error that names the field.
///
/// ```
/// use core::time::Duration;
/// use onward::agent::Policy;
///
/// let policy = Policy::default().with_prepare_deadline(Duration::from_secs(60));
/// assert_eq!(policy.backoff.delay(3, 1.0), Duration::from_secs(8));
///
/// // As JSON. Without a grace, `terminate` never follows a slow `shutdown`.
/// # #[cfg(feature = "serde")] {
/// let json = r#"{ "retry_max_ms": 5000, "shutdown_grace_ms": null }"#;
/// let policy: Policy = serde_json::from_str(json)?;
/// assert_eq!(policy.backoff.delay(9, 1.0), Duration::from_secs(5));
/// assert_eq!(policy.shutdown_grace, None);
/// # }
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// There is no maximum number of retries. A deadline ends them, or an error that is not
/// temporary. A deadline begins with the first call of its operation and covers all attempts.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "wire::PolicyFields", into = "wire::PolicyFields"))]
#[non_exhaustive]
pub struct Policy {
    /// The delays between attempts. Default: 1 s, 2 s, 4 s and so on, up to 30 s, each longer or
    /// shorter by up to 10 %.
    pub backoff: Backoff,
    /// The deadline of `Executor::controller`. When it expires, the task is REJECTED, or FAILED
    /// from STARTING on. Default: none.
    pub controller_deadline: Option<Duration>,
    /// The deadline of `prepare`. When it expires, the task is REJECTED. Default: none.
    pub prepare_deadline: Option<Duration>,
    /// The deadline of `start`. When it expires, the driver calls `terminate`, and the task is
    /// FAILED. Default: none.
    pub start_deadline: Option<Duration>,
    /// The deadline of `update`. When it expires, the definition counts as refused. Default: none.
    pub update_deadline: Option<Duration>,
    /// The deadline of `shutdown`. When it expires, the driver calls `terminate`. If it is none,
    /// the driver calls `terminate` only after a `shutdown` that fails for good. Default: 10 s.
    pub shutdown_grace: Option<Duration>,
    /// The deadline of `remove`. When it expires, the removal has failed. A worker retries it with
    /// the next full set of assignments. Default: none.
    pub remove_deadline: Option<Duration>,
    /// The deadline of one `inspect`. When it expires, the task continues without an answer.
    /// Default: 10 s.
    pub inspect_deadline: Option<Duration>,
    /// Whether a task that has not ended is shut down before its removal, with its grace. If
    /// false, `remove` must end the workload. Default: false.
    pub shutdown_before_removal: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            controller_deadline: None,
            prepare_deadline: None,
            start_deadline: None,
            update_deadline: None,
            shutdown_grace: Some(Duration::from_secs(10)),
            remove_deadline: None,
            inspect_deadline: Some(Duration::from_secs(10)),
            shutdown_before_removal: false,
        }
    }
}

/// The default policy. All drivers without their own policy share it.
static DEFAULT: LazyLock<Arc<Policy>> = LazyLock::new(Arc::default);

impl Policy {
    /// The default policy, shared.
    pub(super) fn shared() -> Arc<Self> {
        Arc::clone(&DEFAULT)
    }

    /// Sets the delays between attempts.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Sets the deadline of `Executor::controller`.
    #[must_use]
    pub fn with_controller_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { controller_deadline: deadline.into(), ..self }
    }

    /// Sets the deadline of `prepare`.
    #[must_use]
    pub fn with_prepare_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { prepare_deadline: deadline.into(), ..self }
    }

    /// Sets the deadline of `start`.
    #[must_use]
    pub fn with_start_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { start_deadline: deadline.into(), ..self }
    }

    /// Sets the deadline of `update`.
    #[must_use]
    pub fn with_update_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { update_deadline: deadline.into(), ..self }
    }

    /// Sets the deadline of `shutdown`.
    #[must_use]
    pub fn with_shutdown_grace(self, grace: impl Into<Option<Duration>>) -> Self {
        Self { shutdown_grace: grace.into(), ..self }
    }

    /// Sets the deadline of `remove`.
    #[must_use]
    pub fn with_remove_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { remove_deadline: deadline.into(), ..self }
    }

    /// Sets the deadline of `inspect`.
    #[must_use]
    pub fn with_inspect_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { inspect_deadline: deadline.into(), ..self }
    }

    /// Sets whether a task that has not ended is shut down before its removal.
    #[must_use]
    pub fn with_shutdown_before_removal(self, shutdown_before_removal: bool) -> Self {
        Self { shutdown_before_removal, ..self }
    }
}
