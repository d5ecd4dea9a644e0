//! What the kit must know of a kind of task.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use onward::TaskStatus;
use onward::exec::{ControllerError, Executor, LogPublisher, LogSubscriptionOptions};
use serde::de::DeserializeOwned;
use serde::{Deserializer, Serialize};

/// What a task is: those keys of a `[[task]]` that the kit does not know.
///
/// It is read from a task file, stored as JSON, and compared: a task whose definition is equal
/// has not changed. An agent with several kinds of tasks has an enum of their definitions, and
/// tells them apart by a key that only one of them has.
pub trait Definition:
    Clone + PartialEq + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The keys that a table may have and must have. `given` are the keys that it has.
    fn keys(given: &[&str]) -> Keys;

    /// Reads a table, whose keys are `given`. It has no others than [`keys`](Self::keys) allows.
    ///
    /// # Errors
    ///
    /// What is wrong with the table, and what would be right.
    fn read<'de, D: Deserializer<'de>>(given: &[&str], table: D) -> Result<Self, D::Error> {
        _ = given;
        Self::deserialize(table)
    }

    /// Makes every relative path absolute: it is relative to `base`, the directory of the file.
    fn resolve_paths(&mut self, base: &Path);

    /// The definition as the Engine API's `ContainerSpec`, for `ps --json`.
    fn container_spec(&self) -> serde_json::Value;
}

/// The keys of a task's table.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// Those that it may have.
    pub known: &'static [&'static str],
    /// Those that it must have, each with an example of a value, in TOML.
    pub required: &'static [(&'static str, &'static str)],
}

/// The attribute of a log message that says who has said it, where that is not the task itself.
pub const LOG_SOURCE: &str = "source";

/// Makes the controllers of an agent's tasks, and reads what the tasks say.
pub trait TaskExecutor: Executor<Definition: Definition> + Clone + fmt::Debug {
    /// Publishes what a task has said. With *follow*, also what it goes on to say; when `ended`
    /// is ready, the task has ended: what is left is published, and no more will come.
    ///
    /// # Errors
    ///
    /// The logs cannot be read, or the publisher's own error.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it stops publishing; the message that was being published may have gone out or
    /// not.
    fn logs(
        &self,
        id: &str,
        definition: &Self::Definition,
        publisher: impl LogPublisher,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = Result<(), ControllerError>> + Send;

    /// Returns what `ps` shows of a task that is not in its status: names and values. For example,
    /// an agent of containers returns `container` and the first characters of the id, and an agent
    /// of processes returns how it finds the processes of the task. Default: nothing.
    ///
    /// Called for each task, whenever `ps` asks. It may block for a file operation, not longer.
    fn details(&self, id: &str, status: &TaskStatus) -> BTreeMap<String, String> {
        _ = (id, status);
        BTreeMap::new()
    }
}
