use std::{fmt, num::NonZeroU16, str::FromStr};

use rustix::process::Signal;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Error as _, SeqAccess, Visitor},
};

/// A signal by its name, `TERM` unless given. Read with or without `SIG` in front,
/// in capitals; written without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopSignal(Signal);

const SIGNALS: [(&str, Signal); 15] = [
    ("HUP", Signal::HUP),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("ABRT", Signal::ABORT),
    ("KILL", Signal::KILL),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("PIPE", Signal::PIPE),
    ("ALRM", Signal::ALARM),
    ("TERM", Signal::TERM),
    ("CONT", Signal::CONT),
    ("URG", Signal::URG),
    ("WINCH", Signal::WINCH),
    ("IO", Signal::IO),
    ("PWR", Signal::POWER),
];

/// A word that names no signal which could be asked to stop a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no signal that can stop a task; known are {names}", names = names())]
pub struct ParseSignalError(String);

impl StopSignal {
    /// The signal as the system calls take it.
    #[must_use]
    pub fn signal(self) -> Signal {
        self.0
    }
}

impl Default for StopSignal {
    fn default() -> Self {
        Self(Signal::TERM)
    }
}

impl FromStr for StopSignal {
    type Err = ParseSignalError;

    fn from_str(text: &str) -> Result<Self, ParseSignalError> {
        let bare = text.strip_prefix("SIG").unwrap_or(text);
        SIGNALS
            .iter()
            .find(|(name, _)| *name == bare)
            .map(|(_, signal)| Self(*signal))
            .ok_or_else(|| ParseSignalError(text.to_owned()))
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = SIGNALS.iter().find(|(_, signal)| *signal == self.0);
        out.write_str(name.map_or("TERM", |(name, _)| name))
    }
}

impl Serialize for StopSignal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StopSignal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

fn names() -> String {
    SIGNALS.map(|(name, _)| name).join(", ")
}

pub(super) fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_seq(CommandVisitor)
}

pub(super) fn some_command<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    struct Some_(Option<Vec<String>>);
    impl<'de> Deserialize<'de> for Some_ {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            command(deserializer).map(|words| Self(Some(words)))
        }
    }
    // Through `Option`, since `null` stands for an absent command in JSON.
    Ok(Option::<Some_>::deserialize(deserializer)?.and_then(|some| some.0))
}

struct CommandVisitor;

impl<'de> Visitor<'de> for CommandVisitor {
    type Value = Vec<String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of strings such as [\"sleep\", \"60\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Vec<String>, A::Error> {
        let mut command = Vec::new();
        while let Some(word) = words.next_element::<String>()? {
            if word.contains('\0') {
                return Err(A::Error::custom(format!(
                    "the word {word:?} has a NUL byte, which no argument can have"
                )));
            }
            command.push(word);
        }
        match command.first() {
            Some(executable) if !executable.is_empty() => Ok(command),
            _ => Err(A::Error::custom(
                "the command is empty; its first word is the executable, as in [\"sleep\", \"60\"]",
            )),
        }
    }
}

pub(super) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU16, D::Error> {
    let number = i64::deserialize(deserializer)?;
    u16::try_from(number)
        .ok()
        .and_then(NonZeroU16::new)
        .ok_or_else(|| D::Error::custom(format!("{number} is no port; ports are 1 to 65535")))
}

pub(super) fn some_port<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NonZeroU16>, D::Error> {
    port(deserializer).map(Some)
}

/// Durations as text like `10s` or `1m 30s`.
pub(crate) mod duration {
    use std::time::Duration;

    use super::{Deserializer, Visitor, de, fmt};

    pub(crate) fn serialize<S: serde::Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    pub(crate) fn deserialize<'de, T: Deserializer<'de>>(
        deserializer: T,
    ) -> Result<Duration, T::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Duration;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a duration such as \"10s\", \"500ms\" or \"1m 30s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                humantime::parse_duration(text).map_err(|error| {
                    E::custom(format!(
                        "{text:?} is no duration ({error}); write it like \"10s\", \"500ms\" or \"1m 30s\""
                    ))
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Sizes as a number of bytes or as text like `64KiB`. Written as a number, since the
/// text form rounds.
pub(super) mod size {
    use bytesize::ByteSize;

    use super::{Deserializer, Visitor, de, fmt};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: serde::Serializer>(
        size: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(*size)
    }

    pub(crate) fn deserialize<'de, T: Deserializer<'de>>(deserializer: T) -> Result<u64, T::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = u64;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a number of bytes or a size such as \"64KiB\"")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<u64, E> {
                Ok(bytes)
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<u64, E> {
                u64::try_from(bytes)
                    .map_err(|_| E::custom(format!("{bytes} is no size; sizes are 0 or more")))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
                text.parse::<ByteSize>().map(|size| size.as_u64()).map_err(|_| {
                    E::custom(format!(
                        "{text:?} is no size; write it like \"64KiB\", \"10MiB\" or 65536"
                    ))
                })
            }
        }
        deserializer.deserialize_any(Bytes)
    }
}
