//! The errors of a store in a file.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file could not be opened, read or written as a store.
///
/// If opening fails, no byte of the file has changed. If a write fails, for example because the
/// disk is full, the file still has every earlier commit.
///
/// Most [`StoreError`](crate::agent::store::StoreError)s of a [`RedbStore`](super::RedbStore) have
/// an `OpenStoreError` as their reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStoreError {
    /// Another agent has the file open.
    #[error(
        "{}: another agent has this store open; stop that agent first, or give this one a store of its own",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a store.
    #[error("{}: this is not a store of tasks: {found}; name another file, or move this one away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why it is not a store, for example `it is a directory`.
        found: String,
    },
    /// A newer version of the agent has written the file.
    #[error(
        "{}: a newer agent has written this store: its {what} have version {found}, and this agent reads up to {known}; run the newer agent, or move the store away to begin without its tasks",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The part with the newer version: `definitions`, `records` of this library, or `pages`
        /// of redb.
        what: &'static str,
        /// The version of that part in the file.
        found: u64,
        /// The newest version that this agent can read.
        known: u64,
    },
    /// The file is damaged.
    #[error(
        "{}: this store is damaged: {}{damage}; restore it from a copy, or move it away to begin without its tasks",
        path.display(),
        task.as_ref().map_or(String::new(), |task| format!("task {task:?}: "))
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The id of the task whose record is damaged. None if the damage is elsewhere.
        task: Option<String>,
        /// A description of the damage.
        damage: String,
    },
    /// A [`Migration`](super::Migration) has failed.
    #[error(
        "{}: task {task:?}: the migration of its {what} from version {step} failed: {error}",
        path.display()
    )]
    Migration {
        /// The file.
        path: PathBuf,
        /// The id of the task.
        task: String,
        /// What was migrated: `definitions`, or `records` of this library.
        what: &'static str,
        /// The version before the migration. The first migration has 1.
        step: u64,
        /// The error of the migration.
        error: Box<dyn Error + Send + Sync>,
    },
    /// This user may not read and write the file.
    #[error(
        "{}: this store cannot be read and written: {error}; give this user both permissions, on a file system that is not read-only",
        path.display()
    )]
    NotPermitted {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The directory of the file does not exist.
    #[error("{}: there is no directory {}; create it first", path.display(), directory.display())]
    NoDirectory {
        /// The file.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// The disk or the quota is full.
    #[error("{}: {error}; make room there", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The file could not be read or written for another reason.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The store has been closed.
    #[error("{}: this store has been closed; open it again", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
    },
    /// The `offload` function has dropped the work.
    #[error(
        "{}: `offload` dropped the work on this store instead of running it; its runtime may be shutting down",
        path.display()
    )]
    Dropped {
        /// The file.
        path: PathBuf,
    },
}

impl OpenStoreError {
    pub(super) fn locked(path: &Path) -> Self {
        Self::Locked { path: path.into() }
    }

    pub(super) fn foreign(path: &Path, found: impl Into<String>) -> Self {
        Self::Foreign { path: path.into(), found: found.into() }
    }

    pub(super) fn corrupt(path: &Path, damage: impl Into<String>) -> Self {
        Self::Corrupt { path: path.into(), task: None, damage: damage.into() }
    }

    pub(super) fn corrupt_task(path: &Path, task: &str, damage: impl Into<String>) -> Self {
        Self::Corrupt { path: path.into(), task: Some(task.into()), damage: damage.into() }
    }

    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        use io::ErrorKind as Kind;
        let path = PathBuf::from(path);
        #[expect(clippy::wildcard_enum_match_arm, reason = "the kinds of I/O errors are many")]
        match error.kind() {
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::NotPermitted { path, error },
            Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => {
                Self::Full { path, error }
            }
            Kind::UnexpectedEof => {
                Self::Corrupt { path, task: None, damage: "it ends too early".into() }
            }
            _ => Self::Io { path, error },
        }
    }

    pub(super) fn database(path: &Path, error: impl Into<::redb::Error>) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other errors are treated alike")]
        match error.into() {
            ::redb::Error::Io(error) => Self::io(path, error),
            ::redb::Error::Corrupted(damage) => Self::corrupt(path, damage),
            ::redb::Error::UpgradeRequired(version) => Self::foreign(
                path,
                format!("it is a redb database of version {version}, which no store of tasks has"),
            ),
            error => Self::Io { path: path.into(), error: io::Error::other(error) },
        }
    }
}
