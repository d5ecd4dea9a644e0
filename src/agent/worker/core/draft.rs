//! The changes that messages make, before they are stored.

use super::entry::{Entry, Stage};
use super::{Accepted, Answer, Core, Message};
use crate::agent::driver::UpdateError;
use crate::agent::ids::ById;
use crate::agent::panic::caught;
use crate::agent::policy::Policy;
use crate::agent::store::{NextTask, TaskRecord};
use crate::agent::worker::error::{AssignError, RefusedTask};
use crate::agent::worker::task::{AssignedTask, AssignmentChange};
use crate::exec::Assignment;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;

/// A task as changed by messages that are not stored yet.
#[derive(Clone)]
pub(super) struct Draft<D> {
    pub(super) record: Arc<TaskRecord<D>>,
    /// The status that came with a new task.
    pub(super) status: Option<Arc<TaskStatus>>,
    /// Whether the task is new.
    pub(super) is_new: bool,
    /// Whether the record differs from the stored one.
    pub(super) is_changed: bool,
}

/// The changes of several messages, in their order.
pub(super) struct Drafts<D> {
    pub(super) tasks: BTreeMap<Arc<str>, Draft<D>>,
    pub(super) answers: Vec<(u64, Answer)>,
    /// Whether one of them was a full set.
    pub(super) has_full_set: bool,
    /// The policy of tasks without their own policy.
    policy: Arc<Policy>,
    /// The drafts that the current message has replaced.
    undo: Vec<(Arc<str>, Option<Draft<D>>)>,
}

impl<D: Clone + PartialEq, H: Clone> Core<D, H> {
    /// Applies all messages that wait. They share one commit.
    pub(super) fn draft(&mut self) -> Drafts<D> {
        let (tasks, answers) = (BTreeMap::new(), Vec::new());
        let policy = Arc::clone(&self.policy);
        let mut drafts = Drafts { tasks, answers, has_full_set: false, policy, undo: Vec::new() };
        for (number, message) in mem::take(&mut self.messages) {
            let answer = match message.duplicate() {
                Some(id) => Err(AssignError::DuplicateTask { id: id.into() }),
                None => drafts.try_take(&self.entries, message),
            };
            drafts.answers.push((number, answer));
        }
        drafts
    }
}

/// A task with the changes of earlier messages.
struct Present<'a, D, H> {
    id: Arc<str>,
    record: TaskRecord<D>,
    /// The state of the task. None if an earlier message has changed it.
    entry: Option<&'a Entry<D, H>>,
}

/// The state of all tasks.
type Entries<D, H> = ById<Entry<D, H>>;

impl<D: Clone + PartialEq> Drafts<D> {
    /// Applies a message, and returns the answer. If a definition panics when it is compared or
    /// cloned, the whole message is undone.
    fn try_take<H>(&mut self, entries: &Entries<D, H>, message: Message<D>) -> Answer {
        let has_full_set = self.has_full_set;
        let taken = caught(|| self.take(entries, message));
        let undo = mem::take(&mut self.undo);
        taken.map_err(|panic| {
            for (id, before) in undo.into_iter().rev() {
                match before {
                    Some(draft) => self.tasks.insert(id, draft),
                    None => self.tasks.remove(&id),
                };
            }
            self.has_full_set = has_full_set;
            AssignError::Panicked { error: panic.of("definition").to_string() }
        })
    }

    /// Applies a message, and returns the answer.
    fn take<H>(&mut self, entries: &Entries<D, H>, message: Message<D>) -> Accepted {
        let Accepted { mut refused, mut shut_down } = Accepted::default();
        match message {
            Message::Assign(tasks) => {
                self.has_full_set = true;
                let gone = self.others(entries, &tasks);
                for task in tasks {
                    refused.extend(self.assign(entries, task));
                }
                for id in gone {
                    self.remove(entries, &id);
                }
            }
            Message::Update(changes) => {
                for change in changes {
                    match change {
                        AssignmentChange::Update(task) => {
                            refused.extend(self.assign(entries, task));
                        }
                        AssignmentChange::DesiredState { id, desired_state } => {
                            refused.extend(self.desire(entries, &id, desired_state));
                        }
                        AssignmentChange::Remove(id) => self.remove(entries, &id),
                    }
                }
            }
            Message::ShutDown => shut_down = self.shut_down(entries),
        }
        Accepted { refused, shut_down }
    }

    /// The tasks that are not in a full set (2).
    fn others<H>(&self, entries: &Entries<D, H>, tasks: &[AssignedTask<D>]) -> Vec<Arc<str>> {
        let mut assigned: Vec<&str> = tasks.iter().map(AssignedTask::id).collect();
        assigned.sort_unstable();
        let new = self.tasks.iter().filter(|(_, draft)| draft.is_new).map(|(id, _)| id);
        let all = entries.keys().chain(new);
        all.filter(|id| assigned.binary_search(&&***id).is_err()).cloned().collect()
    }

    /// A task with the changes of earlier messages.
    fn present<'a, H>(&self, entries: &'a Entries<D, H>, id: &str) -> Option<Present<'a, D, H>> {
        let of = |id: &Arc<str>, record: &Arc<_>, entry| Present {
            id: Arc::clone(id),
            record: TaskRecord::clone(record),
            entry,
        };
        if let Some((id, draft)) = self.tasks.get_key_value(id) {
            return Some(of(id, &draft.record, None));
        }
        let (id, entry) = entries.get_key_value(id)?;
        Some(of(id, &entry.record, Some(entry)))
    }

    /// Assigns a task: a new one, an existing one, or the successor of one that is being removed
    /// (7).
    fn assign<H>(
        &mut self,
        entries: &Entries<D, H>,
        mut task: AssignedTask<D>,
    ) -> Option<RefusedTask> {
        let Some(Present { id, mut record, entry }) = self.present(entries, task.id()) else {
            let AssignedTask { assignment, policy, status } = task;
            let id = Arc::clone(&assignment.id);
            let record = Arc::new(TaskRecord { policy, ..TaskRecord::new(assignment) });
            self.put(id, Draft { record, status, is_new: true, is_changed: true });
            return None;
        };
        let before = if record.removing {
            record.next.as_ref().map(|next| &next.assignment)
        } else {
            Some(&record.assignment)
        };
        let given = task.assignment.desired_state;
        if let Some(lower) = before.filter(|before| given < before.desired_state) {
            return Some(refusal(&id, lower.desired_state, given));
        }
        if let Some(own) = Arc::get_mut(&mut task.assignment) {
            // Equal ids share their memory.
            own.id = Arc::clone(&id);
        }
        let assignment = match before {
            Some(before) if **before == *task.assignment => Arc::clone(before),
            _ => task.assignment,
        };
        if record.removing {
            record.next = Some(Box::new(NextTask { assignment, policy: task.policy }));
        } else {
            (record.assignment, record.policy) = (assignment, task.policy);
        }
        self.want(Present { id, record, entry });
        None
    }

    /// Changes only the desired state of a task.
    fn desire<H>(
        &mut self,
        entries: &Entries<D, H>,
        id: &str,
        desired_state: TaskState,
    ) -> Option<RefusedTask> {
        let unknown = || RefusedTask { id: id.into(), reason: UpdateError::UnknownTask };
        let Some(mut present) = self.present(entries, id) else { return Some(unknown()) };
        let record = &mut present.record;
        let assignment = match &mut record.next {
            _ if !record.removing => &mut record.assignment,
            Some(next) => &mut next.assignment,
            None => return Some(unknown()),
        };
        if desired_state < assignment.desired_state {
            return Some(refusal(id, assignment.desired_state, desired_state));
        }
        raise(assignment, desired_state);
        self.want(present);
        None
    }

    /// Removes a task.
    fn remove<H>(&mut self, entries: &Entries<D, H>, id: &str) {
        let Some(mut present) = self.present(entries, id) else { return };
        let record = &mut present.record;
        let policy = record.policy.as_ref().unwrap_or(&self.policy);
        if !record.removing && policy.shutdown_before_removal {
            raise(&mut record.assignment, TaskState::Shutdown);
        }
        record.removing = true;
        record.next = None;
        self.want(present);
    }

    /// Sets the desired state SHUTDOWN for each task that has not ended, and for each successor.
    fn shut_down<H>(&mut self, entries: &Entries<D, H>) -> Vec<Arc<str>> {
        let mut shut_down = Vec::new();
        let new = self.tasks.iter().filter(|(_, draft)| draft.is_new).map(|(id, _)| id);
        let ids: Vec<_> = entries.keys().chain(new).cloned().collect();
        for id in ids {
            let Some(mut present) = self.present(entries, &id) else { continue };
            let record = &mut present.record;
            let wanted = if record.removing {
                record.next.as_mut().map(|next| &mut next.assignment)
            } else if entries.get(&id).is_some_and(Entry::has_ended) {
                None
            } else {
                Some(&mut record.assignment)
            };
            let Some(assignment) = wanted else { continue };
            shut_down.push(id);
            if assignment.desired_state < TaskState::Shutdown {
                raise(assignment, TaskState::Shutdown);
                self.want(present);
            }
        }
        shut_down
    }

    /// Drafts a new record of a task, if it differs or if something must be retried.
    fn want<H>(&mut self, Present { id, record, entry }: Present<'_, D, H>) {
        let Some(entry) = entry else {
            if let Some(draft) = self.tasks.get(&id) {
                let is_changed = draft.is_changed || *draft.record != record;
                let draft = Draft { record: Arc::new(record), is_changed, ..draft.clone() };
                self.put(id, draft);
            }
            return;
        };
        let is_changed = *entry.record != record;
        // A failed removal and a refusal of the executor are retried.
        let is_stuck = entry.stage == Stage::Idle || entry.is_refused || entry.is_removal_failed;
        if is_changed || is_stuck {
            let record = Arc::new(record);
            self.put(id, Draft { record, status: None, is_new: false, is_changed });
        }
    }

    fn put(&mut self, id: Arc<str>, draft: Draft<D>) {
        let before = self.tasks.insert(Arc::clone(&id), draft);
        self.undo.push((id, before));
    }
}

fn refusal(id: &str, present: TaskState, given: TaskState) -> RefusedTask {
    let reason = UpdateError::LowerDesiredState { present, given };
    RefusedTask { id: id.into(), reason }
}

/// Raises the desired state of an assignment, which is copied if it is shared.
fn raise<D: Clone>(assignment: &mut Arc<Assignment<D>>, desired_state: TaskState) {
    if assignment.desired_state < desired_state {
        Arc::make_mut(assignment).desired_state = desired_state;
    }
}

impl<D> Message<D> {
    /// The ids in the message.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        let (tasks, changes) = match self {
            Self::Assign(tasks) => (tasks.as_slice(), [].as_slice()),
            Self::Update(changes) => ([].as_slice(), changes.as_slice()),
            Self::ShutDown => ([].as_slice(), [].as_slice()),
        };
        tasks.iter().map(AssignedTask::id).chain(changes.iter().map(AssignmentChange::id))
    }

    /// An id that is twice in the message.
    fn duplicate(&self) -> Option<&str> {
        let mut ids: Vec<_> = self.ids().collect();
        ids.sort_unstable();
        ids.iter().zip(ids.iter().skip(1)).find(|(a, b)| a == b).map(|(id, _)| *id)
    }
}
