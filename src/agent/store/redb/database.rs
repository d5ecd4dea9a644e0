//! The database of a store: opening, reading, writing, migrating.

use super::super::StoredTask;
use super::error::OpenStoreError;
use super::gate::{CREATING, Gate, MAGIC};
use super::record::{RawTask, Steps, Stored, Versioned, Write, Writes, read_task};
use crate::agent::panic::{Panic, caught};
use ::redb::{
    AccessGuard, Database, Error as RedbError, ReadTransaction, ReadableDatabase, ReadableTable,
    StorageBackend, TableDefinition, TableError,
};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::de::DeserializeOwned;
use std::io;
use std::path::Path;

/// The versions of the records and of the definitions. A database with this table is a store.
const VERSIONS: TableDefinition<&str, u64> = TableDefinition::new("onward.versions");
/// The record of each task, as JSON.
pub(super) const RECORDS: TableDefinition<&str, &[u8]> = TableDefinition::new("onward.records");
/// The status of each task that has one, as JSON.
pub(super) const STATUSES: TableDefinition<&str, &[u8]> = TableDefinition::new("onward.statuses");

/// The version of redb's file format, and its two positions in a file.
const FILE_FORMAT: u8 = 3;
const FILE_FORMAT_AT: [u64; 2] = [64, 192];

/// The size of redb's cache, in bytes.
const CACHE: usize = 4 << 20;

/// An open store. Every record in it can be read.
pub(super) struct Opened {
    /// None only during a drop.
    database: Option<Database>,
    gate: Gate,
}

/// The expected contents of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// A store, or an empty file, which becomes one.
    StoreOrNothing,
    /// A store.
    Store,
}

impl Opened {
    /// Opens the database in a locked file. If anything in it is wrong, nothing is written.
    pub(super) fn new<D: DeserializeOwned>(
        path: &Path,
        file: Arc<dyn StorageBackend>,
        steps: &Steps,
        expected: Expected,
    ) -> Result<Self, OpenStoreError> {
        let fresh = is_fresh(path, &*file)?;
        if fresh && expected == Expected::Store {
            return Err(OpenStoreError::corrupt(path, "it has been emptied"));
        }
        let gate = Gate::new(file, fresh);
        let database = caught(|| {
            Database::builder()
                .set_cache_size(CACHE)
                .set_check_integrity_on_open(true)
                .create_with_backend(gate.clone())
        })
        .map_err(|panic| unreadable(path, &panic))?
        .map_err(|error| OpenStoreError::database(path, error))?;
        let opened = Self { database: Some(database), gate };
        caught(|| opened.begin::<D>(path, steps, fresh))
            .map_err(|panic| unreadable(path, &panic))??;
        Ok(opened)
    }

    fn begin<D: DeserializeOwned>(
        &self,
        path: &Path,
        steps: &Steps,
        fresh: bool,
    ) -> Result<(), OpenStoreError> {
        let failed = |error: RedbError| OpenStoreError::database(path, error);
        let let_through = || self.gate.open().map_err(|error| OpenStoreError::io(path, error));
        if fresh {
            self.store(steps, &[]).map_err(failed)?;
            return let_through();
        }
        let reader = self.reader(path)?;
        let versions = reader.versions(steps)?;
        if Versioned::ALL.iter().all(|what| versions.of(*what) == steps.version(*what)) {
            reader.tasks::<D>()?;
            return let_through();
        }
        let tasks = reader.migrated::<D>(steps, versions)?;
        drop(reader);
        let_through()?;
        self.store(steps, &tasks).map_err(failed)
    }

    /// All stored tasks.
    pub(super) fn load(&self, path: &Path) -> Result<Vec<JsonTask>, OpenStoreError> {
        self.reader(path)?.each(|id, record, status| {
            let (id, record) = (id.into(), record.into());
            Ok(JsonTask { id, record, status: status.map(Into::into) })
        })
    }

    /// Writes all of these changes or none.
    pub(super) fn commit(&self, path: &Path, changes: &Writes) -> Result<(), OpenStoreError> {
        self.write(changes).map_err(|error| OpenStoreError::database(path, error))
    }

    /// Closes the database, so that later damage is found when it is opened again.
    pub(super) fn close(mut self, path: &Path) -> Result<(), OpenStoreError> {
        let Some(database) = self.database.take() else { return Ok(()) };
        caught(|| database.close())
            .map_err(|panic| panicked(path, &panic))?
            .map_err(|error| OpenStoreError::database(path, error))
    }

    /// The file.
    pub(super) fn file(&self) -> &Arc<dyn StorageBackend> {
        self.gate.file()
    }

    fn database(&self) -> Result<&Database, RedbError> {
        self.database.as_ref().ok_or(RedbError::DatabaseClosed)
    }

    fn reader<'a>(&self, path: &'a Path) -> Result<Reader<'a>, OpenStoreError> {
        let begin = || Ok(self.database()?.begin_read()?);
        let transaction = begin().map_err(|error: RedbError| OpenStoreError::database(path, error));
        Ok(Reader { path, transaction: transaction? })
    }

    fn write(&self, changes: &Writes) -> Result<(), RedbError> {
        let transaction = self.database()?.begin_write()?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            let mut statuses = transaction.open_table(STATUSES)?;
            for (id, change) in changes.iter() {
                match change {
                    Write::Record(json) => _ = records.insert(id, json)?,
                    Write::Status(json) => {
                        if records.get(id)?.is_some() {
                            statuses.insert(id, json)?;
                        }
                    }
                    Write::Delete => {
                        records.remove(id)?;
                        statuses.remove(id)?;
                    }
                }
            }
        }
        Ok(transaction.commit()?)
    }

    /// Writes these tasks and the current versions: all of it or nothing.
    fn store(&self, steps: &Steps, tasks: &[RawTask]) -> Result<(), RedbError> {
        let transaction = self.database()?.begin_write()?;
        {
            let mut versions = transaction.open_table(VERSIONS)?;
            for what in Versioned::ALL {
                versions.insert(what.name(), steps.version(what))?;
            }
            let mut records = transaction.open_table(RECORDS)?;
            let mut statuses = transaction.open_table(STATUSES)?;
            for RawTask { id, record, status } in tasks {
                records.insert(id.as_str(), record.to_string().as_bytes())?;
                match status {
                    Some(status) => statuses.insert(id.as_str(), status.to_string().as_bytes())?,
                    None => statuses.remove(id.as_str())?,
                };
            }
        }
        Ok(transaction.commit()?)
    }
}

/// A drop writes nothing, so it does not block: every commit is in the file already.
impl Drop for Opened {
    fn drop(&mut self) {
        self.gate.shut();
        let database = self.database.take();
        _ = caught(|| drop(database));
    }
}

/// A stored task as JSON, in the current versions.
pub(super) struct JsonTask {
    pub(super) id: String,
    pub(super) record: Vec<u8>,
    pub(super) status: Option<Vec<u8>>,
}

/// Reads a consistent view of a store.
struct Reader<'a> {
    path: &'a Path,
    transaction: ReadTransaction,
}

impl Stored {
    fn of(self, what: Versioned) -> u64 {
        match what {
            Versioned::Records => self.records,
            Versioned::Definitions => self.definitions,
        }
    }
}

impl Reader<'_> {
    /// The versions in the file. It is an error if one is newer than the current version.
    fn versions(&self, steps: &Steps) -> Result<Stored, OpenStoreError> {
        let table = self.transaction.open_table(VERSIONS).map_err(|error| {
            if let TableError::Storage(error) = error {
                OpenStoreError::database(self.path, error)
            } else {
                OpenStoreError::foreign(self.path, "it is a redb database of another program")
            }
        })?;
        let version = |what: Versioned| {
            let entry = table.get(what.name()).map_err(|e| OpenStoreError::database(self.path, e));
            let found = entry?.map_or(0, |version| version.value());
            let known = steps.version(what);
            if found == 0 {
                let damage = format!("the version of its {} is missing", what.name());
                return Err(OpenStoreError::corrupt(self.path, damage));
            }
            if found > known {
                let path = self.path.into();
                return Err(OpenStoreError::Newer { path, what: what.name(), found, known });
            }
            Ok(found)
        };
        Ok(Stored {
            records: version(Versioned::Records)?,
            definitions: version(Versioned::Definitions)?,
        })
    }

    /// The tasks of a store that has the current versions.
    fn tasks<D: DeserializeOwned>(&self) -> Result<Vec<StoredTask<D>>, OpenStoreError> {
        self.each(|id, record, status| read_task(self.path, id, record, status))
    }

    /// The tasks of a store that has older versions, migrated to the current ones. Each of them
    /// can be read.
    fn migrated<D: DeserializeOwned>(
        &self,
        steps: &Steps,
        versions: Stored,
    ) -> Result<Vec<RawTask>, OpenStoreError> {
        self.each(|id, record, status| {
            let task = RawTask::new(self.path, id, record, status)?;
            let task = steps.migrate(self.path, versions, task)?;
            task.read::<D>(self.path)?;
            Ok(task)
        })
    }

    fn each<T>(
        &self,
        read: impl Fn(&str, &[u8], Option<&[u8]>) -> Result<T, OpenStoreError>,
    ) -> Result<Vec<T>, OpenStoreError> {
        let table = |definition| {
            self.transaction.open_table(definition).map_err(|error| {
                if let TableError::Storage(error) = error {
                    OpenStoreError::database(self.path, error)
                } else {
                    OpenStoreError::corrupt(self.path, error.to_string())
                }
            })
        };
        let failed = |error| OpenStoreError::database(self.path, ::redb::Error::from(error));
        let (records, statuses) = (table(RECORDS)?, table(STATUSES)?);
        let mut tasks = Vec::new();
        for entry in records.iter().map_err(failed)? {
            let (id, record) = entry.map_err(failed)?;
            let status = statuses.get(id.value()).map_err(failed)?;
            let status = status.as_ref().map(AccessGuard::value);
            tasks.push(read(id.value(), record.value(), status)?);
        }
        for entry in statuses.iter().map_err(failed)? {
            let (id, _) = entry.map_err(failed)?;
            if records.get(id.value()).map_err(failed)?.is_none() {
                let damage = "it has a status and no record";
                return Err(OpenStoreError::corrupt_task(self.path, id.value(), damage));
            }
        }
        Ok(tasks)
    }
}

/// Whether nothing was ever stored in this file. It is an error if the file is not a redb
/// database.
fn is_fresh(path: &Path, file: &dyn StorageBackend) -> Result<bool, OpenStoreError> {
    let failed = |error: io::Error| OpenStoreError::io(path, error);
    let len = file.len().map_err(failed)?;
    let mut head = [0; MAGIC.len()];
    let there = usize::try_from(len).unwrap_or(usize::MAX).min(head.len());
    let (there, _) = head.split_at_mut(there);
    file.read(0, there).map_err(failed)?;
    // A longer file of zeros is not one that this library has begun.
    if *there == CREATING || (len <= CREATING.len() as u64 && there.iter().all(|byte| *byte == 0)) {
        return Ok(true);
    }
    if *there != MAGIC {
        return Err(if MAGIC.starts_with(there) {
            OpenStoreError::corrupt(path, "it ends too early")
        } else {
            OpenStoreError::foreign(path, "it is not a redb database")
        });
    }
    let format = |at| {
        let mut format = [0];
        file.read(at, &mut format).map(|()| format)
    };
    let [first, second] = FILE_FORMAT_AT.map(format);
    let ([first], [second]) = (first.map_err(failed)?, second.map_err(failed)?);
    if first == second && first > FILE_FORMAT {
        let (found, known) = (first.into(), FILE_FORMAT.into());
        return Err(OpenStoreError::Newer { path: path.into(), what: "pages", found, known });
    }
    Ok(false)
}

/// The error for a panic of redb after the file was opened.
pub(super) fn panicked(path: &Path, panic: &Panic) -> OpenStoreError {
    let error = io::Error::other(format!("redb panicked: {panic}"));
    OpenStoreError::Io { path: path.into(), error }
}

/// The error for a panic of redb or of a definition while the file is read.
pub(super) fn unreadable(path: &Path, panic: &Panic) -> OpenStoreError {
    OpenStoreError::corrupt(path, format!("reading it panicked: {panic}"))
}
