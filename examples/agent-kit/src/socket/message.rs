//! What a task has said, as it is told to a client.

use std::fmt;

use onward::exec::{LogMessage, LogStream};
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::UtcDateTime;

use crate::kind::LOG_SOURCE;
use crate::stamp;

/// Lines that a task has said at once, or a piece of one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The task's name.
    pub task: String,
    /// When it was said.
    #[serde(with = "stamp")]
    pub time: UtcDateTime,
    /// Where it was said.
    #[serde(with = "stream")]
    pub stream: LogStream,
    /// Who has said it, if it was not the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Whether the line goes on with the next message of the same stream. A line that does not
    /// end with the task is partial, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// What was said, without the end of the last line.
    #[serde(with = "bytes")]
    pub text: Vec<u8>,
}

impl Message {
    /// What a task has said. The library's message has the line with its end.
    #[must_use]
    pub fn new(task: &str, message: LogMessage) -> Self {
        let source = message.attributes.into_iter().find(|attribute| attribute.key == LOG_SOURCE);
        let mut text = message.data;
        let partial = text.pop_if(|byte| *byte == b'\n').is_none();
        Self {
            task: task.to_owned(),
            time: message.timestamp.unwrap_or(UtcDateTime::UNIX_EPOCH),
            stream: message.stream,
            source: source.map(|attribute| attribute.value),
            partial,
            text,
        }
    }
}

/// `stdout` or `stderr`.
mod stream {
    use super::{Deserialize, Deserializer, LogStream, Serializer, de};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(stream: &LogStream, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(match stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        })
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<LogStream, D::Error> {
        match &*String::deserialize(from)? {
            "stdout" => Ok(LogStream::Stdout),
            "stderr" => Ok(LogStream::Stderr),
            other => Err(de::Error::unknown_variant(other, &["stdout", "stderr"])),
        }
    }
}

/// Text as a string; bytes that are no text as a list of numbers.
mod bytes {
    use super::{Deserializer, SeqAccess, Serialize, Serializer, Visitor, de, fmt};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], out: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(bytes) {
            Ok(text) => out.serialize_str(text),
            Err(_) => bytes.serialize(out),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string or a list of bytes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
                Ok(text.as_bytes().to_vec())
            }

            fn visit_string<E: de::Error>(self, text: String) -> Result<Vec<u8>, E> {
                Ok(text.into_bytes())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = list.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }
        from.deserialize_any(Bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    fn check(data: &[u8], json: &str) {
        let message = Message::new("web", LogMessage::stderr(data));
        let written = serde_json::to_string(&message).unwrap();
        assert!(written.contains(json), "{written}");
        assert_eq!(serde_json::from_str::<Message>(&written).unwrap(), message);
    }

    #[test]
    fn a_message_comes_back_as_it_went() {
        check(b"a \"line\"\n", r#""stream":"stderr","text":"a \"line\"""#);
        check(b"a piece", r#""partial":true,"text":"a piece""#);
        check(b"\xff\x00\n", r#""text":[255,0]"#);
    }
}
