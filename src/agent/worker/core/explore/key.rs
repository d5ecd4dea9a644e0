//! Comparison and copies of states.

use super::{Core, Letter, Seat, State, Stored};
use crate::agent::store::{StoreChange, StoredTask, TaskRecord};
use crate::agent::worker::core::{Action, Message};
use crate::agent::worker::task::AssignmentChange;
use crate::exec::Assignment;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

type Wish = (Letter, TaskState);
type Record = (Wish, bool, Option<Wish>, Option<Letter>);

fn wish(assignment: &Assignment<Letter>) -> Wish {
    (assignment.definition, assignment.desired_state)
}

fn record(record: &TaskRecord<Letter>) -> Record {
    let next = record.next.as_ref().map(|next| wish(&next.assignment));
    let applied = record.applied.as_ref().map(|applied| applied.definition);
    (wish(&record.assignment), record.removing, next, applied)
}

fn state(status: Option<&TaskStatus>) -> Option<TaskState> {
    status.map(|status| status.state)
}

fn stored(stored: &Stored) -> Vec<(Record, Option<TaskState>)> {
    stored.values().map(|task| (record(&task.record), state(task.status.as_deref()))).collect()
}

fn message(message: &Message<Letter>) -> (u8, Vec<(&str, Option<Letter>, Option<TaskState>)>) {
    match message {
        Message::Assign(tasks) => {
            let task = tasks.iter().map(|task| (task.id(), wish(&task.assignment)));
            (0, task.map(|(id, (of, to))| (id, Some(of), Some(to))).collect())
        }
        Message::Update(changes) => {
            let change = changes.iter().map(|change| match change {
                AssignmentChange::Update(task) => {
                    let (of, to) = wish(&task.assignment);
                    (task.id(), Some(of), Some(to))
                }
                AssignmentChange::DesiredState { id, desired_state } => {
                    (&**id, None, Some(*desired_state))
                }
                AssignmentChange::Remove(id) => (&**id, None, None),
            });
            (1, change.collect())
        }
        Message::ShutDown => (2, Vec::new()),
    }
}

fn change(change: &StoreChange<Letter>) -> (u8, &str, Option<Record>, Option<TaskState>) {
    match change {
        StoreChange::Replace(task) => {
            (0, task.record.id(), Some(record(&task.record)), state(task.status.as_deref()))
        }
        StoreChange::Record(of) => (1, of.id(), Some(record(of)), None),
        StoreChange::Status { id, status } => (2, id, None, Some(status.state)),
        StoreChange::Delete { id } => (3, id, None, None),
    }
}

impl State {
    #[rustfmt::skip]
    fn key(&self) -> impl Hash + PartialEq + '_ {
        let core = &self.core;
        let mut entries: Vec<_> = core.entries.iter().collect();
        entries.sort_unstable_by_key(|(id, _)| *id);
        let entries: Vec<_> = entries.into_iter().map(|(_, entry)| {
            let applied = entry.applied.as_ref().map(|applied| applied.definition);
            let newest = state(entry.newest.as_deref());
            (
                (record(&entry.record), state(entry.status.as_deref()), newest, applied, entry.stage as u8, &entry.seat),
                (entry.is_taken, entry.is_refused, entry.is_removal_failed, entry.is_wanted_again, entry.removal_error.is_some()),
            )
        }).collect();
        let batch = core.batch.as_ref().map(|batch| {
            let names = batch.written.iter().map(|of| (&of.id, batch.names(&of.id)));
            (batch.answers.len(), batch.has_full_set, names.collect::<Vec<_>>())
        });
        let waiting: Vec<_> = self.waiting.iter().map(|(_, of)| message(of)).collect();
        let failed: Vec<_> = self.failed.iter().map(message).collect();
        let retry = core.retry_at.map(|at| at.saturating_sub(self.now));
        (
            (entries, core.messages.len(), batch, &core.due, &core.unknown, retry),
            (&core.orphans, core.driven, core.is_closing, stored(&self.disk), stored(&self.durable)),
            (self.commit.as_deref().map(|of| of.iter().map(change).collect::<Vec<_>>()), &self.drivers, waiting, failed),
            (&self.wanted, &self.told, self.is_listing, self.is_list_due, &self.reconciling),
            (self.is_closing, self.has_ended, self.is_torn, self.failures, self.messages, self.broken),
        )
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting: Vec<_> = self.waiting.iter().map(|(_, of)| message(of)).collect();
        write!(f, "disk {:?} durable {:?} ", stored(&self.disk), stored(&self.durable))?;
        let commit = self.commit.as_deref();
        let commit = commit.map(|of| of.iter().map(change).collect::<Vec<_>>());
        write!(f, "commit {commit:?} waiting {waiting:?} wanted {:?} ", self.wanted)?;
        write!(f, "told {:?} reconciling {:?} ", self.told, self.reconciling)?;
        for driver in self.drivers.values() {
            write!(f, "{driver:?} ")?;
        }
        write!(f, "{:?}", self.broken)
    }
}

impl fmt::Debug for super::Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl Clone for Core<Letter, Seat> {
    fn clone(&self) -> Self {
        let actions: Vec<Action<Letter, Seat>> = Vec::new();
        assert!(self.actions.is_empty(), "what is to be done was done");
        Self {
            entries: self.entries.clone(),
            messages: VecDeque::clone(&self.messages),
            batch: self.batch.clone(),
            due: self.due.clone(),
            unknown: self.unknown.clone(),
            orphans: self.orphans.clone(),
            actions,
            policy: Arc::clone(&self.policy),
            jitter: self.jitter.clone(),
            make: Arc::clone(&self.make),
            ..*self
        }
    }
}

/// Applies changes as a store does. Returns a rule that they break.
pub(super) fn apply(stored: &mut Stored, changes: &[StoreChange<Letter>]) -> Option<&'static str> {
    let mut broken = None;
    let mut falls = |before: Option<&TaskStatus>, after: Option<&TaskStatus>| {
        if state(after) < state(before) {
            broken = Some("3: the state never falls in the store");
        }
    };
    for change in changes {
        match change {
            StoreChange::Replace(task) => {
                let before = stored.insert(task.record.id().into(), task.clone());
                falls(before.and_then(|task| task.status).as_deref(), task.status.as_deref());
            }
            StoreChange::Record(record) => {
                let before = stored.remove(record.id()).and_then(|task| task.status);
                let task = StoredTask { record: Arc::clone(record), status: before };
                stored.insert(record.id().into(), task);
            }
            StoreChange::Status { id, status } => {
                if let Some(task) = stored.get_mut(id) {
                    falls(task.status.as_deref(), Some(status));
                    task.status = Some(status.clone());
                }
            }
            StoreChange::Delete { id } => drop(stored.remove(id)),
        }
    }
    broken
}
