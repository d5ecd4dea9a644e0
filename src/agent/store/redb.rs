//! A store in a file.

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

/// Keeps tasks in a file, which is a [redb] database: for an agent that comes back.
/// Clones are the same store.
///
/// A commit is written with one flush, all of its changes or none. If the agent is
/// killed or its machine fails, the file has every commit that was confirmed.
/// Only one store at a time can have the file open.
///
/// It starts no thread. Work that blocks is given to a function of the embedder's,
/// which has it run wherever blocking does no harm:
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
/// A definition is stored as JSON. One that serializes to something that cannot be
/// deserialized again is refused by [`commit`](Store::commit).
///
/// Where a write fails, as on a full disk, nothing is lost, and the store can be
/// used again as soon as there is room.
///
/// [redb]: https://docs.rs/redb
pub struct RedbStore<D> {
    shared: Arc<StoreFile>,
    definition: PhantomData<fn(D) -> D>,
}

/// How a [`RedbStore`] is opened.
#[derive(Clone, Copy, Default, Debug)]
pub struct RedbOptions {
    definitions: &'static [Migration],
    lock_timeout: Duration,
}

/// The file of a store and its clones, and how its work is done.
struct StoreFile {
    path: PathBuf,
    steps: Steps,
    offload: Offload,
    state: Mutex<State>,
}

type Offload = Box<dyn Fn(Box<dyn FnOnce() + Send>) + Send + Sync>;

enum State {
    Open(Opened),
    /// Something has failed: it is to be opened again. The file is still locked.
    Failed(Arc<dyn StorageBackend>),
    Closed,
}

impl<D> RedbStore<D> {
    /// How it is opened, if not as [`open`](Self::open) does.
    pub fn options() -> RedbOptions {
        RedbOptions::default()
    }
}

impl<D: Serialize + DeserializeOwned + Send + Sync + 'static> RedbStore<D> {
    /// Opens the store in a file, or makes one where there is no file or an empty
    /// one. A new file can be read by its owner only.
    ///
    /// Work that blocks is given to `offload`, which has it run and need not wait for
    /// it. If it drops the work instead, the call that waits for it fails.
    ///
    /// # Errors
    ///
    /// The file is no store, is damaged, in use, newer, or cannot be read and
    /// written. It is left as it was. Every record has been read: what is open is
    /// whole.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the file is opened nevertheless if that has begun, and closed again.
    pub async fn open(
        path: impl Into<PathBuf>,
        offload: impl Fn(Box<dyn FnOnce() + Send>) + Send + Sync + 'static,
    ) -> Result<Self, OpenStoreError> {
        Self::options().open(path, offload).await
    }

    /// Closes the store and all its clones.
    ///
    /// Closing is optional. If the store is dropped or its agent is killed, the file
    /// also has every confirmed commit. Close the store if the file is kept or copied
    /// afterwards: if a closed file is damaged later, opening it fails. In a file that
    /// was not closed, damage to the last commit looks like an interrupted commit, and
    /// the store opens without that commit.
    ///
    /// A [`Worker`](crate::agent::Worker) owns its store. Keep a clone of the store, and
    /// close that after [`run`](crate::agent::Worker::run) has returned. Until then the
    /// worker needs the store: a commit to a closed store fails.
    ///
    /// # Errors
    ///
    /// It could not be written. It is closed, and nothing is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is closed or not.
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

    /// Does this on the thread that `offload` chooses: `work` with the state locked, and without
    /// the embedder's code; `then` after it.
    async fn run<W, T: Send + 'static>(
        &self,
        work: impl FnOnce(&StoreFile, &mut State) -> Result<W, OpenStoreError> + Send + 'static,
        then: impl FnOnce(&Path, W) -> Result<T, OpenStoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        (self.shared.offload)(Box::new(move || {
            let mut state = shared.state.lock();
            // Nobody waits for it any more, and it may be older than what was done since.
            if sender.is_canceled() {
                return;
            }
            let result = work(&shared, &mut state);
            drop(state);
            let result = result.and_then(|done| then(&shared.path, done));
            // The receiver of the result may drop the last clone of the store.
            drop(shared);
            _ = sender.send(result);
        }));
        let dropped = |_| OpenStoreError::Dropped { path: self.shared.path.clone() };
        receiver.await.map_err(dropped).flatten().map_err(StoreError::new)
    }
}

impl RedbOptions {
    /// The same for definitions that have changed since their first version, by these
    /// steps.
    ///
    /// The first step takes a definition from version 1 to version 2, and so on. A
    /// file says in which version it was written. When it is opened, the steps that
    /// it has not seen yet are taken, on every definition that is stored: all of
    /// them, or, if one fails, none. A step is never to be changed or taken away.
    ///
    /// ```
    /// use onward::agent::RedbStore;
    /// use onward::agent::store::Migration;
    /// use serde_json::json;
    ///
    /// /// An image was a name; now it may have arguments.
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
    /// hold the lock of the file. A few seconds are enough for that. The wait blocks in the
    /// function that does the blocking work. If the store is still in use when it expires,
    /// opening fails with [`OpenStoreError::Locked`].
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
    /// Those of [`RedbStore::open`], and a step that failed.
    ///
    /// # Cancel safety
    ///
    /// That of [`RedbStore::open`].
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

/// The steps to the current version of the records.
const RECORDS: &[Migration] = &[];

impl StoreFile {
    /// Does this work with the database. After a failure, the next call opens the database
    /// again: it is of no use after an error of its file.
    ///
    /// The definitions were read as the embedder's when the file was opened first. Here, under
    /// the lock, they are JSON.
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

/// The tasks that are stored as JSON. Their definitions are the embedder's code.
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

/// Opens the file and what is in it.
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

/// How the lock of a file is waited for.
struct Lock<'a> {
    timeout: Duration,
    /// Whether nobody waits for the store any more.
    is_given_up: &'a dyn Fn() -> bool,
}

impl Lock<'_> {
    /// The time between two attempts: the standard library has no lock with a timeout.
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

/// Makes a file's entry in its directory last. Where the file system does not do
/// that on request it does it by itself.
fn sync_directory(path: &Path) {
    if cfg!(unix) {
        _ = File::open(directory(path)).and_then(|directory| directory.sync_all());
    }
}
