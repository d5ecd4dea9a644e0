//! A store in a file, with the database redb.

mod database;
mod error;
mod gate;
mod record;
#[cfg(all(test, shuttle))]
mod shuttle_tests;
#[cfg(all(test, not(shuttle)))]
mod tests;

use super::{Store, StoreChange, StoreError, StoredTask};
use crate::agent::panic::caught;
use crate::agent::sync::Mutex;
use ::redb::StorageBackend;
use ::redb::backends::FileBackend;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::mem;
use database::{Expected, JsonTask, Opened, panicked, unreadable};
use futures::channel::oneshot;
use record::{Steps, Writes, read_task};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

pub use error::OpenStoreError;
pub use record::Migration;

/// A store in a file, which is a [redb] database. The tasks survive `kill -9` of the agent. Clones
/// are the same store.
///
/// A commit writes all of its changes or none, with one flush. If the agent is killed or its
/// machine crashes, the file has every confirmed commit. Only one store at a time can have the file
/// open.
///
/// It starts no thread. You pass a function, `offload`, that runs blocking work on another thread:
///
/// ```
/// use onward::agent::store::{StoreChange, TaskRecord};
/// use onward::agent::{RedbStore, Store};
/// use onward::exec::Assignment;
/// use std::sync::Arc;
///
/// # futures::executor::block_on(async {
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("tasks");
/// // On tokio: `|work| drop(tokio::task::spawn_blocking(work))`.
/// let elsewhere = |work| drop(std::thread::spawn(work));
///
/// let store = RedbStore::<String>::open(&path, elsewhere).await?;
/// let task = Arc::new(TaskRecord::new(Assignment::new("a-task", "alpine:3".to_owned())));
/// store.commit(&[StoreChange::Record(Arc::clone(&task))]).await?;
/// store.close().await?;
///
/// let store = RedbStore::<String>::open(&path, elsewhere).await?;
/// assert_eq!(store.load().await?[0].record, task);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A definition is stored as JSON. If a definition cannot be deserialized from its own JSON,
/// [`commit`](Store::commit) returns an error.
///
/// If a write fails, for example because the disk is full, nothing is lost. You can use the store
/// again as soon as there is room.
///
/// [redb]: https://docs.rs/redb
pub struct RedbStore<D> {
    shared: Arc<StoreFile>,
    definition: PhantomData<fn(D) -> D>,
}

/// Options for opening a [`RedbStore`]: migrations and a lock timeout.
#[derive(Clone, Copy, Default, Debug)]
pub struct RedbOptions {
    definitions: &'static [Migration],
    lock_timeout: Duration,
}

/// The file of a store, shared by its clones.
struct StoreFile {
    path: PathBuf,
    steps: Steps,
    offload: Offload,
    state: Mutex<State>,
}

type Offload = Box<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

enum State {
    Open(Opened),
    /// A call has failed. The next call opens the database again. The file is still locked.
    Failed(Arc<dyn StorageBackend>),
    Closed,
}

impl<D> RedbStore<D> {
    /// Options for opening a store: migrations and a lock timeout.
    pub fn options() -> RedbOptions {
        RedbOptions::default()
    }
}

impl<D: Serialize + DeserializeOwned + Send + Sync + 'static> RedbStore<D> {
    /// Opens the store in a file. If there is no file, or an empty one, it creates a store. Only
    /// the owner can read a new file.
    ///
    /// `offload` gets blocking work and runs it on another thread. It need not wait for the work. If
    /// it drops the work, the call that needs it fails with [`OpenStoreError::Dropped`].
    ///
    /// # Errors
    ///
    /// The file is not a store, is damaged, in use, of a newer version, or cannot be read and
    /// written. It is unchanged. Opening reads every record, so an open store has no damaged one.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped while the file is being opened, the file is closed again.
    pub async fn open(
        path: impl Into<PathBuf>,
        offload: impl Fn(Box<dyn FnOnce() + Send>) + Send + Sync + 'static,
    ) -> Result<Self, OpenStoreError> {
        Self::options().open(path, offload).await
    }

    /// Closes the store and all its clones.
    ///
    /// Closing is optional. If the store is dropped or the agent is killed, the file has every
    /// confirmed commit too. Close the store if the file is kept or copied afterwards: if a closed
    /// file is damaged later, opening it fails. In a file that was not closed, damage to the last
    /// commit looks like an interrupted commit, and the store opens without that commit.
    ///
    /// A [`Worker`](crate::agent::Worker) owns its store. Keep a clone of the store, and close the
    /// clone after [`run`](crate::agent::Worker::run) has returned. A commit to a closed store
    /// fails.
    ///
    /// # Errors
    ///
    /// The file could not be written. The store is closed, and nothing is lost.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the store is closed or not.
    pub async fn close(&self) -> Result<(), StoreError> {
        let close = |shared: &StoreFile, state: &mut State| match mem::replace(state, State::Closed)
        {
            State::Open(opened) => opened.close(&shared.path),
            State::Failed(_) | State::Closed => Ok(()),
        };
        self.run(close, |_, ()| Ok(())).await
    }

    fn new(path: PathBuf, steps: Steps, offload: Offload, opened: Opened) -> Self {
        let state = Mutex::new(State::Open(opened));
        let shared = Arc::new(StoreFile { path, steps, offload, state });
        Self { shared, definition: PhantomData }
    }

    /// Runs work with `offload`: first `work`, under the lock and without code of the embedder, and
    /// then `then`, outside of the lock.
    async fn run<W, T: Send + 'static>(
        &self,
        work: impl FnOnce(&StoreFile, &mut State) -> Result<W, OpenStoreError> + Send + 'static,
        then: impl FnOnce(&Path, W) -> Result<T, OpenStoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        (self.shared.offload)(Box::new(move || {
            let mut state = shared.state.lock();
            // The caller was dropped. This work must not run after later work.
            if sender.is_canceled() {
                return;
            }
            let result = work(&shared, &mut state);
            drop(state);
            let result = result.and_then(|done| then(&shared.path, done));
            // The receiver may drop the last clone of the store, and expects that to close it.
            drop(shared);
            _ = sender.send(result);
        }));
        let dropped = |_| OpenStoreError::Dropped { path: self.shared.path.clone() };
        receiver.await.map_err(dropped).flatten().map_err(StoreError::new)
    }
}

impl RedbOptions {
    /// Sets the migrations of the definitions. Default: none.
    ///
    /// The first migration changes a definition from version 1 to version 2, and so on. The file
    /// has the version of its definitions. When it is opened, the missing migrations are applied
    /// to every stored definition. If one fails, nothing is changed. Never change or delete a
    /// migration.
    ///
    /// ```
    /// use onward::agent::RedbStore;
    /// use onward::agent::store::Migration;
    /// use serde_json::json;
    ///
    /// /// In version 1, a definition was the name of an image. In version 2, it has arguments.
    /// const WITH_ARGUMENTS: Migration = |image| Ok(json!({ "image": image, "args": [] }));
    ///
    /// let options = RedbStore::<serde_json::Value>::options().with_migrations(&[WITH_ARGUMENTS]);
    /// ```
    #[must_use]
    pub fn with_migrations(self, definitions: &'static [Migration]) -> Self {
        Self { definitions, ..self }
    }

    /// Sets how long opening waits while another agent has the store open. Default: not at all.
    ///
    /// Right after an agent was killed, a child process that it was just starting may still
    /// hold the lock of the file. A few seconds are enough for that. The wait blocks the thread of
    /// `offload`. If the store is still in use when the timeout expires, opening fails with
    /// [`OpenStoreError::Locked`].
    ///
    /// ```
    /// use onward::agent::RedbStore;
    /// use std::time::Duration;
    ///
    /// let options = RedbStore::<String>::options().with_lock_timeout(Duration::from_secs(5));
    /// ```
    #[must_use]
    pub fn with_lock_timeout(self, lock_timeout: Duration) -> Self {
        Self { lock_timeout, ..self }
    }

    /// Opens the store in a file; see [`RedbStore::open`].
    ///
    /// # Errors
    ///
    /// The same as [`RedbStore::open`], and a migration that failed.
    ///
    /// # Cancel safety
    ///
    /// The same as [`RedbStore::open`].
    pub async fn open<D: Serialize + DeserializeOwned + Send + Sync + 'static>(
        self,
        path: impl Into<PathBuf>,
        offload: impl Fn(Box<dyn FnOnce() + Send>) + Send + Sync + 'static,
    ) -> Result<RedbStore<D>, OpenStoreError> {
        let path = path.into();
        let steps = Steps { records: RECORDS, definitions: self.definitions };
        let (sender, receiver) = oneshot::channel();
        let file = path.clone();
        offload(Box::new(move || {
            let lock = Lock { timeout: self.lock_timeout, is_given_up: &|| sender.is_canceled() };
            let opened = open_file::<D>(&file, &steps, &lock);
            _ = sender.send(opened);
        }));
        let dropped = |_| OpenStoreError::Dropped { path: path.clone() };
        let opened = receiver.await.map_err(dropped).flatten()?;
        Ok(RedbStore::new(path, steps, Box::new(offload), opened))
    }
}

/// The migrations of the records of this library: none so far.
const RECORDS: &[Migration] = &[];

impl StoreFile {
    /// Runs work with the database. After a failure, the next call opens the database again,
    /// because redb cannot use it after an error of the file.
    ///
    /// Definitions are not deserialized here, because this runs under the lock.
    fn with<T>(
        &self,
        state: &mut State,
        work: impl FnOnce(&Opened, &Path) -> Result<T, OpenStoreError>,
    ) -> Result<T, OpenStoreError> {
        if let State::Failed(file) = state {
            let file = Arc::clone(file);
            let opened = Opened::new::<Value>(&self.path, file, &self.steps, Expected::Store)?;
            *state = State::Open(opened);
        }
        let State::Open(opened) = state else {
            return Err(OpenStoreError::Closed { path: self.path.clone() });
        };
        let result = caught(|| work(opened, &self.path))
            .unwrap_or_else(|panic| Err(panicked(&self.path, &panic)));
        if result.is_err() {
            *state = State::Failed(Arc::clone(opened.file()));
        }
        result
    }
}

impl<D: Serialize + DeserializeOwned + Send + Sync + 'static> Store<D> for RedbStore<D> {
    async fn load(&self) -> Result<Vec<StoredTask<D>>, StoreError> {
        self.run(|shared, state| shared.with(state, Opened::load), stored).await
    }

    async fn commit(&self, changes: &[StoreChange<D>]) -> Result<(), StoreError> {
        let changes = Writes::new(changes)?;
        let commit = move |shared: &StoreFile, state: &mut State| {
            shared.with(state, |opened, path| opened.commit(path, &changes))
        };
        self.run(commit, |_, ()| Ok(())).await
    }
}

/// Deserializes tasks. This runs code of the embedder.
fn stored<D: DeserializeOwned>(
    path: &Path,
    tasks: Vec<JsonTask>,
) -> Result<Vec<StoredTask<D>>, OpenStoreError> {
    let read = |task: JsonTask| read_task(path, &task.id, &task.record, task.status.as_deref());
    caught(|| tasks.into_iter().map(read).collect())
        .unwrap_or_else(|panic| Err(unreadable(path, &panic)))
}

impl<D> Clone for RedbStore<D> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), definition: PhantomData }
    }
}

impl<D> fmt::Debug for RedbStore<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbStore").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

/// Opens or creates the file, locks it, and opens its database.
fn open_file<D: DeserializeOwned>(
    path: &Path,
    steps: &Steps,
    lock: &Lock<'_>,
) -> Result<Opened, OpenStoreError> {
    let failed = |error| OpenStoreError::io(path, error);
    let file = open_or_create(path)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(OpenStoreError::foreign(path, "it is not a regular file"));
    }
    lock.take(&file, path)?;
    let new = file.metadata().map_err(failed)?.len() == 0;
    let file = FileBackend::new(file).map_err(|error| OpenStoreError::database(path, error))?;
    let opened = Opened::new::<D>(path, Arc::new(file), steps, Expected::StoreOrNothing)?;
    if new {
        sync_directory(path);
    }
    Ok(opened)
}

/// The lock of a file, and how long to wait for it.
struct Lock<'a> {
    timeout: Duration,
    /// Whether the future that waits for the store was dropped.
    is_given_up: &'a dyn Fn() -> bool,
}

impl Lock<'_> {
    /// The time between two attempts. The standard library has no file lock with a timeout.
    const INTERVAL: Duration = Duration::from_millis(10);

    /// Locks a file. Blocks until it is locked, or until the timeout expires.
    fn take(&self, file: &File, path: &Path) -> Result<(), OpenStoreError> {
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(OpenStoreError::io(path, error)),
                Err(TryLockError::WouldBlock) => {}
            }
            let left = self.timeout.saturating_sub(start.elapsed());
            if left.is_zero() || (self.is_given_up)() {
                return Err(OpenStoreError::locked(path));
            }
            thread::sleep(left.min(Self::INTERVAL));
        }
    }
}

fn open_or_create(path: &Path) -> Result<File, OpenStoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        let directory = directory(path);
        if path.is_dir() {
            OpenStoreError::foreign(path, "it is a directory")
        } else if !directory.is_dir() {
            OpenStoreError::NoDirectory { path: path.into(), directory: directory.into() }
        } else {
            OpenStoreError::io(path, error)
        }
    })
}

fn directory(path: &Path) -> &Path {
    let directory = path.parent().unwrap_or(path);
    if directory.as_os_str().is_empty() { Path::new(".") } else { directory }
}

/// Flushes the directory, so that a new file survives a crash. An error is ignored: some file
/// systems cannot flush a directory, and do it by themselves.
fn sync_directory(path: &Path) {
    if cfg!(unix) {
        _ = File::open(directory(path)).and_then(|directory| directory.sync_all());
    }
}
