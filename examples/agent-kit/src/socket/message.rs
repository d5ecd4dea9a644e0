//! The head of a log message, as the agent sends it to a client.

use onward::exec::{LogMessage, LogStream};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::UtcDateTime;

use crate::kind::LOG_SOURCE;
use crate::stamp;

/// Describes a text of a task's log. The text has one or more lines with their newlines, or a piece
/// of a line without one. A piece continues in the next text of the same stream, unless the task
/// ended there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The name of the task.
    pub task: String,
    /// When the first line of the text was written.
    #[serde(with = "stamp")]
    pub time: UtcDateTime,
    /// The stream that the text was written to.
    #[serde(with = "stream")]
    pub stream: LogStream,
    /// The author of the text, if it is not the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The number of bytes of text that follow.
    pub length: u64,
}

impl Message {
    /// Makes the head of a log message of the library.
    #[must_use]
    pub fn new(task: &str, message: &LogMessage) -> Self {
        let source = message.attributes.iter().find(|attribute| attribute.key == LOG_SOURCE);
        Self {
            task: task.to_owned(),
            time: message.timestamp.unwrap_or(UtcDateTime::UNIX_EPOCH),
            stream: message.stream,
            source: source.map(|attribute| attribute.value.clone()),
            length: message.data.len() as u64,
        }
    }
}

/// Serializes a stream as `stdout` or `stderr`.
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
