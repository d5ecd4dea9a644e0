//! Exponential back-off with jitter.

use core::time::Duration;

/// Exponential back-off with jitter: the delays between the attempts of an operation.
///
/// ```
/// use core::time::Duration;
/// use onward::agent::policy::Backoff;
///
/// let (initial, max) = (Duration::from_millis(200), Duration::from_secs(5));
/// let backoff = Backoff::new(initial, max).with_factor(3.0)?.with_jitter(0.0)?;
/// assert_eq!(backoff.delay(0, 1.0), Duration::from_millis(200));
/// assert_eq!(backoff.delay(2, 1.0), Duration::from_millis(1800));
/// assert_eq!(backoff.delay(9, 1.0), Duration::from_secs(5));
///
/// let error = Backoff::default().with_factor(0.5).unwrap_err();
/// assert_eq!(error.to_string(), "retry_factor is 0.5: expected a finite number of at least 1");
/// # Ok::<(), onward::agent::policy::BackoffError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    factor: f64,
    jitter: f64,
}

impl Default for Backoff {
    /// 1 s, 2 s, 4 s and so on, up to 30 s, each longer or shorter by up to 10 %.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_secs(30))
    }
}

impl Backoff {
    /// Delays from `initial` to `max`, with a factor of 2 and a jitter of 0.1.
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max, factor: 2.0, jitter: 0.1 }
    }

    /// Sets the factor between a delay and the next one. It must be finite and at least 1.
    ///
    /// # Errors
    ///
    /// The factor is less than 1, infinite, or not a number.
    pub fn with_factor(self, factor: f64) -> Result<Self, BackoffError> {
        if factor.is_finite() && factor >= 1.0 {
            Ok(Self { factor, ..self })
        } else {
            Err(BackoffError::Factor(factor))
        }
    }

    /// Sets the jitter, from 0 to 1. For example, with 0.1 each delay is longer or shorter by up
    /// to 10 %.
    ///
    /// # Errors
    ///
    /// The jitter is less than 0, more than 1, or not a number.
    pub fn with_jitter(self, jitter: f64) -> Result<Self, BackoffError> {
        if (0.0..=1.0).contains(&jitter) {
            Ok(Self { jitter, ..self })
        } else {
            Err(BackoffError::Jitter(jitter))
        }
    }

    /// The delay before the first retry.
    pub fn initial(&self) -> Duration {
        self.initial
    }

    /// The longest delay, before jitter.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The factor between a delay and the next one.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// The jitter.
    pub fn jitter(&self) -> f64 {
        self.jitter
    }

    /// The delay before retry number `retries`, counted from 0, multiplied by `chance`. It is in
    /// whole milliseconds, rounded down, and at least 1 ms.
    ///
    /// It is rounded once, at the end. For example, 1.9 ms doubled three times is 15 ms.
    pub fn delay(&self, retries: u32, chance: f64) -> Duration {
        let factor = self.factor.powi(i32::try_from(retries).unwrap_or(i32::MAX));
        // 0 × ∞ is NaN, so an initial delay of zero is a special case.
        let grown = if self.initial.is_zero() { 0.0 } else { millis(self.initial) * factor };
        let delay = grown.min(millis(self.max)) * chance;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // A cast from a float stays within the integer's bounds.
        let whole = delay as u64;
        Duration::from_millis(whole.max(1))
    }
}

/// A duration in milliseconds, with a fraction. A whole number of milliseconds is exact.
#[expect(clippy::cast_precision_loss, reason = "exact for the first 285,000 years")]
fn millis(duration: Duration) -> f64 {
    let fraction = f64::from(duration.subsec_nanos() % 1_000_000) / 1_000_000.0;
    duration.as_millis() as f64 + fraction
}

/// Why a [`Backoff`] is invalid.
#[derive(Clone, Copy, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackoffError {
    /// The factor is invalid.
    #[error("retry_factor is {0}: expected a finite number of at least 1")]
    Factor(f64),
    /// The jitter is invalid.
    #[error("retry_jitter is {0}: expected a number from 0 to 1")]
    Jitter(f64),
}

/// The random numbers for jitter: `SplitMix64`. They only have to differ between tasks.
#[derive(Clone, Debug, Default)]
pub(in crate::agent) struct Jitter(u64);

impl Jitter {
    /// Random numbers with a name as their seed. The same task has the same delays.
    pub(in crate::agent) fn of(name: &str) -> Self {
        // FNV-1a.
        Self(name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        }))
    }

    /// The delay before retry number `retries`, counted from 0.
    pub(in crate::agent) fn delay(&mut self, backoff: &Backoff, retries: u32) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 random bits are enough")]
        let chance = (z >> 11) as f64 / (1_u64 << 53) as f64;
        backoff.delay(retries, 1.0 + backoff.jitter * (2.0 * chance - 1.0))
    }
}
