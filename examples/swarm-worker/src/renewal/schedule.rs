use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use time::OffsetDateTime;

/// Returns a random time between 50 and 80 % of a validity.
pub(super) fn due(not_before: OffsetDateTime, not_after: OffsetDateTime) -> OffsetDateTime {
    let validity = Duration::try_from(not_after - not_before).unwrap_or_default();
    not_before + random(validity * 5 / 10, validity * 8 / 10)
}

/// Returns a random duration of a range.
pub(super) fn random(from: Duration, to: Duration) -> Duration {
    from + to.saturating_sub(from) * fraction() / u32::from(u16::MAX)
}

/// Puts values in a random order.
pub(super) fn shuffle<T>(values: &mut [T]) {
    for last in (1..values.len()).rev() {
        let chosen = usize::from(u16::try_from(fraction()).unwrap_or_default()) % (last + 1);
        values.swap(last, chosen);
    }
}

/// Returns a random number up to `u16::MAX`.
fn fraction() -> u32 {
    let mut bytes = [0; 2];
    // Without random numbers, no key can be made either.
    let _ = SystemRandom::new().fill(&mut bytes);
    u32::from(u16::from_le_bytes(bytes))
}
