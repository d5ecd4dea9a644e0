//! The assignments of the node: reads the dispatcher's stream of messages, and applies them to the
//! tasks and their dependencies.

mod apply;
mod changes;

use crate::wire;
use crate::wire::assignments_message::Type;
pub use apply::apply;
pub use changes::{Change, Changes};

/// The place in one stream of assignments. It finds gaps between messages.
///
/// The first message of a stream is COMPLETE. Each later one is INCREMENTAL and names the message
/// that it follows.
#[derive(Debug, Default)]
pub struct Assignments {
    /// The name of the last message.
    at: Option<String>,
}

/// A message was lost. The stream must be opened again: its first message is COMPLETE.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a message of assignments was lost: the next one follows {found:?}, and the last one was {expected:?}"
)]
pub struct Gap {
    /// The name of the last message. `None` before the first one.
    pub expected: Option<String>,
    /// The name of the message that the new one follows.
    pub found: String,
}

impl Assignments {
    /// Starts a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next message of the stream.
    ///
    /// # Errors
    ///
    /// A message before this one was lost. Then nothing of this message and of later ones may be
    /// applied.
    pub fn read(&mut self, message: wire::AssignmentsMessage) -> Result<Changes, Gap> {
        let wire::AssignmentsMessage { r#type, applies_to, results_in, changes } = message;
        let is_complete = r#type == i32::from(Type::Complete);
        if !is_complete && self.at.as_ref() != Some(&applies_to) {
            return Err(Gap { expected: self.at.clone(), found: applies_to });
        }
        self.at = Some(results_in);
        Ok(Changes::new(is_complete, changes))
    }
}
