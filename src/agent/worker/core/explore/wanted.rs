//! The effect of messages on the wanted tasks, as the rules define it.

use super::{Letter, Stored};
use crate::agent::worker::core::Message;
use crate::agent::worker::task::AssignmentChange;
use crate::lifecycle::TaskState;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The wanted task.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Want {
    pub(super) definition: Letter,
    pub(super) desired: TaskState,
}

/// The wanted task of one id, and its successor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Task {
    pub(super) present: Want,
    pub(super) is_removing: bool,
    /// The successor.
    pub(super) next: Option<Want>,
}

/// The wanted tasks of all ids.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct Content(pub(super) BTreeMap<Arc<str>, Task>);

impl Content {
    /// The wanted tasks that are stored.
    pub(super) fn of(stored: &Stored) -> Self {
        let tasks = stored.iter().map(|(id, task)| {
            let record = &task.record;
            let want = |of: &crate::exec::Assignment<Letter>| Want {
                definition: of.definition,
                desired: of.desired_state,
            };
            let task = Task {
                present: want(&record.assignment),
                is_removing: record.removing,
                next: record.next.as_ref().map(|next| want(&next.assignment)),
            };
            (Arc::clone(id), task)
        });
        Self(tasks.collect())
    }

    /// Applies a message. `ended`: the tasks that `shut_down` may leave unchanged. Returns the
    /// refused tasks.
    pub(super) fn take(
        &mut self,
        message: &Message<Letter>,
        ended: &BTreeSet<Arc<str>>,
        shuts_down_first: bool,
    ) -> Vec<Arc<str>> {
        let mut refused = Vec::new();
        match message {
            Message::Assign(tasks) => {
                let ids: Vec<_> = self.0.keys().cloned().collect();
                for task in tasks {
                    let want = Want {
                        definition: task.assignment.definition,
                        desired: task.assignment.desired_state,
                    };
                    refused.extend(self.assign(&task.assignment.id, want));
                }
                for id in ids {
                    if tasks.iter().all(|task| *task.assignment.id != *id) {
                        self.remove(&id, shuts_down_first);
                    }
                }
            }
            Message::Update(changes) => {
                for change in changes {
                    match change {
                        AssignmentChange::Update(task) => {
                            let want = Want {
                                definition: task.assignment.definition,
                                desired: task.assignment.desired_state,
                            };
                            refused.extend(self.assign(&task.assignment.id, want));
                        }
                        AssignmentChange::DesiredState { id, desired_state } => {
                            refused.extend(self.desire(id, *desired_state));
                        }
                        AssignmentChange::Remove(id) => self.remove(id, shuts_down_first),
                    }
                }
            }
            Message::ShutDown => {
                for (id, task) in &mut self.0 {
                    let want =
                        if task.is_removing { task.next.as_mut() } else { Some(&mut task.present) };
                    let is_left = !task.is_removing && ended.contains(id);
                    if let Some(want) = want.filter(|_| !is_left) {
                        want.desired = want.desired.max(TaskState::Shutdown);
                    }
                }
            }
        }
        refused
    }

    fn assign(&mut self, id: &str, want: Want) -> Option<Arc<str>> {
        let new = Task { present: want, is_removing: false, next: None };
        let Some(task) = self.0.get_mut(id) else {
            self.0.insert(id.into(), new);
            return None;
        };
        let place = if task.is_removing { &mut task.next } else { &mut Some(task.present) };
        if place.is_some_and(|before| before.desired > want.desired) {
            return Some(id.into());
        }
        if task.is_removing {
            task.next = Some(want);
        } else {
            task.present = want;
        }
        None
    }

    fn desire(&mut self, id: &str, desired: TaskState) -> Option<Arc<str>> {
        let task = self.0.get_mut(id);
        let want = task.and_then(|task| match task.is_removing {
            true => task.next.as_mut(),
            false => Some(&mut task.present),
        });
        match want {
            Some(want) if want.desired <= desired => {
                want.desired = desired;
                None
            }
            _ => Some(id.into()),
        }
    }

    fn remove(&mut self, id: &str, shuts_down_first: bool) {
        let Some(task) = self.0.get_mut(id) else { return };
        if shuts_down_first && !task.is_removing {
            task.present.desired = task.present.desired.max(TaskState::Shutdown);
        }
        (task.is_removing, task.next) = (true, None);
    }

    /// The record of a task was deleted. Its successor starts.
    pub(super) fn delete(&mut self, id: &str) {
        let Some(task) = self.0.remove(id) else { return };
        if let Some(present) = task.next {
            self.0.insert(id.into(), Task { present, is_removing: false, next: None });
        }
    }
}
