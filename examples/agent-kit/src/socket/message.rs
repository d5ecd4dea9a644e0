//! What a task has said, as it is told to a client.

use onward::exec::{LogMessage, LogStream};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::UtcDateTime;

use crate::kind::LOG_SOURCE;
use crate::stamp;

/// What stands before a text that a task has said: lines that it has said at once, each with its
/// newline, or a piece of a line without one. The line goes on with the next text of the same
/// stream, unless the task ended there.
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
    /// How many bytes of text follow.
    pub length: u64,
}

impl Message {
    /// What stands before the text of a message of the library.
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
