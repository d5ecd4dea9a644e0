//! Options that need not be set.

use std::time::Duration;

use super::refusal::Refusal;
use crate::status::duration_of;

/// An empty text is an option that is not set.
pub(super) fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// # Errors
///
/// The duration is negative.
pub(super) fn duration(
    option: &str,
    duration: Option<prost_types::Duration>,
) -> Result<Option<Duration>, Refusal> {
    let Some(duration) = duration else { return Ok(None) };
    let prost_types::Duration { seconds, nanos } = duration;
    let refused = || Refusal::new(option, format_args!("{seconds} s and {nanos} ns is negative"));
    duration_of(&duration).map(Some).ok_or_else(refused)
}
