//! The state directory: everything that must survive an agent.
//!
//! | name | content |
//! |---|---|
//! | `tasks.redb` | the assignment and the status of each task |
//! | `tasks/` | the executor's files of the tasks |
//! | `reserve` | disk space for ending and removing tasks when the disk is full |
//! | `agent.sock` | the [socket](crate::socket) of the running agent |
//!
//! The agent locks the directory with `flock`. Only its owner can open it. So that no other user can
//! replace it, each directory above it must belong to root or to the agent's user. Others must not
//! be able to write to that one, unless it is sticky, as `/tmp` is.
//!
//! All files in the directory, the directories of the tasks and the files in those must belong to
//! the agent's user, too. Only the executor knows what the directories in a task's directory may
//! contain, so the agent does not check them.

mod contents;
mod error;
mod place;
mod reserve;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use onward::agent::RedbStore;
use onward::agent::store::OpenStoreError;
use rustix::fs::{FlockOperation, flock};
use tokio::time::{Instant, sleep};

use crate::kind::Definition;
use crate::spec::TaskSpec;
pub use error::StateError;
pub use place::Place;
pub use reserve::Reserved;

/// How long to wait for the lock of an agent that was just killed. The lock is free when the system
/// has closed its files, and those of processes that it was starting.
const LINGERING: Duration = Duration::from_secs(1);

/// Time between two attempts to lock the state.
const POLL: Duration = Duration::from_millis(20);

/// The file name of the store.
const STORE: &str = "tasks.redb";

/// The name of the directory for the files of the tasks.
const TASKS: &str = "tasks";

/// How many levels of the state are checked: its entries, those of `tasks/`, and those of each
/// task.
const DEPTH: u32 = 3;

/// The locked state directory of an agent, and its store.
#[derive(Debug)]
pub struct State<D: Definition> {
    place: Place,
    /// The store.
    pub store: RedbStore<TaskSpec<D>>,
}

impl<D: Definition> State<D> {
    /// Opens the state in a directory. Creates the directory if it does not exist.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be used, or if another agent uses it. That agent is not
    /// disturbed.
    pub async fn open(path: &Path) -> Result<Self, StateError> {
        let place = Place::open(path)?;
        let given_up = Instant::now() + LINGERING;
        let in_use = || StateError::InUse { path: path.to_owned() };
        while !place.lock()? {
            if Instant::now() >= given_up {
                return Err(in_use());
            }
            sleep(POLL).await;
        }
        let tasks = Place::open(&path.join(TASKS))?.path;
        contents::check(&place.path, DEPTH)?;
        let stored = place.path.join(STORE);
        check_store(&stored, &tasks)?;
        let store = loop {
            let elsewhere = |work| drop(tokio::task::spawn_blocking(work));
            match RedbStore::open(&stored, elsewhere).await {
                Ok(store) => break store,
                Err(OpenStoreError::Locked { .. }) if Instant::now() >= given_up => {
                    return Err(in_use());
                }
                Err(OpenStoreError::Locked { .. }) => sleep(POLL).await,
                Err(error) => return Err(StateError::Store(error)),
            }
        };
        Ok(Self { place, store })
    }

    /// Returns the state directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.place.path
    }

    /// Returns the store for a worker. It can store removals even if the disk is full.
    #[must_use]
    pub fn reserved(&self) -> Reserved<RedbStore<TaskSpec<D>>> {
        Reserved::new(self.store.clone(), self.dir(), STORE)
    }

    /// Returns the directory for the executor's files of the tasks.
    #[must_use]
    pub fn tasks_dir(&self) -> PathBuf {
        self.dir().join(TASKS)
    }
}

/// Locks a temporary directory for the tasks of an agent without a state. Cleaners of old files
/// leave a locked directory alone.
///
/// # Errors
///
/// Fails if another user can change the directory, or if it cannot be locked.
pub fn lock_temporary(path: &Path) -> Result<Place, StateError> {
    let place = Place::open(path)?;
    if place.lock()? { Ok(place) } else { Err(StateError::InUse { path: path.to_owned() }) }
}

/// Whether an agent uses this directory as its state.
#[must_use]
pub fn is_locked(dir: &File) -> bool {
    flock(dir, FlockOperation::NonBlockingLockShared).is_err()
}

/// Checks the file of the store. An empty file means damage if there are tasks. Without tasks, an
/// agent was killed while it created the store. If the file is missing, the agent creates a new
/// store, and the running tasks of the task file keep running.
fn check_store(path: &Path, tasks: &Path) -> Result<(), StateError> {
    if !path.metadata().is_ok_and(|found| found.len() == 0) {
        return Ok(());
    }
    let failed = |error| StateError::Directory { path: tasks.to_owned(), error };
    if tasks.read_dir().map_err(failed)?.next().is_none() {
        return Ok(());
    }
    Err(StateError::StoreEmptied { path: path.to_owned(), tasks: tasks.to_owned() })
}
