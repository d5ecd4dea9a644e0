//! Retry policy: back-off, deadlines, grace.

mod backoff;
#[cfg(feature = "serde")]
mod wire;

use alloc::sync::Arc;
use core::time::Duration;
use std::sync::LazyLock;

pub(super) use backoff::Jitter;
pub use backoff::{Backoff, BackoffError};

/// How a task is retried, and how long its operations may take.
///
/// It is plain data, and every value of it is valid. With the feature `serde` it is an object
/// with its durations in whole milliseconds. A field that is left out has its default. An
/// invalid value is an error that names the field.
///
/// ```
/// use core::time::Duration;
/// use onward::agent::Policy;
///
/// let policy = Policy::default().with_prepare_deadline(Duration::from_secs(60));
/// assert_eq!(policy.backoff.delay(3, 1.0), Duration::from_secs(8));
///
/// // In a file. Without a grace, a slow shutdown is never followed by `terminate`.
/// # #[cfg(feature = "serde")] {
/// let json = r#"{ "retry_max_ms": 5000, "shutdown_grace_ms": null }"#;
/// let policy: Policy = serde_json::from_str(json)?;
/// assert_eq!(policy.backoff.delay(9, 1.0), Duration::from_secs(5));
/// assert_eq!(policy.shutdown_grace, None);
/// # }
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// There is no greatest number of retries. A deadline ends them, or an error that is not
/// temporary. Each deadline covers all attempts of its operation, counted from the first call.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "wire::PolicyFields", into = "wire::PolicyFields"))]
#[non_exhaustive]
pub struct Policy {
    /// The delays between two attempts. Default: 1 s, 2 s, 4 s … 30 s, give or take a tenth.
    pub backoff: Backoff,
    /// How long the executor may take to make the task's controller. When it expires, the task
    /// is REJECTED, or FAILED from STARTING on. Default: none.
    pub controller_deadline: Option<Duration>,
    /// How long a task may be in PREPARING. When it expires, the task is REJECTED. Default:
    /// none.
    pub prepare_deadline: Option<Duration>,
    /// How long a task may be in STARTING. When it expires, the driver calls `terminate`, and
    /// the task is FAILED. Default: none.
    pub start_deadline: Option<Duration>,
    /// How long the controller may take to accept a changed definition. When it expires, the
    /// definition counts as refused. Default: none.
    pub update_deadline: Option<Duration>,
    /// How long `shutdown` may take. When it expires, the driver calls `terminate`. If there is
    /// none, `terminate` follows only a `shutdown` that fails for good. Default: 10 s.
    pub shutdown_grace: Option<Duration>,
    /// How long `remove` may take. When it expires, the removal has failed; a worker tries it
    /// again with the next full set of assignments. Default: none.
    pub remove_deadline: Option<Duration>,
    /// How long one `inspect` may take. When it expires, the task goes on without an answer.
    /// Default: 10 s.
    pub inspect_deadline: Option<Duration>,
    /// Whether the removal of a task that has not ended shuts it down first, with its grace.
    /// Else `remove` alone ends the workload. Default: false.
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

/// The default, which all drivers without a policy of their own share.
static DEFAULT: LazyLock<Arc<Policy>> = LazyLock::new(Arc::default);

impl Policy {
    /// The default policy, shared.
    pub(super) fn shared() -> Arc<Self> {
        Arc::clone(&DEFAULT)
    }

    /// Sets the delays between two attempts.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Sets the deadline for making the controller.
    #[must_use]
    pub fn with_controller_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { controller_deadline: deadline.into(), ..self }
    }

    /// Sets the deadline for preparation.
    #[must_use]
    pub fn with_prepare_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { prepare_deadline: deadline.into(), ..self }
    }

    /// Sets the deadline for the start.
    #[must_use]
    pub fn with_start_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { start_deadline: deadline.into(), ..self }
    }

    /// Sets the deadline for an update of the definition.
    #[must_use]
    pub fn with_update_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { update_deadline: deadline.into(), ..self }
    }

    /// Sets the grace of a shutdown.
    #[must_use]
    pub fn with_shutdown_grace(self, grace: impl Into<Option<Duration>>) -> Self {
        Self { shutdown_grace: grace.into(), ..self }
    }

    /// Sets the deadline for a removal.
    #[must_use]
    pub fn with_remove_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { remove_deadline: deadline.into(), ..self }
    }

    /// Sets the deadline for an inspection.
    #[must_use]
    pub fn with_inspect_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { inspect_deadline: deadline.into(), ..self }
    }

    /// Sets whether a removal shuts the task down first.
    #[must_use]
    pub fn with_shutdown_before_removal(self, shutdown_before_removal: bool) -> Self {
        Self { shutdown_before_removal, ..self }
    }
}
