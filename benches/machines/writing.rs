//! The record that `onward` keeps of a task: message, error, time, and whether it has
//! changed. (Its state is the machine's.)

use std::borrow::Cow;
use time::UtcDateTime;

/// When something happened.
pub type At = UtcDateTime;

/// What is said of a task.
#[derive(Debug, Default)]
pub struct Record {
    /// When it last changed.
    pub timestamp: Option<UtcDateTime>,
    /// The last step.
    pub message: Cow<'static, str>,
    /// What went wrong.
    pub err: Cow<'static, str>,
    /// Whether any of it has changed.
    pub changed: bool,
}

impl Record {
    /// A move that went well.
    pub fn done(&mut self, message: &'static str, at: At) {
        self.timestamp = Some(at);
        self.changed = true;
        self.message = Cow::Borrowed(message);
        self.err = Cow::Borrowed("");
    }

    /// A move that did not go well.
    pub fn ended(&mut self, err: &'static str, at: At) {
        self.timestamp = Some(at);
        self.changed = true;
        self.err = Cow::Borrowed(err);
    }
}

/// When everything happens.
pub fn at() -> At {
    At::UNIX_EPOCH
}
