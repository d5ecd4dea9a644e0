//! One commit: the changes of messages and drivers, and the actions that follow.

use super::draft::{Draft, Drafts};
use super::entry::{Stage, is_same, shared};
use super::{Action, Answer, Core};
use crate::agent::panic::discard;
use crate::agent::store::{StoreChange, StoredTask, TaskRecord};
use crate::exec::Assignment;
use crate::lifecycle::TaskStatus;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

/// The contents of one commit.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Batch<D> {
    pub(super) changes: Arc<[StoreChange<D>]>,
    /// The stored data of each id after the commit.
    pub(super) written: Vec<Written<D>>,
    pub(super) answers: Vec<(u64, Answer)>,
    pub(super) has_full_set: bool,
}

/// The stored data of one id after a commit.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Written<D> {
    pub(super) id: Arc<str>,
    record: Option<Arc<TaskRecord<D>>>,
    status: Option<Arc<TaskStatus>>,
    is_deleted: bool,
    /// Why the id is in the commit.
    origin: Origin,
}

/// An old record and its applied assignment. Their definitions are values of the embedder, whose
/// drop may panic.
type Replaced<D> = (Arc<TaskRecord<D>>, Option<Arc<Assignment<D>>>);

/// Why an id is in a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Origin {
    /// The driver of the task has changes.
    Task,
    /// A message has the id.
    Message,
    /// A message assigns a new task.
    NewTask,
}

impl<D> Batch<D> {
    /// Whether it writes this id.
    pub(super) fn writes(&self, id: &str) -> bool {
        self.written.iter().any(|written| &*written.id == id)
    }

    /// Whether one of its messages has this id.
    pub(super) fn names(&self, id: &str) -> bool {
        let mut written = self.written.iter();
        written.any(|written| &*written.id == id && written.origin != Origin::Task)
    }
}

impl<D: Clone + PartialEq, H: Clone> Core<D, H> {
    /// Plans the next commit: all messages and all changes so far.
    pub(super) fn plan(&mut self) -> Batch<D> {
        let Drafts { tasks, answers, has_full_set, .. } = self.draft();
        let mut changes = Vec::new();
        let mut written = Vec::with_capacity(tasks.len());
        let others = self.due.union(&self.unknown).filter(|id| !tasks.contains_key(*id));
        let others: Vec<_> = others.cloned().collect();
        for (id, draft) in tasks {
            written.push(self.write(id, Some(draft), &mut changes));
        }
        for id in others {
            written.push(self.write(id, None, &mut changes));
        }
        Batch { changes: changes.into(), written, answers, has_full_set }
    }

    /// Adds the changes of one id.
    fn write(
        &self,
        id: Arc<str>,
        draft: Option<Draft<D>>,
        changes: &mut Vec<StoreChange<D>>,
    ) -> Written<D> {
        // After a failed commit it is unknown what is stored, so all of it is written again (1).
        let is_unknown = self.unknown.contains(&id);
        let origin = match &draft {
            None => Origin::Task,
            Some(draft) if draft.is_new => Origin::NewTask,
            Some(_) => Origin::Message,
        };
        let entry = self.entries.get(&id);
        let (mut record, is_changed, mut status) = match (draft, entry) {
            (Some(draft), _) => (draft.record, draft.is_changed, draft.status),
            (None, Some(entry)) => (Arc::clone(&entry.record), false, None),
            (None, None) => {
                changes.push(StoreChange::Delete { id: Arc::clone(&id) });
                return Written { id, record: None, status: None, is_deleted: true, origin };
            }
        };
        let mut is_record_due = is_changed || is_unknown;
        if let Some(entry) = entry {
            let has_news = entry.newest.is_some();
            if entry.stage == Stage::Removed && !has_news {
                changes.push(StoreChange::Delete { id: Arc::clone(&id) });
                let next = record.next.as_deref().cloned();
                let next = next.map(|next| Arc::new(TaskRecord::from(next)));
                changes.extend(next.clone().map(StoreChange::Record));
                return Written { id, record: next, status: None, is_deleted: true, origin };
            }
            let is_redefined = !is_same(&record.assignment, &entry.record.assignment);
            let applied = if is_redefined { entry.applied() } else { entry.applied.clone() };
            if is_record_due || entry.is_applied_due() {
                is_record_due = true;
                let record = Arc::make_mut(&mut record);
                record.applied = applied.map(|applied| shared(applied, &record.assignment));
            }
            status.clone_from(&entry.newest);
            if is_unknown && status.is_none() {
                status.clone_from(&entry.status);
            }
        }
        if is_unknown && origin == Origin::NewTask {
            // A failed commit may have stored another task with this id. It is deleted first.
            changes.push(StoreChange::Delete { id: Arc::clone(&id) });
        }
        if is_unknown && origin != Origin::NewTask {
            let (record, status) = (Arc::clone(&record), status.clone());
            changes.push(StoreChange::Replace(StoredTask { record, status }));
        } else {
            if is_record_due {
                changes.push(StoreChange::Record(Arc::clone(&record)));
            }
            if let Some(status) = &status {
                let (id, status) = (Arc::clone(&id), Arc::clone(status));
                changes.push(StoreChange::Status { id, status });
            }
        }
        let record = (is_record_due || origin != Origin::Task).then_some(record);
        Written { id, record, status, is_deleted: false, origin }
    }

    /// Adds the actions that follow from a commit, or from messages that change nothing.
    pub(super) fn follow(&mut self, batch: Batch<D>) {
        for written in batch.written {
            self.unknown.remove(&written.id);
            if written.is_deleted {
                self.deleted(&written.id, written.record);
            } else {
                let replaced = self.stored(written);
                discard("definition", replaced);
            }
        }
        if batch.has_full_set {
            self.retry_removals();
        }
        if batch.has_full_set && !self.is_closing && self.orphans.full_set() {
            self.actions.push(Action::List);
        }
        for (number, answer) in batch.answers {
            self.actions.push(Action::Answer(number, Box::new(answer)));
        }
    }

    /// Retries failed removals, because a full set was stored (6). If a driver is still closing its
    /// controller, its removal is retried after that.
    fn retry_removals(&mut self) {
        let mut failed = Vec::new();
        for (id, entry) in &mut self.entries {
            if entry.stage == Stage::Driven {
                entry.is_wanted_again |= entry.is_removal_failed;
            } else if entry.stage == Stage::Idle && entry.removal_error.is_some() {
                failed.push(Arc::clone(id));
            }
        }
        for id in failed {
            self.drive(&id);
        }
    }

    /// The record of a task was deleted. Its successor starts (7).
    fn deleted(&mut self, id: &Arc<str>, next: Option<Arc<TaskRecord<D>>>) {
        self.due.remove(id);
        let entry = self.entries.remove(id);
        let was_told = entry.as_ref().is_some_and(|entry| entry.status.is_some());
        if was_told {
            self.actions.push(Action::ReportRemoved(Arc::clone(id)));
        }
        self.actions.push(Action::Show(Arc::clone(id)));
        let is_orphan = self.orphans.settle(id);
        match next {
            Some(next) => {
                self.insert(id, next, None);
                self.drive(id);
            }
            None if is_orphan => self.reconcile(String::from(&**id)),
            None => {}
        }
        discard("definition", entry);
    }

    /// A record, a status, or both were stored. Returns old values, which the caller drops.
    fn stored(&mut self, written: Written<D>) -> Option<Replaced<D>> {
        let Written { id, record, status, origin, .. } = written;
        self.orphans.settle(&id);
        if let (Origin::NewTask, Some(record)) = (origin, record.as_ref())
            && !self.entries.contains_key(&id)
        {
            self.insert(&id, Arc::clone(record), status.clone());
            let report = |status: &Arc<_>| Action::Report(Arc::clone(&id), Arc::clone(status));
            self.actions.extend(status.as_ref().map(report));
        }
        let mut replaced = None;
        let entry = self.entries.get_mut(&id)?;
        if let Some(status) = status {
            if entry.newest.as_ref() == Some(&status) {
                entry.newest = None;
            }
            if entry.status.as_ref() != Some(&status) {
                self.actions.push(Action::Report(Arc::clone(&id), Arc::clone(&status)));
            }
            entry.status = Some(status);
        }
        if let Some(record) = record {
            // The executor has not refused a new definition yet.
            entry.is_refused &= is_same(&record.assignment, &entry.record.assignment);
            if !Arc::ptr_eq(&entry.record, &record) {
                let applied = entry.applied.clone();
                entry.applied = entry.applied.take().map(|own| shared(own, &record.assignment));
                replaced = Some((mem::replace(&mut entry.record, record), applied));
                self.actions.push(Action::Show(Arc::clone(&id)));
            }
        }
        // The driver may have reported newer changes during the commit.
        if entry.is_due() {
            self.due.insert(Arc::clone(&id));
        } else {
            self.due.remove(&id);
        }
        match entry.stage {
            Stage::Blocked => self.drive(&id),
            Stage::Idle if origin != Origin::Task => self.drive(&id),
            Stage::Driven if origin != Origin::Task => {
                entry.is_wanted_again = entry.is_removal_failed;
                let (seat, record) = (entry.seat.clone(), Arc::clone(&entry.record));
                self.actions.push(Action::Tell(seat, record));
            }
            Stage::Idle | Stage::Driven | Stage::Removed => {}
        }
        replaced
    }
}
