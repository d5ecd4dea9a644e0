//! Texts for errors.

use std::error::Error;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tonic::{Code, Status};

/// The most characters of a manager's words that are printed.
const LONGEST: usize = 300;

/// Returns the words of a manager, made safe to print: on one line, and not longer than a few lines.
pub(crate) fn said(text: &str) -> String {
    let safe = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().take(LONGEST).map(safe).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    if shown.is_empty() { "it does not say why".to_owned() } else { shown }
}

/// Returns why a call has failed: the words of the manager, or the cause of a lost connection.
pub(crate) fn cause(status: &Status) -> String {
    // tonic's own message is "transport error".
    let mut cause = status.source().filter(|_| status.code() == Code::Unknown);
    while let Some(deeper) = cause.and_then(Error::source) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| status.message().to_owned(), ToString::to_string)
}

/// Returns a time in seconds, for example `2026-11-29T07:43:13Z`.
pub(crate) fn seconds(at: OffsetDateTime) -> String {
    at.truncate_to_second().format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
