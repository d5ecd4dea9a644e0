//! Times as text: RFC 3339 in UTC with nanoseconds. A stamp always has 30 bytes, so stamps sort as
//! text.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
use time::{
    Date, Month, Time, UtcDateTime, format_description::StaticFormatDescription,
    macros::format_description,
};

const FORMAT: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:9]Z");

/// Formats a time, for example `2026-11-22T08:33:59.123456789Z`.
///
/// A year outside 0..=9999 does not fit into four digits. Then the result is the epoch.
#[must_use]
pub fn format(at: UtcDateTime) -> String {
    at.format(FORMAT).unwrap_or_else(|_| "1970-01-01T00:00:00.000000000Z".to_owned())
}

/// The length of a stamp.
pub const LENGTH: usize = 30;

/// Parses a stamp of [`format`](fn@format). Returns `None` for everything except
/// `YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ`.
///
/// It is written by hand for two reasons. Reading a log spends most of its time here. And the
/// parser of `time` 0.3.55 panics at a missing digit if overflow checks are on.
#[must_use]
pub fn parse(text: &[u8]) -> Option<UtcDateTime> {
    let text: &[u8; LENGTH] = text.try_into().ok()?;
    let number = |from: usize, to: usize| {
        text.get(from..to)?.iter().try_fold(0_u32, |number, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit < 10).then_some(number * 10 + u32::from(digit))
        })
    };
    let small = |from| number(from, from + 2).and_then(|number| u8::try_from(number).ok());
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (29, b'Z')];
    if marks.iter().any(|(at, mark)| text.get(*at) != Some(mark)) {
        return None;
    }
    let month = Month::try_from(small(5)?).ok()?;
    let date = Date::from_calendar_date(number(0, 4)?.try_into().ok()?, month, small(8)?).ok()?;
    let time = Time::from_hms_nano(small(11)?, small(14)?, small(17)?, number(20, 29)?).ok()?;
    Some(UtcDateTime::new(date, time))
}

/// Serializes a time, for `#[serde(with = "stamp")]`.
///
/// # Errors
///
/// Returns the errors of the serializer.
pub fn serialize<S: Serializer>(at: &UtcDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*at))
}

/// Deserializes a time, for `#[serde(with = "stamp")]`.
///
/// # Errors
///
/// Fails for a text that [`parse`] refuses.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UtcDateTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(text.as_bytes()).ok_or_else(|| {
        D::Error::custom(format!(
            "{text:?} is not a time; write it like \"2026-11-22T08:33:59.123456789Z\""
        ))
    })
}

/// Optional times, for `#[serde(with = "stamp::optional")]`.
pub mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use time::UtcDateTime;

    #[derive(Serialize, Deserialize)]
    struct Stamp(#[serde(with = "super")] UtcDateTime);

    /// Serializes a time, if there is one.
    ///
    /// # Errors
    ///
    /// Returns the errors of the serializer.
    pub fn serialize<S: Serializer>(
        at: &Option<UtcDateTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Stamp).serialize(serializer)
    }

    /// Deserializes a time, if there is one.
    ///
    /// # Errors
    ///
    /// Fails as [`deserialize`](super::deserialize) does.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<UtcDateTime>, D::Error> {
        Ok(Option::<Stamp>::deserialize(deserializer)?.map(|stamp| stamp.0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        for text in [
            "2026-11-22T08:33:59.000000001Z",
            "0000-01-01T00:00:00.000000000Z",
            "9999-12-31T23:59:59.999999999Z",
            "2024-02-29T12:00:00.100000000Z",
        ] {
            assert_eq!(format(parse(text.as_bytes()).unwrap()), text);
        }
    }

    #[test]
    fn a_text_that_is_not_a_stamp_is_refused() {
        for text in [
            "",
            "2026-11-22T08:33:59Z",
            "2026-11-22T08:33:59.1ce (os er",
            "2026-11-22T08:33:59.1ce (os error 28)",
            "2026-11-22T08:33:59.000000001+",
            "2026-11-22 08:33:59.000000001Z",
            "2026-02-29T08:33:59.000000001Z",
            "2026-00-22T08:33:59.000000001Z",
            "2026-11-22T24:33:59.000000001Z",
            "2026-11-22T08:33:60.000000001Z",
            "+026-11-22T08:33:59.000000001Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
