//! What a set of assignments changes.

use super::{Act, Book, Entry, Message, Stage, Told};
use crate::agent::driver::UpdateRefused;
use crate::agent::store::{StoreChange, TaskRecord};
use crate::agent::worker::error::{AssignError, RefusedTask};
use crate::agent::worker::{AssignedTask, AssignmentChange, check_policy};
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use futures::channel::oneshot;

/// What a set of assignments changes.
pub(super) struct Plan<D> {
    /// What is to be made durable.
    pub(super) changes: Vec<StoreChange<D>>,
    /// What follows from that.
    effects: Vec<Effect<D>>,
    /// What is not possible.
    refused: Vec<RefusedTask>,
    /// Whether it is all that there is.
    complete: bool,
}

enum Effect<D> {
    /// A task begins, perhaps with this status.
    Begin(TaskRecord<D>, Option<TaskStatus>),
    /// Something else is wanted of it.
    Want(TaskRecord<D>),
    /// What it waits for may have come.
    Nudge(Arc<str>),
}

impl<D: Clone + PartialEq> Book<D> {
    pub(super) fn plan(&self, message: Message<D>) -> Result<Plan<D>, AssignError> {
        if self.is_closing() {
            return Err(AssignError::Closed);
        }
        let mut ids = BTreeSet::new();
        if let Some(id) = message.ids().find(|id| !ids.insert(*id)) {
            return Err(AssignError::DuplicateTask { id: id.into() });
        }
        let shuts_down = matches!(message, Message::ShutDown);
        let (complete, changes) = match message {
            Message::Assign(tasks) => (true, self.complete(tasks)),
            Message::Update(changes) => (false, changes),
            Message::ShutDown => (false, Vec::new()),
        };
        let (changed, effects, refused) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Plan { changes: changed, effects, refused, complete };
        for change in changes {
            match change {
                AssignmentChange::Update(task) => {
                    check_policy(&task).map_err(|reason| AssignError::InvalidPolicy {
                        id: task.assignment.id.clone(),
                        reason,
                    })?;
                    plan.assigned(self.tasks.get(&*task.assignment.id), task);
                }
                AssignmentChange::Remove(id) => {
                    if let Some(entry) = self.tasks.get(&*id) {
                        plan.removed(entry);
                    }
                }
            }
        }
        if shuts_down {
            self.tasks.values().for_each(|entry| plan.shut_down(entry));
        }
        Ok(plan)
    }

    /// What is not in a full set is removed (2).
    fn complete(&self, tasks: Vec<AssignedTask<D>>) -> Vec<AssignmentChange<D>> {
        let assigned: BTreeSet<_> = tasks.iter().map(|task| &*task.assignment.id).collect();
        let gone = self.tasks.keys().filter(|id| !assigned.contains(&***id));
        let removals: Vec<_> = gone.map(|id| AssignmentChange::Remove((**id).into())).collect();
        tasks.into_iter().map(AssignmentChange::Update).chain(removals).collect()
    }

    /// What follows from a plan that is durable.
    pub(super) fn follow(&mut self, plan: Plan<D>, answer: oneshot::Sender<Told>) -> Vec<Act<D>> {
        let mut acts = Vec::new();
        for effect in plan.effects {
            let (id, changed) = match effect {
                Effect::Begin(record, status) => {
                    let entry = Entry::new(record, status.clone());
                    let id = Arc::clone(&entry.seat.id);
                    self.tasks.insert(Arc::clone(&id), entry);
                    let sinks = Arc::clone(&self.listeners);
                    let known = status.map(|status| Act::Report(sinks, Arc::clone(&id), status));
                    acts.extend(known);
                    (id, None)
                }
                Effect::Want(record) => (Arc::from(record.id()), Some(record)),
                Effect::Nudge(id) => (id, None),
            };
            let Some(entry) = self.tasks.get_mut(&id) else { continue };
            match changed {
                Some(record) => {
                    entry.seat.want(&record);
                    entry.record = record;
                }
                None => entry.seat.nudge(),
            }
            match entry.stage {
                Stage::Idle => acts.extend(self.live(&id)),
                Stage::Lives => acts.push(Act::Tell(Arc::clone(&entry.seat))),
                Stage::Removed => {}
            }
        }
        if plan.complete && !core::mem::replace(&mut self.reconciled, true) {
            acts.push(Act::Reconcile);
        }
        acts.push(Act::Answer(answer, Ok(plan.refused)));
        acts.push(Act::Show);
        acts
    }
}

impl<D: Clone + PartialEq> Plan<D> {
    /// A task is assigned: a new one, one that there is, or one that follows on one
    /// that is being removed.
    fn assigned(&mut self, present: Option<&Entry<D>>, task: AssignedTask<D>) {
        let Some(entry) = present else {
            let status = task.status.clone();
            let record = TaskRecord::from(task);
            self.changes.push(StoreChange::Record(record.clone()));
            self.changes.extend(status.clone().map(|status| {
                let id = Arc::from(record.id());
                StoreChange::Status { id, status }
            }));
            self.effects.push(Effect::Begin(record, status));
            return;
        };
        let mut record = entry.record.clone();
        if record.removing {
            record.successor = Some(Box::new(match record.successor.take() {
                Some(before) => merged(*before, task, false),
                None => task.into(),
            }));
        } else {
            let (present, given) = (record.assignment.desired_state, task.assignment.desired_state);
            if given < present {
                let reason = UpdateRefused::LowerDesiredState { present, given };
                self.refused.push(RefusedTask { id: task.assignment.id, reason });
                return;
            }
            // One that has ended has no use for another definition but to be removed.
            let runs = !entry.seat.snapshot().status.state.is_terminal();
            record = merged(record, task, runs);
        }
        self.want(entry, record);
    }

    /// A task is no longer assigned.
    fn removed(&mut self, entry: &Entry<D>) {
        let mut record = entry.record.clone();
        record.removing = true;
        record.successor = None;
        self.want(entry, record);
    }

    /// What has not ended is wanted in SHUTDOWN, and so is what follows on it.
    fn shut_down(&mut self, entry: &Entry<D>) {
        let mut record = entry.record.clone();
        let wanted = if record.removing {
            record.successor.as_deref_mut()
        } else {
            Some(&mut record).filter(|_| !entry.seat.snapshot().status.state.is_terminal())
        };
        if let Some(TaskRecord { assignment, .. }) = wanted {
            assignment.desired_state = assignment.desired_state.max(TaskState::Shutdown);
        }
        if record != entry.record {
            self.want(entry, record);
        }
    }

    fn want(&mut self, entry: &Entry<D>, record: TaskRecord<D>) {
        if record == entry.record {
            // A task without a controller asks for one again; so does one that could
            // not be removed.
            if entry.stage == Stage::Idle || entry.seat.driver().is_none() {
                self.effects.push(Effect::Nudge(Arc::clone(&entry.seat.id)));
            }
        } else {
            self.changes.push(StoreChange::Record(record.clone()));
            self.effects.push(Effect::Want(record));
        }
    }
}

/// What is wanted of a task now. Its version is higher if its definition is
/// another one, whatever version was given (3).
fn merged<D: PartialEq>(
    before: TaskRecord<D>,
    task: AssignedTask<D>,
    keeps_previous: bool,
) -> TaskRecord<D> {
    let mut after = TaskRecord::from(task);
    let TaskRecord { assignment, previous, .. } = before;
    if after.assignment.definition == assignment.definition {
        after.assignment.version = assignment.version;
        after.previous = previous;
    } else {
        let next = assignment.version.saturating_add(1);
        after.assignment.version = after.assignment.version.max(next);
        after.previous = previous.or_else(|| Some(Box::new(assignment)));
    }
    after.previous = after.previous.filter(|_| keeps_previous);
    after
}
