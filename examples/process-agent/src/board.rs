//! What there is to see of every task, for whoever shows it.

use std::sync::{Mutex, PoisonError};
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
    /// How often the operation of this state has been tried, from 1; 0 where none has.
    pub attempt: u32,
    /// When it is tried again, if it is to be.
    pub retry_at: Option<Instant>,
}

impl Row {
    /// The row of a task that has just come to this status.
    pub fn new(name: impl Into<String>, status: TaskStatus) -> Self {
        Self { name: name.into(), status, since: Instant::now(), attempt: 0, retry_at: None }
    }
}

/// The rows of all tasks, in the order of their file. Tasks write, a view reads.
#[derive(Debug)]
pub struct Board {
    rows: Mutex<Vec<Row>>,
    changed: watch::Sender<()>,
}

impl Board {
    /// A board with these rows.
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        Self { rows: Mutex::new(rows), changed: watch::Sender::new(()) }
    }

    /// The rows as they are now.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the row at `index`; there is none past the last.
    pub fn update(&self, index: usize, change: impl FnOnce(&mut Row)) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.get_mut(index) {
            change(row);
        }
        drop(rows);
        self.changed.send_replace(());
    }

    /// Told of every change; several at once count as one.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}
