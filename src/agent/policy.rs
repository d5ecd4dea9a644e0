//! How patient the driver is: back-off, deadlines, grace.

use core::time::Duration;

/// How long to wait for what, and how often to try again.
///
/// It is plain data. With the feature `serde` it is stored and read with its
/// durations in whole milliseconds; what is left out has its default, and what
/// is absurd is refused.
///
/// ```
/// use core::time::Duration;
/// use onward::agent::Policy;
///
/// let policy = Policy::default().with_prepare_deadline(Duration::from_secs(60));
/// assert_eq!(policy.delay(0, 1.0), Duration::from_secs(1));
/// assert_eq!(policy.delay(3, 1.0), Duration::from_secs(8));
/// assert_eq!(policy.delay(9, 1.0), Duration::from_secs(30));
///
/// // As it stands in a file: without a grace, a slow shutdown is waited for.
/// # #[cfg(feature = "serde")] {
/// let json = r#"{ "retry_max_ms": 5000, "shutdown_grace_ms": null }"#;
/// let policy: Policy = serde_json::from_str(json)?;
/// assert_eq!(policy.delay(9, 1.0), Duration::from_secs(5));
/// assert_eq!(policy.shutdown_grace, None);
/// # }
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// There is no greatest number of tries: a deadline ends them, or an error that is
/// not temporary.
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "wire::PolicyFields", into = "wire::PolicyFields"))]
#[non_exhaustive]
pub struct Policy {
    /// The delay before the first retry.
    pub retry_initial: Duration,
    /// The longest delay before a retry, jitter aside.
    pub retry_max: Duration,
    /// By how much a delay is longer than the one before: finite, at least 1.
    pub retry_factor: f64,
    /// By how much of itself a delay is longer or shorter by chance: within 0
    /// and 1.
    pub retry_jitter: f64,
    /// How long a task may be in preparation, all attempts counted, from the first
    /// one that this driver makes.
    pub prepare_deadline: Option<Duration>,
    /// How long a task may take to start, all attempts counted.
    pub start_deadline: Option<Duration>,
    /// How long a shutdown may take, all attempts counted, before the task is
    /// terminated. Without one it is terminated only where a shutdown fails for good.
    pub shutdown_grace: Option<Duration>,
    /// How long a controller may take to say what its container is; the inquiry
    /// has failed then, and the task goes on without it.
    pub inspect_deadline: Option<Duration>,
}

impl Default for Policy {
    /// Retries after 1 s, 2 s, 4 s … 30 s, give or take a tenth; no deadline for
    /// preparation and start; 10 s of grace; 10 s for an inquiry.
    fn default() -> Self {
        Self {
            retry_initial: Duration::from_secs(1),
            retry_max: Duration::from_secs(30),
            retry_factor: 2.0,
            retry_jitter: 0.1,
            prepare_deadline: None,
            start_deadline: None,
            shutdown_grace: Some(Duration::from_secs(10)),
            inspect_deadline: Some(Duration::from_secs(10)),
        }
    }
}

impl Policy {
    /// The same with another back-off: the delay before the first retry, the
    /// longest one, and the factor between them.
    #[must_use]
    pub fn with_retry(self, initial: Duration, max: Duration, factor: f64) -> Self {
        Self { retry_initial: initial, retry_max: max, retry_factor: factor, ..self }
    }

    /// The same with another jitter.
    #[must_use]
    pub fn with_jitter(self, jitter: f64) -> Self {
        Self { retry_jitter: jitter, ..self }
    }

    /// The same with this deadline for preparation, or none.
    #[must_use]
    pub fn with_prepare_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { prepare_deadline: deadline.into(), ..self }
    }

    /// The same with this deadline for the start, or none.
    #[must_use]
    pub fn with_start_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { start_deadline: deadline.into(), ..self }
    }

    /// The same with this grace, or without one.
    #[must_use]
    pub fn with_shutdown_grace(self, grace: impl Into<Option<Duration>>) -> Self {
        Self { shutdown_grace: grace.into(), ..self }
    }

    /// The same with this deadline for an inquiry, or none.
    #[must_use]
    pub fn with_inspect_deadline(self, deadline: impl Into<Option<Duration>>) -> Self {
        Self { inspect_deadline: deadline.into(), ..self }
    }

    /// Says what is absurd about this policy, if anything is.
    ///
    /// A policy that was read has been checked; so is one that a driver is made
    /// with.
    ///
    /// # Errors
    ///
    /// [`InvalidPolicy`] names the field, its value and what would be right.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        if !(self.retry_factor.is_finite() && self.retry_factor >= 1.0) {
            return Err(InvalidPolicy::Factor(self.retry_factor));
        }
        if !(0.0..=1.0).contains(&self.retry_jitter) {
            return Err(InvalidPolicy::Jitter(self.retry_jitter));
        }
        Ok(())
    }

    /// The delay before the retry that follows `retries` others, where `chance`
    /// is the random factor: in whole milliseconds, rounded down, at least one.
    pub fn delay(&self, retries: u32, chance: f64) -> Duration {
        let factor = self.retry_factor.powi(i32::try_from(retries).unwrap_or(i32::MAX));
        // Nothing stays nothing, however often it grows: zero times infinity is no number.
        let grown =
            if self.retry_initial.is_zero() { 0.0 } else { millis(self.retry_initial) * factor };
        let delay = grown.min(millis(self.retry_max));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // A cast from a float stays within the integer's bounds.
        let whole = (delay * chance) as u64;
        Duration::from_millis(whole.max(1))
    }
}

/// Where the chance in delays comes from. One task's delays need to be unlike
/// another's, no more: this is `SplitMix64`.
#[derive(Clone, Debug, Default)]
pub(super) struct Jitter(u64);

impl Jitter {
    /// Of a name, so that the same task has the same delays.
    pub(super) fn of(name: &str) -> Self {
        // FNV-1a spreads it.
        Self(name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        }))
    }

    /// The delay before the retry that follows `retries` others.
    pub(super) fn delay(&mut self, policy: &Policy, retries: u32) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits of chance are enough")]
        let chance = (z >> 11) as f64 / (1_u64 << 53) as f64;
        policy.delay(retries, 1.0 + policy.retry_jitter * (2.0 * chance - 1.0))
    }
}

#[expect(clippy::cast_precision_loss)] // exact for the first 285,000 years
fn millis(duration: Duration) -> f64 {
    duration.as_millis() as f64
}

/// What is absurd about a policy.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPolicy {
    /// The factor between two delays.
    #[error("retry_factor is {0}: expected a finite number of at least 1")]
    Factor(f64),
    /// The jitter.
    #[error("retry_jitter is {0}: expected a number from 0 to 1")]
    Jitter(f64),
}

#[cfg(feature = "serde")]
mod wire {
    use super::{InvalidPolicy, Policy};
    use core::time::Duration;

    /// A policy as it is stored.
    #[derive(serde::Serialize, serde::Deserialize)]
    #[serde(default)]
    pub(super) struct PolicyFields {
        retry_initial_ms: u64,
        retry_max_ms: u64,
        retry_factor: f64,
        retry_jitter: f64,
        prepare_deadline_ms: Option<u64>,
        start_deadline_ms: Option<u64>,
        shutdown_grace_ms: Option<u64>,
        inspect_deadline_ms: Option<u64>,
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
                retry_initial_ms: ms(policy.retry_initial),
                retry_max_ms: ms(policy.retry_max),
                retry_factor: policy.retry_factor,
                retry_jitter: policy.retry_jitter,
                prepare_deadline_ms: policy.prepare_deadline.map(ms),
                start_deadline_ms: policy.start_deadline.map(ms),
                shutdown_grace_ms: policy.shutdown_grace.map(ms),
                inspect_deadline_ms: policy.inspect_deadline.map(ms),
            }
        }
    }

    impl TryFrom<PolicyFields> for Policy {
        type Error = InvalidPolicy;

        fn try_from(fields: PolicyFields) -> Result<Self, InvalidPolicy> {
            let policy = Self {
                retry_initial: Duration::from_millis(fields.retry_initial_ms),
                retry_max: Duration::from_millis(fields.retry_max_ms),
                retry_factor: fields.retry_factor,
                retry_jitter: fields.retry_jitter,
                prepare_deadline: fields.prepare_deadline_ms.map(Duration::from_millis),
                start_deadline: fields.start_deadline_ms.map(Duration::from_millis),
                shutdown_grace: fields.shutdown_grace_ms.map(Duration::from_millis),
                inspect_deadline: fields.inspect_deadline_ms.map(Duration::from_millis),
            };
            policy.check().map(|()| policy)
        }
    }
}
