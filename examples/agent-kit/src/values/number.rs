use std::{fmt, num::NonZeroU16};

use serde::{
    Deserializer,
    de::{self, Error as _, Visitor},
};

/// Reads a port.
///
/// # Errors
///
/// Fails if it is not a number from 1 to 65535.
pub fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU16, D::Error> {
    let number = integer("a port from 1 to 65535", deserializer)?;
    u16::try_from(number)
        .ok()
        .and_then(NonZeroU16::new)
        .ok_or_else(|| D::Error::custom(format!("{number} is not a port; ports are 1 to 65535")))
}

/// Reads an optional port.
///
/// # Errors
///
/// Fails as [`port`] does.
pub fn some_port<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroU16>, D::Error> {
    port(deserializer).map(Some)
}

/// Reads any integer, so that the caller can report the valid range. `expected` describes the valid
/// integers.
///
/// # Errors
///
/// Fails if it is not an integer. The error names `expected`.
pub fn integer<'de, D: Deserializer<'de>>(
    expected: &'static str,
    deserializer: D,
) -> Result<i128, D::Error> {
    deserializer.deserialize_any(Number(expected))
}

struct Number(&'static str);

impl Visitor<'_> for Number {
    type Value = i128;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i128, E> {
        Ok(number.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i128, E> {
        Ok(number.into())
    }

    fn visit_i128<E: de::Error>(self, number: i128) -> Result<i128, E> {
        Ok(number)
    }

    fn visit_u128<E: de::Error>(self, number: u128) -> Result<i128, E> {
        // `i128::MAX` is out of range for every caller.
        Ok(i128::try_from(number).unwrap_or(i128::MAX))
    }
}
