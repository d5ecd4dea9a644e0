//! The stored form of a task: JSON with versions and migrations.

use super::super::{StoreChange, StoreError, StoredTask, TaskRecord};
use super::error::OpenStoreError;
use crate::agent::panic::caught;
use crate::lifecycle::TaskStatus;
use crate::lifecycle::stored_status::{Status, StatusRef};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::error::Error;
use core::ops::Range;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde_json::Value;
use std::path::Path;

/// A migration of a definition from one version to the next: a function from the old JSON to the
/// new JSON.
///
/// Integers are exact within the bounds of `i64` and `u64`.
pub type Migration = fn(Value) -> Result<Value, Box<dyn Error + Send + Sync>>;

/// The migrations to the current versions. The current version is 1 plus their number.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Steps {
    /// Migrations of records. Their JSON is an object with the `record` and the `status` of a task.
    pub(super) records: &'static [Migration],
    /// Migrations of definitions, from the embedder.
    pub(super) definitions: &'static [Migration],
}

/// The paths of the definitions in a record: wanted, applied, and of the next task.
const DEFINITIONS: [&str; 3] =
    ["/assignment/definition", "/applied/definition", "/next/assignment/definition"];

/// A part of the store that has a version.
#[derive(Clone, Copy)]
pub(super) enum Versioned {
    Records,
    Definitions,
}

impl Versioned {
    pub(super) const ALL: [Self; 2] = [Self::Records, Self::Definitions];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Definitions => "definitions",
        }
    }
}

impl Steps {
    fn of(&self, what: Versioned) -> &'static [Migration] {
        match what {
            Versioned::Records => self.records,
            Versioned::Definitions => self.definitions,
        }
    }

    /// The current version.
    pub(super) fn version(&self, what: Versioned) -> u64 {
        1 + self.of(what).len() as u64
    }

    /// The migrations from this version to the current one, each with the version before it.
    fn since(
        &self,
        what: Versioned,
        version: u64,
    ) -> impl Iterator<Item = (u64, Migration)> + use<> {
        (1..).zip(self.of(what)).map(|(step, run)| (step, *run)).filter(move |s| s.0 >= version)
    }

    /// Migrates a task from these versions to the current ones.
    pub(super) fn migrate(
        &self,
        path: &Path,
        from: Stored,
        mut task: RawTask,
    ) -> Result<RawTask, OpenStoreError> {
        let failed = |id: &str, what: Versioned, step, error| OpenStoreError::Migration {
            path: path.into(),
            task: id.into(),
            what: what.name(),
            step,
            error,
        };
        for (step, run) in self.since(Versioned::Records, from.records) {
            let whole = serde_json::json!({ "record": task.record, "status": task.status });
            let mut whole = caught(|| run(whole))
                .unwrap_or_else(|panic| Err(panic.to_string().into()))
                .map_err(|error| failed(&task.id, Versioned::Records, step, error))?;
            let mut part = |name| whole.get_mut(name).map(Value::take);
            task.record = part("record").unwrap_or_default();
            task.status = part("status").filter(|status| !status.is_null());
        }
        for (step, run) in self.since(Versioned::Definitions, from.definitions) {
            if task.record.pointer("/assignment/definition").is_none() {
                let damage = "its record has no `assignment.definition`";
                return Err(OpenStoreError::corrupt_task(path, &task.id, damage));
            }
            for definition in DEFINITIONS {
                let Some(definition) = task.record.pointer_mut(definition) else { continue };
                let old = definition.take();
                *definition = caught(|| run(old))
                    .unwrap_or_else(|panic| Err(panic.to_string().into()))
                    .map_err(|error| failed(&task.id, Versioned::Definitions, step, error))?;
            }
        }
        Ok(task)
    }
}

/// The versions of a file.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub(super) records: u64,
    pub(super) definitions: u64,
}

/// A stored task whose JSON was not deserialized yet.
pub(super) struct RawTask {
    pub(super) id: String,
    pub(super) record: Value,
    pub(super) status: Option<Value>,
}

impl RawTask {
    /// Parses the JSON of a task.
    pub(super) fn new(
        path: &Path,
        id: &str,
        record: &[u8],
        status: Option<&[u8]>,
    ) -> Result<Self, OpenStoreError> {
        let status = status.map(|status| read_json(path, id, "status", status)).transpose()?;
        Ok(Self { id: id.into(), record: read_json(path, id, "record", record)?, status })
    }

    /// Deserializes the task.
    pub(super) fn read<D: DeserializeOwned>(
        &self,
        path: &Path,
    ) -> Result<StoredTask<D>, OpenStoreError> {
        let record = read(path, &self.id, "record", &self.record)?;
        let status = self.status.as_ref();
        let status = status.map(|status| read(path, &self.id, "status", status)).transpose()?;
        checked(path, &self.id, record, status.map(|Status(status)| status))
    }
}

/// Deserializes a task that has the current versions.
pub(super) fn read_task<D: DeserializeOwned>(
    path: &Path,
    id: &str,
    record: &[u8],
    status: Option<&[u8]>,
) -> Result<StoredTask<D>, OpenStoreError> {
    let record = read_json(path, id, "record", record)?;
    let status = status.map(|status| read_json(path, id, "status", status)).transpose()?;
    checked(path, id, record, status.map(|Status(status)| status))
}

fn checked<D>(
    path: &Path,
    id: &str,
    record: TaskRecord<D>,
    status: Option<TaskStatus>,
) -> Result<StoredTask<D>, OpenStoreError> {
    if record.id() != id {
        let damage = format!("its record is that of task {:?}", record.id());
        return Err(OpenStoreError::corrupt_task(path, id, damage));
    }
    Ok(StoredTask::new(record, status))
}

fn read_json<T: DeserializeOwned>(
    path: &Path,
    id: &str,
    what: &str,
    json: &[u8],
) -> Result<T, OpenStoreError> {
    from_json(json)
        .map_err(|error| OpenStoreError::corrupt_task(path, id, format!("its {what}: {error}")))
}

fn read<'de, T: DeserializeOwned>(
    path: &Path,
    id: &str,
    what: &str,
    json: impl Deserializer<'de, Error = serde_json::Error>,
) -> Result<T, OpenStoreError> {
    with_path(json)
        .map_err(|error| OpenStoreError::corrupt_task(path, id, format!("its {what}: {error}")))
}

fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = with_path(&mut deserializer)?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(value)
}

/// Deserializes a value. An error has the path of the field.
fn with_path<'de, T: Deserialize<'de>>(
    json: impl Deserializer<'de, Error = serde_json::Error>,
) -> Result<T, String> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        match error.path().to_string().as_str() {
            "." | "?" => error.inner().to_string(),
            path => format!("{path}: {}", error.inner()),
        }
    })
}

/// Changes in their stored form. All JSON is in one buffer, because there may be very many.
#[derive(Default)]
pub(super) struct Writes {
    all: Vec<(Arc<str>, Kind)>,
    json: Vec<u8>,
}

/// The kind of a change, and the place of its JSON in the buffer.
enum Kind {
    Record(Range<usize>),
    Status(Range<usize>),
    Delete,
}

/// A change in its stored form.
pub(super) enum Write<'a> {
    Record(&'a [u8]),
    Status(&'a [u8]),
    Delete,
}

impl Writes {
    /// Serializes changes. It is an error if one cannot be deserialized again.
    pub(super) fn new<D: Serialize + DeserializeOwned>(
        changes: &[StoreChange<D>],
    ) -> Result<Self, StoreError> {
        let mut all = Self::default();
        for change in changes {
            match change {
                StoreChange::Replace(task) => {
                    let id = &task.record.assignment.id;
                    all.all.push((Arc::clone(id), Kind::Delete));
                    all.record(&task.record)?;
                    if let Some(status) = &task.status {
                        all.status(id, status)?;
                    }
                }
                StoreChange::Record(record) => all.record(record)?,
                StoreChange::Status { id, status } => all.status(id, status)?,
                StoreChange::Delete { id } => all.all.push((Arc::clone(id), Kind::Delete)),
            }
        }
        Ok(all)
    }

    fn record<D: Serialize + DeserializeOwned>(
        &mut self,
        record: &TaskRecord<D>,
    ) -> Result<(), StoreError> {
        let id = &record.assignment.id;
        let place = write::<TaskRecord<D>>(&mut self.json, id, "record", record)?;
        self.all.push((Arc::clone(id), Kind::Record(place)));
        Ok(())
    }

    fn status(&mut self, id: &Arc<str>, status: &TaskStatus) -> Result<(), StoreError> {
        let place = write::<Status>(&mut self.json, id, "status", &StatusRef(status))?;
        self.all.push((Arc::clone(id), Kind::Status(place)));
        Ok(())
    }

    /// The changes, each with the id of its task.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Write<'_>)> {
        let json = |place: &Range<usize>| self.json.get(place.clone()).unwrap_or_default();
        self.all.iter().map(move |(id, kind)| {
            let change = match kind {
                Kind::Record(place) => Write::Record(json(place)),
                Kind::Status(place) => Write::Status(json(place)),
                Kind::Delete => Write::Delete,
            };
            (&**id, change)
        })
    }
}

/// Appends the JSON of a value, and returns its place. The JSON is deserialized again as a test: a
/// store with a value that cannot be read would not open any more.
fn write<T: DeserializeOwned>(
    all: &mut Vec<u8>,
    id: &str,
    what: &str,
    value: &impl Serialize,
) -> Result<Range<usize>, StoreError> {
    let refused = |why: &str| StoreError::new(format!("task {id:?}: its {what} {why}"));
    let start = all.len();
    serde_json::to_writer(&mut *all, value)
        .map_err(|error| refused(&format!("cannot be stored as JSON: {error}")))?;
    from_json::<T>(all.get(start..).unwrap_or_default())
        .map_err(|error| refused(&format!("could not be read again from a store: {error}")))?;
    Ok(start..all.len())
}
