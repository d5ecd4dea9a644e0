//! Values that several kinds of tasks have, such as commands and durations: serde functions with
//! helpful errors.
//!
//! Use the functions with serde's `deserialize_with`, and the modules with `with`.

mod number;

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use rustix::process::Signal;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Error as _, MapAccess, SeqAccess, Visitor},
};

pub use number::{integer, port, some_port};

/// A signal that stops a task, by its name. Default: `TERM`. A name can be read with or without
/// `SIG`, in capitals. It is written without `SIG`.
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

/// A word is not the name of a signal that can stop a task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a signal that can stop a task; known are {names}", names = names())]
pub struct ParseSignalError(String);

impl StopSignal {
    /// Returns the signal for system calls.
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

/// Reads a command: a list with an executable and its arguments.
///
/// # Errors
///
/// Fails if it is not a list of strings, if it is empty, or if a string has a NUL byte.
pub fn command<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_seq(CommandVisitor)
}

/// Reads an optional command.
///
/// # Errors
///
/// Fails as [`command`] does.
pub fn some_command<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<String>>, D::Error> {
    struct Some_(Option<Vec<String>>);
    impl<'de> Deserialize<'de> for Some_ {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            command(deserializer).map(|words| Self(Some(words)))
        }
    }
    // `Option` reads the JSON value `null` as an absent command.
    Ok(Option::<Some_>::deserialize(deserializer)?.and_then(|some| some.0))
}

struct CommandVisitor;

impl<'de> Visitor<'de> for CommandVisitor {
    type Value = Vec<String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        WordsVisitor.expecting(out)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, words: A) -> Result<Vec<String>, A::Error> {
        let command = WordsVisitor.visit_seq(words)?;
        match command.first() {
            Some(executable) if !executable.is_empty() => Ok(command),
            _ => Err(A::Error::custom(
                "the command is empty; its first word is the executable, as in [\"sleep\", \"60\"]",
            )),
        }
    }
}

/// Reads a list of words for another program, which may be empty.
///
/// # Errors
///
/// Fails if it is not a list of strings, or if a string has a NUL byte.
pub fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_seq(WordsVisitor)
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Vec<String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of strings such as [\"sleep\", \"60\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Vec<String>, A::Error> {
        let mut read = Vec::new();
        while let Some(Text(word)) = words.next_element()? {
            read.push(word);
        }
        Ok(read)
    }
}

/// A string that can be passed to another program.
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_string(TextVisitor)
    }
}

/// Checks the string in the visitor, so that the error has the position of the string and not that
/// of the list.
struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        if text.contains('\0') {
            return Err(E::custom(format!(
                "{text:?} has a NUL byte, at which the system would cut it off; leave it out"
            )));
        }
        Ok(Text(text.to_owned()))
    }
}

/// The name of an environment variable.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(D::Error::custom(format!(
                "{name:?} is not the name of a variable; use at least one character, and neither '=' nor NUL"
            )));
        }
        Ok(Self(name))
    }
}

/// Reads environment variables.
///
/// # Errors
///
/// Fails if a name is empty or contains `=`, or if a name or a value has a NUL byte.
pub fn env<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    deserializer.deserialize_map(EnvVisitor)
}

struct EnvVisitor;

impl<'de> Visitor<'de> for EnvVisitor {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a table such as { NAME = \"value\" }")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut variables: A) -> Result<Self::Value, A::Error> {
        let mut env = BTreeMap::new();
        while let Some((Name(name), Text(value))) = variables.next_entry()? {
            env.insert(name, value);
        }
        Ok(env)
    }
}

/// Reads an optional path.
///
/// # Errors
///
/// Fails if it is not a string or has a NUL byte.
pub fn some_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    Ok(Option::<Text>::deserialize(deserializer)?.map(|path| path.0.into()))
}

/// Durations as text such as `10s` or `1m 30s`.
pub mod duration {
    use std::time::Duration;

    use super::{Deserializer, Visitor, de, fmt};

    /// Writes a duration, such as `1m 30s`.
    ///
    /// # Errors
    ///
    /// Returns the errors of the serializer.
    pub fn serialize<S: serde::Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    /// Reads a duration, such as `10s`, `500ms` or `1m 30s`.
    ///
    /// # Errors
    ///
    /// Fails for any other text.
    pub fn deserialize<'de, T: Deserializer<'de>>(deserializer: T) -> Result<Duration, T::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Duration;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a duration such as \"10s\", \"500ms\" or \"1m 30s\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                humantime::parse_duration(text).map_err(|error| {
                    E::custom(format!(
                        "{text:?} is not a duration ({error}); write it like \"10s\", \"500ms\" or \"1m 30s\""
                    ))
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}
