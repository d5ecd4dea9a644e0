//! Reads a TOML task file, or a file that the [`FileDefinition`] translates.
//!
//! ```toml
//! [[task]]
//! name = "web"
//! command = ["python3", "-m", "http.server", "8080"]
//! ready = { tcp = "127.0.0.1:8080" }
//! stop_after = "1m"
//! ```
//!
//! Each task has the keys `name`, `desired`, `stop_after` and `policy`, and those of its
//! [`FileDefinition`].

mod error;
mod policy;
mod span;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read as _},
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use onward::TaskState;
use onward::agent::Policy;
use serde::{Deserialize, de::DeserializeOwned};
use serde_path_to_error::Track;
use toml::{
    Spanned,
    de::{DeTable, DeValue, ValueDeserializer},
};

use crate::kind::{FileDefinition, Problem, Translated};
use error::Place;
pub use error::TaskFileError;
use policy::PolicyEntry;
use span::Span;

/// The content of a task file.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskFile<D> {
    /// The tasks, in the order of the file. Their names are unique.
    pub tasks: Vec<TaskEntry<D>>,
}

/// One `[[task]]` of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEntry<D> {
    /// The name of the task. It matches `[a-z0-9][a-z0-9_.-]{0,62}`, so it can be the name of a
    /// directory.
    pub name: String,
    /// The state to bring the task to.
    pub desired: Desired,
    /// Time after the first assignment at which the agent shuts the task down. `None`: never.
    pub stop_after: Option<Duration>,
    /// The retry delays, the deadlines and the grace period of the task.
    pub policy: Policy,
    /// The workload to run.
    pub definition: D,
}

/// The state to bring a task to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Desired {
    /// Prepared, but not started.
    Ready,
    /// Started. This is the default.
    #[default]
    Running,
    /// Started, and expected to end by itself.
    Complete,
    /// Shut down.
    Shutdown,
}

impl From<Desired> for TaskState {
    fn from(desired: Desired) -> Self {
        match desired {
            Desired::Ready => Self::Ready,
            Desired::Running => Self::Running,
            Desired::Complete => Self::Complete,
            Desired::Shutdown => Self::Shutdown,
        }
    }
}

/// The keys of a task that do not belong to its definition.
const OWN_KEYS: [&str; 4] = ["name", "desired", "stop_after", "policy"];

/// The key that every task must have, with an example value.
const NAME: (&str, &str) = ("name", "\"web\"");

/// A TOML deserializer that keeps track of the current key.
type Tracked<'a, 'b> = serde_path_to_error::Deserializer<'a, 'b, ValueDeserializer<'a>>;

/// Largest size of a task file in bytes. It is far beyond any real file and still cheap to read.
const MAX_SIZE: u64 = 16 * 1024 * 1024;

impl<D: FileDefinition> TaskFile<D> {
    /// Reads and checks a file. Relative paths in it are relative to its directory.
    ///
    /// # Errors
    ///
    /// [`TaskFileError::Read`] if the file cannot be read. [`TaskFileError::TooLarge`] beyond 16
    /// MiB. [`TaskFileError::NotUtf8`] and [`TaskFileError::Invalid`] with the position of the
    /// problem.
    pub fn read(path: &Path) -> Result<Self, TaskFileError> {
        let file = path.display().to_string();
        let base =
            directory(path).map_err(|error| TaskFileError::Read { file: file.clone(), error })?;
        let bytes =
            read(path).map_err(|error| TaskFileError::Read { file: file.clone(), error })?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(TaskFileError::TooLarge { file, limit: MAX_SIZE });
        }
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => return Err(error::not_utf8(file, &bytes, error.valid_up_to())),
        };
        match D::translate(path, text) {
            Some(translated) => translated
                .and_then(|tasks| Self::translated(tasks, &base))
                .map_err(|problem| TaskFileError::Invalid { file, problem }),
            None => Self::parse(&file, text, &base),
        }
    }

    /// Parses and checks `text`. Errors name it `file`. Relative paths in it are relative to
    /// `base`.
    ///
    /// # Errors
    ///
    /// [`TaskFileError::Invalid`] with the position of the first problem.
    pub fn parse(file: &str, text: &str, base: &Path) -> Result<Self, TaskFileError> {
        let place = Place { file, text };
        let document = DeTable::parse(text).map_err(|error| place.toml(&error, None))?;
        let mut tasks = None;
        for (key, value) in document.into_inner() {
            if key.get_ref() != "task" {
                let problem = format!(
                    "unknown key `{}`; a task file has only [[task]] tables",
                    key.get_ref()
                );
                return Err(place.invalid(key.span(), None, problem));
            }
            tasks = Some(read_tasks(&place, value, base)?);
        }
        // A file that was emptied by accident must not end all tasks.
        let tasks = tasks.ok_or_else(|| {
            let problem = "there is no task in it; write [[task]] and its keys below, \
                           or task = [] if there is to be none";
            place.invalid(0..0, None, problem.to_owned())
        })?;
        Ok(Self { tasks })
    }

    /// Makes the tasks of a file in another format. Relative paths are relative to `base`.
    fn translated(translated: Vec<Translated<D>>, base: &Path) -> Result<Self, Problem> {
        let mut tasks = Vec::new();
        let mut names = BTreeSet::new();
        for Translated { name, position, mut definition } in translated {
            let problem = |problem| Problem { position, field: None, problem };
            if !is_name(&name) {
                return Err(problem(not_a_name(&name)));
            }
            if !names.insert(name.clone()) {
                let used = "is already used; give each task a name of its own";
                return Err(problem(format!("the name {name:?} {used}")));
            }
            definition.resolve_paths(base);
            let (desired, stop_after, policy) = Default::default();
            tasks.push(TaskEntry { name, desired, stop_after, policy, definition });
        }
        Ok(Self { tasks })
    }
}

/// Returns the absolute path of the directory of a file. If the file is a symbolic link, it is the
/// directory of the link.
fn directory(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    Ok(path.parent().unwrap_or(&path).to_owned())
}

/// Reads at most one byte more than allowed, because a file such as a pipe may be endless.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_tasks<D: FileDefinition>(
    place: &Place<'_>,
    value: Spanned<DeValue<'_>>,
    base: &Path,
) -> Result<Vec<TaskEntry<D>>, TaskFileError> {
    let span = value.span();
    let DeValue::Array(items) = value.into_inner() else {
        let problem = "this is not a list of tasks; write [[task]], with two brackets".to_owned();
        return Err(place.invalid(span, Some("task".to_owned()), problem));
    };
    let mut tasks = Vec::new();
    let mut names = BTreeMap::new();
    for (index, item) in items.into_iter().enumerate() {
        let at = format!("task[{index}]");
        let span = item.span();
        let DeValue::Table(table) = item.into_inner() else {
            let problem = "this is not a table; write [[task]] and the keys below it".to_owned();
            return Err(place.invalid(span, Some(at), problem));
        };
        let (mut entry, name_span) = read_task::<D>(place, &at, span, table)?;
        entry.definition.resolve_paths(base);
        if let Some(first) = names.insert(entry.name.clone(), name_span.clone()) {
            let (line, column) = place.line_and_column(first.start);
            let problem = format!(
                "the name {:?} is already used at {}:{line}:{column}; give each task a name of its own",
                entry.name, place.file
            );
            return Err(place.invalid(name_span, Some(format!("{at}.name")), problem));
        }
        tasks.push(entry);
    }
    Ok(tasks)
}

fn read_task<D: FileDefinition>(
    place: &Place<'_>,
    at: &str,
    span: Range<usize>,
    mut table: DeTable<'_>,
) -> Result<(TaskEntry<D>, Range<usize>), TaskFileError> {
    let names: Vec<String> = table.keys().map(|key| key.get_ref().to_string()).collect();
    let given: Vec<&str> = names.iter().map(String::as_str).collect();
    let keys = D::keys(&given);
    let known = || OWN_KEYS.iter().chain(keys.known);
    for key in table.keys() {
        if !known().any(|known| *known == key.get_ref()) {
            let known = known().map(|key| format!("`{key}`")).collect::<Vec<_>>();
            let problem =
                format!("unknown key `{}`; known are {}", key.get_ref(), known.join(", "));
            return Err(place.invalid(key.span(), Some(at.to_owned()), problem));
        }
    }
    for (key, example) in [NAME].iter().chain(keys.required) {
        if !table.contains_key(*key) {
            let problem = format!("the task has no `{key}`; add one such as {key} = {example}");
            return Err(place.invalid(span, Some(at.to_owned()), problem));
        }
    }
    let name_span = table.get("name").map_or(span.clone(), Spanned::span);
    let name: Option<String> = take(place, at, &mut table, "name")?;
    let name = name.unwrap_or_default();
    if !is_name(&name) {
        return Err(place.invalid(name_span, Some(format!("{at}.name")), not_a_name(&name)));
    }
    let desired: Option<Desired> = take(place, at, &mut table, "desired")?;
    let stop_after: Option<Span> = take(place, at, &mut table, "stop_after")?;
    let policy_span = table.get("policy").map_or(span.clone(), Spanned::span);
    let policy: Option<PolicyEntry> = take(place, at, &mut table, "policy")?;
    let table = Spanned::new(span, DeValue::Table(table));
    let definition = read_with(place, at, table, |table| D::read(&given, table))?;
    let policy = policy.unwrap_or_default().policy().map_err(|error| {
        place.invalid(policy_span, Some(format!("{at}.policy")), error.to_string())
    })?;
    let entry = TaskEntry {
        name,
        desired: desired.unwrap_or_default(),
        stop_after: stop_after.map(|span| span.0),
        policy,
        definition,
    };
    Ok((entry, name_span))
}

fn take<T: DeserializeOwned>(
    place: &Place<'_>,
    at: &str,
    table: &mut DeTable<'_>,
    key: &str,
) -> Result<Option<T>, TaskFileError> {
    match table.remove(key) {
        Some(value) => deserialize(place, &format!("{at}.{key}"), value).map(Some),
        None => Ok(None),
    }
}

fn deserialize<T: DeserializeOwned>(
    place: &Place<'_>,
    at: &str,
    value: Spanned<DeValue<'_>>,
) -> Result<T, TaskFileError> {
    read_with(place, at, value, |value| T::deserialize(value))
}

/// Reads a value. Errors name the key that is wrong.
fn read_with<T>(
    place: &Place<'_>,
    at: &str,
    value: Spanned<DeValue<'_>>,
    read: impl FnOnce(Tracked<'_, '_>) -> Result<T, toml::de::Error>,
) -> Result<T, TaskFileError> {
    let mut track = Track::new();
    read(Tracked::new(ValueDeserializer::from(value), &mut track)).map_err(|error| {
        // The position of the text shows an empty key or one with a NUL byte. A path cannot.
        let path = track.path().to_string().replace(char::is_control, "");
        let field = match path.trim_end_matches('.') {
            "" => at.to_owned(),
            inner => format!("{at}.{inner}"),
        };
        place.toml(&error, Some(field))
    })
}

fn not_a_name(name: &str) -> String {
    format!(
        "{name:?} is not a task name; use 1 to 63 of a-z, 0-9, '_', '.' and '-', beginning with a \
         letter or a digit"
    )
}

/// Whether this can be the name of a task and of its directory.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= 63
        && name.starts_with(letter)
        && name.chars().all(|c| letter(c) || matches!(c, '_' | '.' | '-'))
}
