//! The directory in which an agent that comes back has everything.
//!
//! | name | content |
//! |---|---|
//! | `tasks.redb` | what is wanted of each task, and how far it is |
//! | `tasks/` | what the executor keeps of the tasks |
//! | `reserve` | room for removals on a disk that is full |
//! | `agent.sock` | where the agent [is talked to](crate::socket) while it runs |
//!
//! The directory itself is locked (`flock`) by the agent. It is for its owner only, and so that
//! nobody can put another one in its place, each directory on the way to it must belong to root
//! or to the agent's user, and must not be writable by others, unless it is sticky, as `/tmp` is.
//! Each file in the directory, the directory of each task and each file in that must belong to the
//! agent's user, too. Directories in that of a task are the executor's concern.

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

/// How long a state may be locked by an agent that has just been killed: until the system has
/// closed its files, and those of what it was about to start.
const LINGERING: Duration = Duration::from_secs(1);

/// Time between two tries.
const POLL: Duration = Duration::from_millis(20);

/// The name of the store.
const STORE: &str = "tasks.redb";

/// The name of the directory for what belongs to the tasks.
const TASKS: &str = "tasks";

/// How deep a state is checked: what is in it, the directory of each task, and the files in that.
const DEPTH: u32 = 3;

/// The state of an agent that has it for itself.
#[derive(Debug)]
pub struct State<D: Definition> {
    place: Place,
    /// What is stored there.
    pub store: RedbStore<TaskSpec<D>>,
}

impl<D: Definition> State<D> {
    /// Opens the state in a directory, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// It cannot be used, or is in use. Whoever uses it is not disturbed.
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

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.place.path
    }

    /// What is stored, for a worker. It finds room for removals even on a disk that is full.
    #[must_use]
    pub fn reserved(&self) -> Reserved<RedbStore<TaskSpec<D>>> {
        Reserved::new(self.store.clone(), self.dir(), STORE)
    }

    /// Where the executor keeps what belongs to the tasks.
    #[must_use]
    pub fn tasks_dir(&self) -> PathBuf {
        self.dir().join(TASKS)
    }
}

/// A temporary directory for the tasks of an agent without a state. It is locked as a state is,
/// which cleaners of old files respect.
///
/// # Errors
///
/// Somebody else could change it, or it cannot be locked.
pub fn lock_temporary(path: &Path) -> Result<Place, StateError> {
    let place = Place::open(path)?;
    if place.lock()? { Ok(place) } else { Err(StateError::InUse { path: path.to_owned() }) }
}

/// Whether an agent has this directory as its state.
#[must_use]
pub fn is_locked(dir: &File) -> bool {
    flock(dir, FlockOperation::NonBlockingLockShared).is_err()
}

/// An empty store where there are tasks is damaged. Where there are none, an agent was killed
/// while it made the store. A store that somebody has taken away is made anew: what runs of the
/// file's tasks goes on.
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
