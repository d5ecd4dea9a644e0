//! The board: the current state of all tasks, for the views that show it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use onward::lifecycle::TaskStatus;
use tokio::sync::watch;

/// The row of one task: all that a view shows of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The id of the task, which is the key of the row.
    pub id: String,
    /// The name of the task, as `ps` shows it.
    pub name: String,
    /// The status of the task.
    pub status: TaskStatus,
    /// When the task entered its state.
    pub since: Instant,
    /// The last progress line of the running operation.
    pub progress: Option<String>,
    /// The number of the current attempt of the operation, from 1. `None` if the state has no
    /// operation.
    pub attempt: Option<u32>,
    /// When the operation is retried, if it waits for a retry.
    pub retry_at: Option<Instant>,
    /// Whether the task is being removed.
    pub is_removing: bool,
    /// Whether the task file has another definition than the running task.
    pub is_redefined: bool,
    /// A note about the task, such as a refused change or a failed removal. Empty in most cases.
    pub note: String,
}

impl Row {
    /// Makes the row of a task that has just reached this status. Its name is its id.
    pub fn new(id: impl Into<String>, status: TaskStatus) -> Self {
        let (since, note) = (Instant::now(), String::new());
        let (id, progress) = (id.into(), None);
        let (attempt, retry_at) = (None, None);
        let (is_removing, is_redefined) = (false, false);
        let name = id.clone();
        Self {
            id,
            name,
            status,
            since,
            progress,
            attempt,
            retry_at,
            is_removing,
            is_redefined,
            note,
        }
    }
}

/// The rows of all tasks, and notices about the agent itself. The agent writes them, and views read
/// them.
#[derive(Debug, Default)]
pub struct Board {
    contents: Mutex<Contents>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Contents {
    /// The rows, in the order of the task file, then by id.
    rows: BTreeMap<(usize, String), Row>,
    /// The position of each task in the task file.
    places: BTreeMap<String, usize>,
    /// The current notice of each source.
    notices: BTreeMap<&'static str, String>,
    /// The number of the last view.
    numbers: u64,
    /// For each view, the ids of the rows to look at. The flag is `true` if the view has already
    /// seen a row of this id.
    unseen: BTreeMap<u64, BTreeMap<String, bool>>,
}

/// A view of a [`Board`] that returns only changes.
#[derive(Debug)]
pub struct BoardView {
    board: Arc<Board>,
    number: u64,
    changed: watch::Receiver<()>,
}

/// The changes since the last look of a [`BoardView`].
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// The rows that are new or have changed, in their order.
    pub rows: Vec<Row>,
    /// The ids of the tasks that were removed.
    pub removed: Vec<String>,
}

impl Board {
    /// Makes a board with these rows, in this order.
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        let board = Self::default();
        board.arrange(rows.iter().map(|row| row.id.as_str()));
        for row in rows {
            board.change(&row.id.clone(), || row, |_| {});
        }
        board
    }

    /// Returns the current rows.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.lock().rows.values().cloned().collect()
    }

    /// Returns the current notices about the agent.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.lock().notices.values().cloned().collect()
    }

    /// Moves the rows of these tasks to the front, in this order. Later rows follow the same order.
    pub fn arrange<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        let ids = ids.into_iter().enumerate();
        let places = ids.map(|(place, id)| (id.to_owned(), place)).collect();
        let mut contents = self.lock();
        contents.places = places;
        let rows = std::mem::take(&mut contents.rows);
        for row in rows.into_values() {
            let key = contents.key(&row.id);
            contents.rows.insert(key, row);
        }
        drop(contents);
        self.changed.send_replace(());
    }

    /// Changes the row of this task. If there is none, `new` makes it first.
    pub fn change(&self, id: &str, new: impl FnOnce() -> Row, change: impl FnOnce(&mut Row)) {
        let mut contents = self.lock();
        let key = contents.key(id);
        let was_there = contents.rows.contains_key(&key);
        change(contents.rows.entry(key).or_insert_with(new));
        contents.note(id, was_there, true);
        drop(contents);
        self.changed.send_replace(());
    }

    /// Changes the row of this task, if there is one.
    pub fn update(&self, id: &str, change: impl FnOnce(&mut Row)) {
        let mut contents = self.lock();
        let key = contents.key(id);
        let Some(row) = contents.rows.get_mut(&key) else { return };
        change(row);
        contents.note(id, true, true);
        drop(contents);
        self.changed.send_replace(());
    }

    /// Removes the row of this task, if there is one.
    pub fn remove(&self, id: &str) {
        let mut contents = self.lock();
        let key = contents.key(id);
        if contents.rows.remove(&key).is_none() {
            return;
        }
        contents.note(id, true, false);
        drop(contents);
        self.changed.send_replace(());
    }

    /// Sets or clears the notice of a source. Returns whether that changed it.
    pub fn notice(&self, source: &'static str, notice: Option<String>) -> bool {
        let mut contents = self.lock();
        let before = contents.notices.remove(source);
        let changed = before != notice;
        contents.notices.extend(notice.map(|notice| (source, notice)));
        drop(contents);
        if changed {
            self.changed.send_replace(());
        }
        changed
    }

    /// Makes a view that has not seen any row yet.
    #[must_use]
    pub fn view(self: &Arc<Self>) -> BoardView {
        let mut contents = self.lock();
        contents.numbers += 1;
        let number = contents.numbers;
        let all = contents.rows.values().map(|row| (row.id.clone(), false)).collect();
        contents.unseen.insert(number, all);
        drop(contents);
        BoardView { board: Arc::clone(self), number, changed: self.changed.subscribe() }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // The contents are consistent at any time, even after a panic of another thread.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// Returns the key of a task's row.
    fn key(&self, id: &str) -> (usize, String) {
        (self.places.get(id).copied().unwrap_or(usize::MAX), id.to_owned())
    }

    /// Marks this row as changed for every view. A row that was added and removed between two looks
    /// is not reported.
    fn note(&mut self, id: &str, was_there: bool, is_there: bool) {
        for unseen in self.unseen.values_mut() {
            let is_known = *unseen.entry(id.to_owned()).or_insert(was_there);
            if !is_known && !is_there {
                unseen.remove(id);
            }
        }
    }
}

impl BoardView {
    /// Returns the board.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Waits until the board has changed since the last return of this method. Several changes can
    /// be reported as one.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, the next call returns for the same change.
    pub async fn changed(&mut self) {
        // `self` holds the board, so the channel cannot close.
        _ = self.changed.changed().await;
    }

    /// Returns the changes since the last look. The first look returns all rows.
    #[must_use]
    pub fn look(&mut self) -> Changed {
        let mut contents = self.board.lock();
        let unseen = contents.unseen.get_mut(&self.number).map(std::mem::take);
        let mut keys: Vec<_> =
            unseen.into_iter().flatten().map(|(id, _)| contents.key(&id)).collect();
        keys.sort_unstable();
        let mut changed = Changed::default();
        for key in keys {
            match contents.rows.get(&key) {
                Some(row) => changed.rows.push(row.clone()),
                None => changed.removed.push(key.1),
            }
        }
        changed
    }
}

impl Drop for BoardView {
    fn drop(&mut self) {
        self.board.lock().unseen.remove(&self.number);
    }
}
