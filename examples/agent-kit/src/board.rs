//! What there is to see of every task, for whoever shows it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    rows: Vec<Row>,
    /// The place of each task.
    order: BTreeMap<String, usize>,
    /// Each from a source of its own.
    notices: BTreeMap<&'static str, String>,
}

impl Board {
    /// A board with these rows.
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        let contents = Contents { rows, ..Contents::default() };
        Self { contents: Mutex::new(contents), changed: watch::Sender::new(()) }
    }

    /// The rows as they are now.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.lock().rows.clone()
    }

    /// What is to be said of the agent itself now.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        self.lock().notices.values().cloned().collect()
    }

    /// From now on, the rows of these tasks come first, in this order.
    pub fn arrange<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let places = names.into_iter().enumerate();
        let order = places.map(|(place, name)| (name.to_owned(), place)).collect();
        self.lock().order = order;
        self.change(|_| {});
    }

    /// Changes all rows.
    pub fn change(&self, change: impl FnOnce(&mut Vec<Row>)) {
        let mut contents = self.lock();
        let Contents { rows, order, .. } = &mut *contents;
        change(rows);
        rows.sort_by_cached_key(|row| order.get(&row.name).copied().unwrap_or(usize::MAX));
        drop(contents);
        self.changed.send_replace(());
    }

    /// Changes the row of the task of this name, if there is one. The rows stay in their order.
    pub fn update(&self, name: &str, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.lock().rows.iter_mut().find(|row| row.name == name) {
            change(row);
        }
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

    /// Told of every change; several at once count as one.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        // What is under it is whole at any time, a panic elsewhere or not.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
