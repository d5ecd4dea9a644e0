//! Why a file is no store, or could not be read or written.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use core::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Why a file could not be opened as a store.
///
/// The file is as it was before, byte for byte, unless it was being written when
/// its disk failed or was full; then everything is in it that was committed
/// before.
///
/// A [`StoreError`](crate::agent::store::StoreError) of a
/// [`RedbStore`](super::RedbStore) has one of these as its reason where the file
/// is the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenStoreError {
    /// It is in use.
    #[error(
        "{}: another agent has this store open; stop that agent first, or give this one a store of its own",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// It is something else than a store.
    #[error("{}: this is not a store of tasks: {found}; name another file, or move this one away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// A newer version has written it.
    #[error(
        "{}: a newer agent has written this store: its {what} have version {found}, and this agent reads up to {known}; run the newer agent, or move the store away to begin without its tasks",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// What is newer: the definitions of tasks, which are the embedder's, the
        /// records, or the pages of the file.
        what: &'static str,
        /// Their version.
        found: u64,
        /// The newest version that is understood.
        known: u64,
    },
    /// It is damaged.
    #[error(
        "{}: this store is damaged: {}{damage}; restore it from a copy, or move it away to begin without its tasks",
        path.display(),
        task.as_ref().map_or(String::new(), |task| format!("task {task:?}: "))
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The id of the task whose record is damaged, where it is only one's.
        task: Option<String>,
        /// What is damaged.
        damage: String,
    },
    /// A step from an older version of the definitions has failed.
    #[error(
        "{}: task {task:?}: the migration of its {what} from version {step} failed: {error}",
        path.display()
    )]
    Migration {
        /// The file.
        path: PathBuf,
        /// The id of the task.
        task: String,
        /// What the step is for: the definitions of tasks, which are the embedder's, or
        /// the records.
        what: &'static str,
        /// Which step it is: the first one is 1, and leads from version 1 to 2.
        step: u64,
        /// What the step said.
        error: Box<dyn Error + Send + Sync>,
    },
    /// It may not be read and written.
    #[error(
        "{}: this store cannot be read and written: {error}; give this user both permissions, on a file system that is not read-only",
        path.display()
    )]
    NotPermitted {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It would be in a directory that does not exist.
    #[error("{}: there is no directory {}; create it first", path.display(), directory.display())]
    NoDirectory {
        /// The file.
        path: PathBuf,
        /// The directory.
        directory: PathBuf,
    },
    /// There is no room for it.
    #[error("{}: {error}; make room there", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It could not be read or written for another reason.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It has been closed.
    #[error("{}: this store has been closed; open it again", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
    },
    /// What runs blocking work has dropped it.
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
        #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is not told apart")]
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
