use std::io;
use std::path::PathBuf;

use onward::agent::store::OpenStoreError;

/// Why a directory cannot be the state of an agent.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory cannot be created or read.
    #[error("{}: {error}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The path is not UTF-8, so it cannot be passed to a task.
    #[error("{}: the path is not UTF-8; name a directory whose path is", path.display())]
    NotUtf8 {
        /// The directory.
        path: PathBuf,
    },
    /// Another user could read or change the directory, or talk to the agent.
    #[error(
        "{}: only its owner may have access to such a directory, but {problem}; chmod 700 it, \
         or name a directory that does not exist yet",
        path.display()
    )]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Why the directory is not safe.
        problem: String,
    },
    /// Another user owns or could change an entry of the directory.
    #[error(
        "{}: only its owner may have access to the files in the state of an agent, but this one \
         {problem}; remove it if you do not know where it comes from, or else chown it to the \
         agent's user and chmod it to 600, or 700 if it is a directory",
        path.display()
    )]
    Foreign {
        /// The file or directory.
        path: PathBuf,
        /// Why it is not safe.
        problem: String,
    },
    /// Another user could replace the directory.
    #[error(
        "{}: others could put another directory in its place, because {} {problem}; \
         name a directory elsewhere, or change the owner or mode of that one",
        path.display(), on_the_way.display()
    )]
    Replaceable {
        /// The directory.
        path: PathBuf,
        /// The directory above it that is not safe.
        on_the_way: PathBuf,
        /// Why that one is not safe.
        problem: String,
    },
    /// Another agent uses the directory.
    #[error("{}: another agent runs on this state; stop it first, or name another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The store is empty, but there are tasks.
    #[error(
        "{}: the store is empty, but there are tasks in {}; restore it from a backup, or \
         remove it: then the tasks of the task file keep running, and all others are ended",
        path.display(), tasks.display()
    )]
    StoreEmptied {
        /// The file of the store.
        path: PathBuf,
        /// The directory with the files of the tasks.
        tasks: PathBuf,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(OpenStoreError),
}
