//! Points in time as text: RFC 3339 in UTC with nanoseconds, always 30 bytes, so that
//! stamps sort as text.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
use time::{UtcDateTime, format_description::StaticFormatDescription, macros::format_description};

const FORMAT: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:9]Z");

/// `2026-11-22T08:33:59.123456789Z`.
///
/// Years outside 0..=9999 cannot be written with four digits; they come out as the
/// epoch, since a clock that far off says nothing.
#[must_use]
pub fn format(at: UtcDateTime) -> String {
    at.format(FORMAT).unwrap_or_else(|_| "1970-01-01T00:00:00.000000000Z".to_owned())
}

/// Reads what [`format`](fn@format) wrote.
///
/// # Errors
///
/// Refuses everything but `YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ`.
pub fn parse(text: &str) -> Result<UtcDateTime, time::error::Parse> {
    UtcDateTime::parse(text, FORMAT)
}

/// For `#[serde(with = "stamp")]`.
///
/// # Errors
///
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &UtcDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*at))
}

/// For `#[serde(with = "stamp")]`.
///
/// # Errors
///
/// What [`parse`] refuses.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UtcDateTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(|error| {
        D::Error::custom(format!(
            "{text:?} is no point in time ({error}); write it like \"2026-11-22T08:33:59.123456789Z\""
        ))
    })
}

/// For `#[serde(with = "stamp::optional")]`.
pub mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use time::UtcDateTime;

    #[derive(Serialize, Deserialize)]
    struct Stamp(#[serde(with = "super")] UtcDateTime);

    /// As [`serialize`](super::serialize), where there is one.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(
        at: &Option<UtcDateTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(Stamp).serialize(serializer)
    }

    /// As [`deserialize`](super::deserialize), where there is one.
    ///
    /// # Errors
    ///
    /// Those of [`deserialize`](super::deserialize).
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
    fn a_stamp_comes_back_as_it_went() {
        let text = "2026-11-22T08:33:59.000000001Z";
        assert_eq!(format(parse(text).unwrap()), text);
    }

    #[test]
    fn a_stamp_without_nanoseconds_is_refused() {
        assert!(parse("2026-11-22T08:33:59Z").is_err());
    }
}
