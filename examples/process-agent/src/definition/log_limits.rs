//! The keys `log_max_size` and `log_files`.

use agent_kit::values::integer;
use serde::{Deserializer, de::Error as _};

/// The most rotated files of a log. Each rotation renames all of them.
const MAX_FILES: u32 = 1000;

pub(super) fn files<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = integer("a number of files from 0 to 1000", deserializer)?;
    let files = u32::try_from(number).ok().filter(|files| *files <= MAX_FILES);
    files.ok_or_else(|| {
        D::Error::custom(format!("{number} files cannot be kept; give 0 to {MAX_FILES}"))
    })
}

/// Reads a size as a number of bytes or as text such as `64KiB`. Writes it as a number, because the
/// text form rounds.
pub(super) mod size {
    use std::fmt;

    use bytesize::ByteSize;
    use serde::{
        Deserializer,
        de::{self, Visitor},
    };

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(in crate::definition) fn serialize<S: serde::Serializer>(
        size: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(*size)
    }

    pub(in crate::definition) fn deserialize<'de, T: Deserializer<'de>>(
        deserializer: T,
    ) -> Result<u64, T::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = u64;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a number of bytes or a size such as \"64KiB\"")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<u64, E> {
                check(bytes, &bytes)
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<u64, E> {
                check(u64::try_from(bytes).unwrap_or(0), &bytes)
            }

            fn visit_i128<E: de::Error>(self, bytes: i128) -> Result<u64, E> {
                let closest = if bytes < 0 { 0 } else { u64::MAX };
                check(u64::try_from(bytes).unwrap_or(closest), &bytes)
            }

            fn visit_u128<E: de::Error>(self, bytes: u128) -> Result<u64, E> {
                check(u64::try_from(bytes).unwrap_or(u64::MAX), &bytes)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
                match text.parse::<ByteSize>() {
                    // A number that is too large becomes `u64::MAX`.
                    Ok(size) => check(size.as_u64(), &text),
                    Err(_) => Err(E::custom(format!(
                        "{text:?} is not a size; write it like \"64KiB\", \"10MiB\" or 65536"
                    ))),
                }
            }
        }
        deserializer.deserialize_any(Bytes)
    }

    /// Checks a size. The smallest one has space for some records; the largest one is that of a
    /// file.
    fn check<E: de::Error>(bytes: u64, given: &dyn fmt::Debug) -> Result<u64, E> {
        if (4096..=1 << 60).contains(&bytes) {
            return Ok(bytes);
        }
        Err(E::custom(format!(
            "{given:?} is not a size for a log; give 4096 (\"4KiB\") to \"1EiB\""
        )))
    }
}
