//! A line of a task's log as JSON, for `logs --json` and the HTTP API.

use std::borrow::Cow;

use onward::exec::LogStream;
use serde::Serialize;
use time::UtcDateTime;

use crate::socket::Message;
use crate::stamp;

/// Splits a text into lines with their newlines. A piece of a line is returned as it is. It is
/// empty if the last piece of a line contains only the newline.
pub(crate) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

pub(crate) fn without_newline(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// The JSON form of a line.
#[derive(Serialize)]
pub(crate) struct LogLine<'a> {
    task: &'a str,
    #[serde(with = "stamp")]
    time: UtcDateTime,
    stream: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    /// Whether the line continues in the next object of the same stream. The last line of a task is
    /// also partial if it has no newline.
    partial: bool,
    /// The text. Bytes that are not UTF-8 are replaced.
    text: Cow<'a, str>,
}

impl<'a> LogLine<'a> {
    /// Makes the form of one of the [`lines`] of a message.
    pub(crate) fn of(message: &'a Message, text: &'a [u8]) -> Self {
        Self {
            task: &message.task,
            time: message.time,
            stream: match message.stream {
                LogStream::Stdout => "stdout",
                LogStream::Stderr => "stderr",
            },
            source: message.source.as_deref(),
            partial: !text.ends_with(b"\n"),
            text: String::from_utf8_lossy(without_newline(text)),
        }
    }
}
