//! The traits of a kind of task: its keys in the task file, and its executor.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use onward::TaskStatus;
use onward::exec::{ControllerError, Executor, LogPublisher, LogSubscriptionOptions};
use serde::de::DeserializeOwned;
use serde::{Deserializer, Serialize};

/// The definition of a task: the workload to run.
///
/// It is stored as JSON, and compared with `==` to detect changes. An agent with several kinds of
/// tasks uses an enum of definitions.
pub trait Definition:
    Clone + PartialEq + fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Returns the definition as the Engine API's `ContainerSpec`, for `ps --json`.
    fn container_spec(&self) -> serde_json::Value;

    /// Returns the name of the task for `ps`, `logs` and `stop`, if it is not the id. Two tasks of an
    /// agent need different names. Default: `None`.
    fn name(&self) -> Option<&str> {
        None
    }
}

/// A [`Definition`] that is read from a task file. It has those keys of a `[[task]]` that the kit
/// does not handle itself.
///
/// An agent with several kinds of tasks selects the variant of its enum by a key that only one of
/// them has.
pub trait FileDefinition: Definition {
    /// Returns the keys that a table may have and must have. `given` are the keys of the table.
    fn keys(given: &[&str]) -> Keys;

    /// Reads a table whose keys are `given`. All of them are allowed by [`keys`](Self::keys).
    ///
    /// # Errors
    ///
    /// The error says what is wrong with the table and what would be right.
    fn read<'de, D: Deserializer<'de>>(given: &[&str], table: D) -> Result<Self, D::Error> {
        _ = given;
        Self::deserialize(table)
    }

    /// Reads a file of another format than the TOML task file, which it recognizes by the `path`.
    /// It returns `None` for a TOML task file. Default: `None` for every path.
    ///
    /// It blocks, and it is called again each time the file changes. Relative paths stay relative:
    /// [`resolve_paths`](Self::resolve_paths) is called afterwards.
    ///
    /// # Errors
    ///
    /// The error has the position of the first problem in `text`.
    fn translate(path: &Path, text: &str) -> Option<Result<Vec<Translated<Self>>, Problem>> {
        _ = (path, text);
        None
    }

    /// Makes every relative path absolute. `base` is the directory of the task file.
    fn resolve_paths(&mut self, base: &Path);
}

/// A task of a file in another format than TOML. It has the default of each key that does not belong
/// to its definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Translated<D> {
    /// The name of the task, which is checked as that of a `[[task]]`.
    pub name: String,
    /// The position of the name.
    pub position: Position,
    /// The workload to run.
    pub definition: D,
}

/// A position in a file, for errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// Why a file of another format than TOML was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {}{problem}", position.line, position.column, field.as_ref().map_or(String::new(), |field| format!("{field}: ")))]
pub struct Problem {
    /// The position of the problem.
    pub position: Position,
    /// The path of the key, such as `services.web.ports[0]`. Indices start at 0.
    pub field: Option<String>,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// The keys of a task's table.
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    /// The keys that the table may have.
    pub known: &'static [&'static str],
    /// The keys that the table must have, each with an example value in TOML.
    pub required: &'static [(&'static str, &'static str)],
}

/// The attribute of a log message with the name of its author, if the author is not the task.
pub const LOG_SOURCE: &str = "source";

/// Makes the controllers of an agent's tasks, and reads their logs.
pub trait TaskExecutor: Executor<Definition: Definition> + Clone + fmt::Debug {
    /// Publishes the log of a task. With *follow*, it also publishes new lines, until `ended` is
    /// ready. Then it publishes the remaining lines and returns.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read. Returns the publisher's own error, too.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, it stops publishing. The current message may or may not have been
    /// published.
    fn logs(
        &self,
        id: &str,
        definition: &Self::Definition,
        publisher: impl LogPublisher,
        options: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = Result<(), ControllerError>> + Send;

    /// Waits until everything that this executor has sent elsewhere is done. Default: at once.
    ///
    /// The agent calls it last, before its program ends. For example, a request that creates a
    /// container may be on its way to an engine, although its operation was dropped.
    fn settle(&self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Returns details of a task for `ps`, as names and values, beside its status. For example, an
    /// agent of containers returns `container` and the first characters of the id. An agent of
    /// processes returns how it finds the processes of the task. Default: nothing.
    ///
    /// `ps` calls it for each task. It may block for a file operation, but not longer.
    fn details(&self, id: &str, status: &TaskStatus) -> BTreeMap<String, String> {
        _ = (id, status);
        BTreeMap::new()
    }
}
