use std::io;
use std::path::PathBuf;

use onward::agent::store::OpenStoreError;

/// Why a directory cannot be the state of an agent.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It could not be made or looked at.
    #[error("{}: {error}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Its path is no text, and so cannot be told to a task.
    #[error("{}: the path is not UTF-8; name a directory whose path is", path.display())]
    NotUtf8 {
        /// The directory.
        path: PathBuf,
    },
    /// Somebody else could change what is in it, or talk to the agent.
    #[error(
        "{}: the state of an agent is for its owner only, and {problem}; chmod 700 it, or name a directory that does not exist yet",
        path.display()
    )]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Who else there is.
        problem: String,
    },
    /// Somebody else owns or could change something in it.
    #[error(
        "{}: everything in the state of an agent must be its owner's only, and this {problem}; remove it if you do not know who has put it there, or else chown it to the agent's user and chmod it to 600, or 700 if it is a directory",
        path.display()
    )]
    Foreign {
        /// The file or directory.
        path: PathBuf,
        /// Who else there is.
        problem: String,
    },
    /// Somebody else could put another directory in its place.
    #[error(
        "{}: others could put another directory in its place, since {} {problem}; name a directory elsewhere, or mend that",
        path.display(), on_the_way.display()
    )]
    Replaceable {
        /// The directory.
        path: PathBuf,
        /// The one above it that is not safe.
        on_the_way: PathBuf,
        /// Who can change that one.
        problem: String,
    },
    /// Another agent is at work there.
    #[error("{}: another agent runs on this state; stop it first, or name another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The store is empty, and there are tasks.
    #[error(
        "{}: it is empty, and there are tasks in {}; put it back as it was, or remove it: then the tasks of the file go on, and all others are ended",
        path.display(), tasks.display()
    )]
    StoreEmptied {
        /// The store.
        path: PathBuf,
        /// What is left of the tasks.
        tasks: PathBuf,
    },
    /// Its store cannot be used.
    #[error(transparent)]
    Store(OpenStoreError),
}
