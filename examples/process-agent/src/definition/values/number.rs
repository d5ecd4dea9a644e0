use std::{fmt, num::NonZeroU16};

use serde::{
    Deserializer,
    de::{self, Error as _, Visitor},
};

/// The most rotated files of a log: all of them are renamed at each rotation.
const MAX_LOG_FILES: u32 = 1000;

pub(in crate::definition) fn log_files<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<u32, D::Error> {
    let number = deserializer.deserialize_any(Number("a number of files from 0 to 1000"))?;
    let files = u32::try_from(number).ok().filter(|files| *files <= MAX_LOG_FILES);
    files.ok_or_else(|| {
        D::Error::custom(format!("{number} files cannot be kept; give 0 to {MAX_LOG_FILES}"))
    })
}

pub(in crate::definition) fn port<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<NonZeroU16, D::Error> {
    let number = deserializer.deserialize_any(Number("a port from 1 to 65535"))?;
    u16::try_from(number)
        .ok()
        .and_then(NonZeroU16::new)
        .ok_or_else(|| D::Error::custom(format!("{number} is no port; ports are 1 to 65535")))
}

pub(in crate::definition) fn some_port<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroU16>, D::Error> {
    port(deserializer).map(Some)
}

/// Any integer, so that whoever asked can say what would have been right; with what was
/// expected instead of something else.
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
        // Still far beyond what anybody can have asked for.
        Ok(i128::try_from(number).unwrap_or(i128::MAX))
    }
}
