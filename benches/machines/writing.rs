//! The record that `onward` keeps of a task: message, error, time, and whether it has changed. The
//! machine has the state.

use std::borrow::Cow;
use time::UtcDateTime;

/// The time of an event.
pub type At = UtcDateTime;

/// The record of a task.
#[derive(Debug, Default)]
pub struct Record {
    /// When the record last changed.
    pub timestamp: Option<UtcDateTime>,
    /// The last step.
    pub message: Cow<'static, str>,
    /// The error.
    pub err: Cow<'static, str>,
    /// Whether the record has changed.
    pub changed: bool,
}

impl Record {
    /// Records a successful transition.
    pub fn done(&mut self, message: &'static str, at: At) {
        self.timestamp = Some(at);
        self.changed = true;
        self.message = Cow::Borrowed(message);
        self.err = Cow::Borrowed("");
    }

    /// Records a failed transition.
    pub fn ended(&mut self, err: &'static str, at: At) {
        self.timestamp = Some(at);
        self.changed = true;
        self.err = Cow::Borrowed(err);
    }
}

/// Returns the time of all events.
pub fn at() -> At {
    At::UNIX_EPOCH
}
