//! What there is to see of every task, for whoever shows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use onward::lifecycle::TaskStatus;
use tokio::sync::watch;

/// What there is to see of one task.
#[derive(Clone, Debug)]
pub struct Row {
    /// The task's name.
    pub name: String,
    /// Its status.
    pub status: TaskStatus,
    /// Since when it has been in its state.
    pub since: Instant,
    /// The last line of progress of the operation in flight.
    pub progress: Option<String>,
    /// How often the operation of this state has been tried, from 1. None if there is none.
    pub attempt: Option<u32>,
    /// When it is tried again, if it is to be.
    pub retry_at: Option<Instant>,
    /// Whether the file has another definition than the task was begun with.
    pub is_redefined: bool,
    /// What else is to be said of it: a change that it has refused, what is left of it.
    pub note: String,
}

impl Row {
    /// The row of a task that has just come to this status.
    pub fn new(name: impl Into<String>, status: TaskStatus) -> Self {
        let (since, note) = (Instant::now(), String::new());
        let (name, progress) = (name.into(), None);
        let (attempt, retry_at, is_redefined) = (None, None, false);
        Self { name, status, since, progress, attempt, retry_at, is_redefined, note }
    }
}

/// The rows of all tasks, and what is to be said of the agent itself. Tasks write, a view reads.
#[derive(Debug, Default)]
pub struct Board {
    contents: Mutex<Contents>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Contents {
    /// By their places: in the order of the file, then by name.
    rows: BTreeMap<(usize, String), Row>,
    /// The place of each task of the file.
    places: BTreeMap<String, usize>,
    /// Each from a source of its own.
    notices: BTreeMap<&'static str, String>,
    /// Counts the views, for their numbers.
    numbers: u64,
    /// The names of the rows that each view has to look at, and whether it has seen such a row.
    unseen: BTreeMap<u64, BTreeMap<String, bool>>,
}

/// A view of a [`Board`] that sees what has changed.
#[derive(Debug)]
pub struct BoardView {
    board: Arc<Board>,
    number: u64,
    changed: watch::Receiver<()>,
}

/// What a [`BoardView`] had not seen yet.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// The rows that are new or have changed, in their order.
    pub rows: Vec<Row>,
    /// The names of the tasks that are gone.
    pub removed: Vec<String>,
}

impl Board {
    /// A board with these rows, in this order.
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        let board = Self::default();
        board.arrange(rows.iter().map(|row| row.name.as_str()));
        for row in rows {
            board.change(&row.name.clone(), || row, |_| {});
        }
        board
    }

    /// The rows as they are now.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.lock().rows.values().cloned().collect()
    }

    /// What is to be said of the agent itself now.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.lock().notices.values().cloned().collect()
    }

    /// From now on, the rows of these tasks come first, in this order.
    pub fn arrange<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let names = names.into_iter().enumerate();
        let places = names.map(|(place, name)| (name.to_owned(), place)).collect();
        let mut contents = self.lock();
        contents.places = places;
        let rows = std::mem::take(&mut contents.rows);
        for row in rows.into_values() {
            let key = contents.key(&row.name);
            contents.rows.insert(key, row);
        }
        drop(contents);
        self.changed.send_replace(());
    }

    /// Changes the row of the task of this name. If there is none, it makes one first.
    pub fn change(&self, name: &str, new: impl FnOnce() -> Row, change: impl FnOnce(&mut Row)) {
        let mut contents = self.lock();
        let key = contents.key(name);
        let was_there = contents.rows.contains_key(&key);
        change(contents.rows.entry(key).or_insert_with(new));
        contents.note(name, was_there, true);
        drop(contents);
        self.changed.send_replace(());
    }

    /// Changes the row of the task of this name, if there is one.
    pub fn update(&self, name: &str, change: impl FnOnce(&mut Row)) {
        let mut contents = self.lock();
        let key = contents.key(name);
        let Some(row) = contents.rows.get_mut(&key) else { return };
        change(row);
        contents.note(name, true, true);
        drop(contents);
        self.changed.send_replace(());
    }

    /// Removes the row of the task of this name, if there is one.
    pub fn remove(&self, name: &str) {
        let mut contents = self.lock();
        let key = contents.key(name);
        if contents.rows.remove(&key).is_none() {
            return;
        }
        contents.note(name, true, false);
        drop(contents);
        self.changed.send_replace(());
    }

    /// Says this, or nothing any more, in place of what came from the same source before. Returns
    /// whether it is something else.
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

    /// A view that has seen nothing yet.
    #[must_use]
    pub fn view(self: &Arc<Self>) -> BoardView {
        let mut contents = self.lock();
        contents.numbers += 1;
        let number = contents.numbers;
        let all = contents.rows.values().map(|row| (row.name.clone(), false)).collect();
        contents.unseen.insert(number, all);
        drop(contents);
        BoardView { board: Arc::clone(self), number, changed: self.changed.subscribe() }
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // What is under it is whole at any time, a panic elsewhere or not.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contents {
    /// Where the row of a task is.
    fn key(&self, name: &str) -> (usize, String) {
        (self.places.get(name).copied().unwrap_or(usize::MAX), name.to_owned())
    }

    /// Has every view look at this row. One that has come and gone unseen is not looked at.
    fn note(&mut self, name: &str, was_there: bool, is_there: bool) {
        for unseen in self.unseen.values_mut() {
            let is_known = *unseen.entry(name.to_owned()).or_insert(was_there);
            if !is_known && !is_there {
                unseen.remove(name);
            }
        }
    }
}

impl BoardView {
    /// The board.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Waits until something has changed since this returned last. Several changes at once count
    /// as one.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, the next call returns for the same change.
    pub async fn changed(&mut self) {
        // The board is here and cannot end before.
        _ = self.changed.changed().await;
    }

    /// What has changed since the last look; at first, all rows.
    #[must_use]
    pub fn look(&mut self) -> Changed {
        let mut contents = self.board.lock();
        let unseen = contents.unseen.get_mut(&self.number).map(std::mem::take);
        let mut keys: Vec<_> =
            unseen.into_iter().flatten().map(|(name, _)| contents.key(&name)).collect();
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
