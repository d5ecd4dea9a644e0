//! The serialized form of a policy.

use super::{Backoff, BackoffError, Policy};
use core::time::Duration;

/// The fields of a policy, with durations in whole milliseconds.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct PolicyFields {
    retry_initial_ms: u64,
    retry_max_ms: u64,
    retry_factor: f64,
    retry_jitter: f64,
    controller_deadline_ms: Option<u64>,
    prepare_deadline_ms: Option<u64>,
    start_deadline_ms: Option<u64>,
    update_deadline_ms: Option<u64>,
    shutdown_grace_ms: Option<u64>,
    remove_deadline_ms: Option<u64>,
    inspect_deadline_ms: Option<u64>,
    shutdown_before_removal: bool,
}

impl Default for PolicyFields {
    fn default() -> Self {
        Policy::default().into()
    }
}

impl From<Policy> for PolicyFields {
    fn from(policy: Policy) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            retry_initial_ms: ms(policy.backoff.initial()),
            retry_max_ms: ms(policy.backoff.max()),
            retry_factor: policy.backoff.factor(),
            retry_jitter: policy.backoff.jitter(),
            controller_deadline_ms: policy.controller_deadline.map(ms),
            prepare_deadline_ms: policy.prepare_deadline.map(ms),
            start_deadline_ms: policy.start_deadline.map(ms),
            update_deadline_ms: policy.update_deadline.map(ms),
            shutdown_grace_ms: policy.shutdown_grace.map(ms),
            remove_deadline_ms: policy.remove_deadline.map(ms),
            inspect_deadline_ms: policy.inspect_deadline.map(ms),
            shutdown_before_removal: policy.shutdown_before_removal,
        }
    }
}

impl TryFrom<PolicyFields> for Policy {
    type Error = BackoffError;

    fn try_from(fields: PolicyFields) -> Result<Self, BackoffError> {
        let ms = Duration::from_millis;
        let backoff = Backoff::new(ms(fields.retry_initial_ms), ms(fields.retry_max_ms))
            .with_factor(fields.retry_factor)?
            .with_jitter(fields.retry_jitter)?;
        Ok(Self {
            backoff,
            controller_deadline: fields.controller_deadline_ms.map(ms),
            prepare_deadline: fields.prepare_deadline_ms.map(ms),
            start_deadline: fields.start_deadline_ms.map(ms),
            update_deadline: fields.update_deadline_ms.map(ms),
            shutdown_grace: fields.shutdown_grace_ms.map(ms),
            remove_deadline: fields.remove_deadline_ms.map(ms),
            inspect_deadline: fields.inspect_deadline_ms.map(ms),
            shutdown_before_removal: fields.shutdown_before_removal,
        })
    }
}
