//! What the handles of a worker see.

use super::task::TaskView;
use crate::agent::driver::{DriverHandle, Shared};
use crate::agent::ids::ById;
use crate::agent::signal::Signal;
use crate::agent::store::TaskRecord;
use crate::agent::sync::Mutex;
use crate::exec::Assignment;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The tasks as the worker has published them last.
pub(super) struct View<D> {
    state: Mutex<State<D>>,
    /// Something else is to be seen.
    pub(super) changes: Signal,
    /// There are other tasks, or a task has another driver or controller.
    pub(super) membership: Signal,
}

struct State<D> {
    rows: ById<Row<D>>,
    phase: Phase,
}

/// How far the worker is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Phase {
    Open,
    /// Its close was called.
    Closing,
    /// Its run has returned, or it was dropped.
    Ended,
}

/// One task.
pub(super) struct Row<D> {
    pub(super) record: Arc<TaskRecord<D>>,
    pub(super) seat: Arc<Shared<D>>,
    pub(super) removal_error: Option<Arc<str>>,
    pub(super) is_driven_by_worker: bool,
    /// Whether its controller has logs.
    pub(super) has_logs: bool,
}

impl<D> Clone for Row<D> {
    fn clone(&self) -> Self {
        Self {
            record: Arc::clone(&self.record),
            seat: Arc::clone(&self.seat),
            removal_error: self.removal_error.clone(),
            is_driven_by_worker: self.is_driven_by_worker,
            has_logs: self.has_logs,
        }
    }
}

impl<D> View<D> {
    pub(super) fn new() -> Self {
        let state = State { rows: ById::default(), phase: Phase::Open };
        let (changes, membership) = (Signal::default(), Signal::default());
        Self { state: Mutex::new(state), changes, membership }
    }

    /// Publishes a task, or that there is none. Returns whether its driver or its logs are
    /// others.
    pub(super) fn set(&self, id: &Arc<str>, row: Option<Row<D>>) -> bool {
        let now = row.as_ref().map(|row| (Arc::clone(&row.seat), row.has_logs));
        let mut state = self.state.lock();
        let before = match row {
            Some(row) => state.rows.insert(Arc::clone(id), row),
            None => state.rows.remove(id),
        };
        drop(state);
        let is_same = match (&before, &now) {
            (Some(before), Some((seat, has_logs))) => {
                Arc::ptr_eq(&before.seat, seat) && before.has_logs == *has_logs
            }
            (None, None) => true,
            _ => false,
        };
        drop(before);
        !is_same
    }

    /// The driver of a task.
    pub(super) fn seat(&self, id: &str) -> Option<Arc<Shared<D>>> {
        self.state.lock().rows.get(id).map(|row| Arc::clone(&row.seat))
    }

    /// The drivers of the tasks that are selected.
    pub(super) fn seats(&self, select: impl Fn(&Assignment<D>) -> bool) -> Vec<Arc<Shared<D>>> {
        let all: Vec<_> = {
            let state = self.state.lock();
            let rows = state.rows.values();
            rows.map(|row| (Arc::clone(&row.record.assignment), Arc::clone(&row.seat))).collect()
        };
        all.into_iter().filter(|(task, _)| select(task)).map(|(_, seat)| seat).collect()
    }

    /// All tasks, in the order of their ids.
    pub(super) fn tasks(&self) -> Vec<TaskView<D>> {
        let mut rows: Vec<_> = self.state.lock().rows.values().cloned().collect();
        rows.sort_unstable_by(|a, b| a.seat.id.cmp(&b.seat.id));
        rows.into_iter().map(TaskView::from).collect()
    }

    pub(super) fn phase(&self) -> Phase {
        self.state.lock().phase
    }

    /// The worker is this far. It never goes back.
    pub(super) fn set_phase(&self, phase: Phase) {
        let mut state = self.state.lock();
        let is_news = state.phase < phase;
        state.phase = state.phase.max(phase);
        drop(state);
        if !is_news {
            return;
        }
        self.changes.notify();
        self.membership.notify();
    }
}

impl<D> From<Row<D>> for TaskView<D> {
    fn from(row: Row<D>) -> Self {
        let Row { record, seat, removal_error, is_driven_by_worker, .. } = row;
        Self {
            record,
            snapshot: DriverHandle::new(seat).snapshot(),
            removal_error: removal_error.as_deref().map(Into::into),
            is_driven_by_worker,
        }
    }
}
