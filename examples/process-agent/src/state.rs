//! The directory in which an agent that comes back has everything.
//!
//! | name | content |
//! |---|---|
//! | `tasks.redb` | what is wanted of each task, and how far it is; locked by the agent |
//! | `tasks/` | a [directory](crate::keeper) for each task |
//! | `agent.sock` | where the agent [is talked to](crate::socket) while it runs |

use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use onward::agent::RedbStore;
use onward::agent::store::OpenStoreError;
use tokio::time::{Instant, sleep};

use crate::agent::TaskSpec;
use crate::definition::ProcessDefinition;

/// How long a store may be locked by an agent that has just been killed: until the system has
/// closed its files, and those of what it was about to start.
const LINGERING: Duration = Duration::from_secs(1);

/// Time between two tries.
const POLL: Duration = Duration::from_millis(20);

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
    /// Another agent is at work there.
    #[error("{}: another agent runs on this state; stop it first, or name another directory", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// Its store cannot be used.
    #[error(transparent)]
    Store(OpenStoreError),
}

/// The state of an agent that has it for itself.
#[derive(Debug)]
pub struct State {
    /// The directory, as an absolute path without symbolic links: keepers are known by it.
    pub dir: PathBuf,
    /// What is stored there.
    pub store: RedbStore<TaskSpec<ProcessDefinition>>,
}

impl State {
    /// Opens the state in a directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be used, or is in use. Whoever uses it is not disturbed.
    pub async fn open(path: &Path) -> Result<Self, StateError> {
        let failed = |error| StateError::Directory { path: path.to_owned(), error };
        make(path).map_err(failed)?;
        let dir = path.canonicalize().map_err(failed)?;
        if let Some(problem) = exposure(&dir.metadata().map_err(failed)?) {
            return Err(StateError::Exposed { path: path.to_owned(), problem });
        }
        make(&tasks_dir(&dir)).map_err(failed)?;
        let given_up = Instant::now() + LINGERING;
        let store = loop {
            let elsewhere = |work| drop(tokio::task::spawn_blocking(work));
            match RedbStore::open(dir.join("tasks.redb"), elsewhere).await {
                Ok(store) => break store,
                Err(OpenStoreError::Locked { .. }) if Instant::now() >= given_up => {
                    return Err(StateError::InUse { path: path.to_owned() });
                }
                Err(OpenStoreError::Locked { .. }) => sleep(POLL).await,
                Err(error) => return Err(StateError::Store(error)),
            }
        };
        Ok(Self { dir, store })
    }

    /// Where the tasks have their directories.
    #[must_use]
    pub fn tasks_dir(&self) -> PathBuf {
        tasks_dir(&self.dir)
    }
}

fn tasks_dir(dir: &Path) -> PathBuf {
    dir.join("tasks")
}

/// Makes a directory that is for its owner only, if it is not there.
fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Who else than this process' user can do something with a directory, if anybody can.
fn exposure(dir: &Metadata) -> Option<String> {
    let me = rustix::process::geteuid().as_raw();
    if dir.uid() != me {
        return Some(format!("this one belongs to user {}", dir.uid()));
    }
    let mode = dir.mode() & 0o777;
    (mode & 0o077 != 0).then(|| format!("this one has the mode {mode:03o}"))
}
