//! What the messages want, before it is stored.

use super::entry::{Entry, Stage};
use super::{Accepted, Answer, Core, Message};
use crate::agent::driver::UpdateError;
use crate::agent::policy::Policy;
use crate::agent::store::{NextTask, TaskRecord};
use crate::agent::worker::error::{AssignError, RefusedTask};
use crate::agent::worker::task::{AssignedTask, AssignmentChange};
use crate::exec::Assignment;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What is wanted of one task, by messages that are not stored yet.
pub(super) struct Draft<D> {
    pub(super) record: Arc<TaskRecord<D>>,
    /// The status that came with a new task.
    pub(super) status: Option<Arc<TaskStatus>>,
    /// There is no such task yet.
    pub(super) is_new: bool,
    /// Another record is wanted than there is.
    pub(super) is_changed: bool,
}

/// What several messages want, in their order.
pub(super) struct Drafts<D> {
    pub(super) tasks: BTreeMap<Arc<str>, Draft<D>>,
    pub(super) answers: Vec<(u64, Answer)>,
    /// One of them was a full set.
    pub(super) has_full_set: bool,
    /// The policy of tasks that have none of their own.
    policy: Arc<Policy>,
}

impl<D: Clone + PartialEq, H: Clone> Core<D, H> {
    /// What all messages that wait want. They share one commit.
    pub(super) fn draft(&mut self) -> Drafts<D> {
        let (tasks, answers) = (BTreeMap::new(), Vec::new());
        let policy = Arc::clone(&self.policy);
        let mut drafts = Drafts { tasks, answers, has_full_set: false, policy };
        for (number, message) in core::mem::take(&mut self.messages) {
            let answer = match message.duplicate() {
                Some(id) => Err(AssignError::DuplicateTask { id: id.into() }),
                None => Ok(drafts.take(&self.entries, message)),
            };
            drafts.answers.push((number, answer));
        }
        drafts
    }
}

/// What is known of the tasks.
type Entries<D, H> = BTreeMap<Arc<str>, Entry<D, H>>;

impl<D: Clone + PartialEq> Drafts<D> {
    /// Returns what is answered to a message.
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

    /// What is not in a full set (2).
    fn others<H>(&self, entries: &Entries<D, H>, tasks: &[AssignedTask<D>]) -> Vec<Arc<str>> {
        let mut assigned: Vec<&str> = tasks.iter().map(AssignedTask::id).collect();
        assigned.sort_unstable();
        let new = self.tasks.iter().filter(|(_, draft)| draft.is_new).map(|(id, _)| id);
        let all = entries.keys().chain(new);
        all.filter(|id| assigned.binary_search(&&***id).is_err()).cloned().collect()
    }

    /// The record of a task as it is wanted so far.
    fn record<'a, H>(
        &'a self,
        entries: &'a Entries<D, H>,
        id: &str,
    ) -> Option<(Arc<str>, &'a Arc<TaskRecord<D>>)> {
        if let Some((id, draft)) = self.tasks.get_key_value(id) {
            return Some((Arc::clone(id), &draft.record));
        }
        entries.get_key_value(id).map(|(id, entry)| (Arc::clone(id), &entry.record))
    }

    /// A task is assigned: a new one, one that there is, or the next one of an id that is being
    /// removed (7).
    fn assign<H>(
        &mut self,
        entries: &Entries<D, H>,
        mut task: AssignedTask<D>,
    ) -> Option<RefusedTask> {
        let Some((id, present)) = self.record(entries, task.id()) else {
            let AssignedTask { assignment, policy, status } = task;
            let id = Arc::clone(&assignment.id);
            let record = Arc::new(TaskRecord { policy, ..TaskRecord::new(assignment) });
            let status = status.map(Arc::new);
            self.tasks.insert(id, Draft { record, status, is_new: true, is_changed: true });
            return None;
        };
        let before = if present.removing {
            present.next.as_ref().map(|next| &next.assignment)
        } else {
            Some(&present.assignment)
        };
        let given = task.assignment.desired_state;
        if let Some(lower) = before.filter(|before| given < before.desired_state) {
            return Some(refusal(&id, lower.desired_state, given));
        }
        if let Some(own) = Arc::get_mut(&mut task.assignment) {
            // Equal ids share one place.
            own.id = Arc::clone(&id);
        }
        let assignment = match before {
            Some(before) if **before == *task.assignment => Arc::clone(before),
            _ => task.assignment,
        };
        let mut record = TaskRecord::clone(present);
        if record.removing {
            record.next = Some(Box::new(NextTask { assignment, policy: task.policy }));
        } else {
            (record.assignment, record.policy) = (assignment, task.policy);
        }
        self.want(entries, id, record);
        None
    }

    /// Only the desired state of a task is another one.
    fn desire<H>(
        &mut self,
        entries: &Entries<D, H>,
        id: &str,
        desired_state: TaskState,
    ) -> Option<RefusedTask> {
        let unknown = || RefusedTask { id: id.into(), reason: UpdateError::UnknownTask };
        let Some((id, present)) = self.record(entries, id) else { return Some(unknown()) };
        let mut record = TaskRecord::clone(present);
        let assignment = match &mut record.next {
            _ if !record.removing => &mut record.assignment,
            Some(next) => &mut next.assignment,
            None => return Some(unknown()),
        };
        if desired_state < assignment.desired_state {
            return Some(refusal(&id, assignment.desired_state, desired_state));
        }
        raise(assignment, desired_state);
        self.want(entries, id, record);
        None
    }

    /// A task is no longer assigned.
    fn remove<H>(&mut self, entries: &Entries<D, H>, id: &str) {
        let Some((id, present)) = self.record(entries, id) else { return };
        let mut record = TaskRecord::clone(present);
        let policy = record.policy.as_ref().unwrap_or(&self.policy);
        if !record.removing && policy.shutdown_before_removal {
            raise(&mut record.assignment, TaskState::Shutdown);
        }
        record.removing = true;
        record.next = None;
        self.want(entries, id, record);
    }

    /// What has not ended is wanted in SHUTDOWN, and so is the next task of a removed one.
    fn shut_down<H>(&mut self, entries: &Entries<D, H>) -> Vec<Arc<str>> {
        let mut shut_down = Vec::new();
        let new = self.tasks.iter().filter(|(_, draft)| draft.is_new).map(|(id, _)| id);
        let ids: Vec<_> = entries.keys().chain(new).cloned().collect();
        for id in ids {
            let Some((id, present)) = self.record(entries, &id) else { continue };
            let mut record = TaskRecord::clone(present);
            let wanted = if record.removing {
                record.next.as_mut().map(|next| &mut next.assignment)
            } else if entries.get(&id).is_some_and(Entry::has_ended) {
                None
            } else {
                Some(&mut record.assignment)
            };
            let Some(assignment) = wanted else { continue };
            shut_down.push(Arc::clone(&id));
            if assignment.desired_state < TaskState::Shutdown {
                raise(assignment, TaskState::Shutdown);
                self.want(entries, id, record);
            }
        }
        shut_down
    }

    fn want<H>(&mut self, entries: &Entries<D, H>, id: Arc<str>, record: TaskRecord<D>) {
        if let Some(draft) = self.tasks.get_mut(&id) {
            draft.is_changed |= *draft.record != record;
            draft.record = Arc::new(record);
            return;
        }
        let Some(entry) = entries.get(&id) else { return };
        let is_changed = *entry.record != record;
        // One whose removal failed, or whose executor refused, is tried again.
        let is_stuck = entry.stage == Stage::Idle || entry.is_refused || entry.is_removal_failed;
        if is_changed || is_stuck {
            let record = Arc::new(record);
            self.tasks.insert(id, Draft { record, status: None, is_new: false, is_changed });
        }
    }
}

fn refusal(id: &str, present: TaskState, given: TaskState) -> RefusedTask {
    let reason = UpdateError::LowerDesiredState { present, given };
    RefusedTask { id: id.into(), reason }
}

/// Raises the desired state of an assignment that others may hold too.
fn raise<D: Clone>(assignment: &mut Arc<Assignment<D>>, desired_state: TaskState) {
    if assignment.desired_state < desired_state {
        Arc::make_mut(assignment).desired_state = desired_state;
    }
}

impl<D> Message<D> {
    /// The ids that it names.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        let (tasks, changes) = match self {
            Self::Assign(tasks) => (tasks.as_slice(), [].as_slice()),
            Self::Update(changes) => ([].as_slice(), changes.as_slice()),
            Self::ShutDown => ([].as_slice(), [].as_slice()),
        };
        tasks.iter().map(AssignedTask::id).chain(changes.iter().map(AssignmentChange::id))
    }

    /// An id that it names twice.
    fn duplicate(&self) -> Option<&str> {
        let mut ids: Vec<_> = self.ids().collect();
        ids.sort_unstable();
        ids.iter().zip(ids.iter().skip(1)).find(|(a, b)| a == b).map(|(id, _)| *id)
    }
}
