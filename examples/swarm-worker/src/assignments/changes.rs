//! The content of one message of assignments, sorted by kind.

use std::collections::BTreeMap;

use crate::wire;
use crate::wire::assignment::Item;
use crate::wire::assignment_change::AssignmentAction;

/// The changes of one message.
#[derive(Debug, Default, PartialEq)]
pub struct Changes {
    /// Whether everything that is not in the message is removed.
    pub is_complete: bool,
    /// The changes of secrets, by id.
    pub secrets: BTreeMap<String, Change<wire::Secret>>,
    /// The changes of configs, by id.
    pub configs: BTreeMap<String, Change<wire::Config>>,
    /// The changes of tasks, by id.
    pub tasks: BTreeMap<String, Change<Box<wire::Task>>>,
}

/// A change of a task, a secret or a config.
#[derive(Debug, Clone, PartialEq)]
pub enum Change<T> {
    /// It is new, or it has changed.
    Update(T),
    /// It is no longer assigned.
    Remove,
}

impl<T> Change<T> {
    /// Returns the new value. `None` for a removal.
    pub fn updated(self) -> Option<T> {
        match self {
            Self::Update(value) => Some(value),
            Self::Remove => None,
        }
    }
}

impl Changes {
    /// Sorts the changes. If a message has several changes of one thing, the last one counts.
    ///
    /// Changes are skipped if they have an unknown kind or action, or no id.
    pub(super) fn new(is_complete: bool, changes: Vec<wire::AssignmentChange>) -> Self {
        let mut sorted = Self { is_complete, ..Self::default() };
        for wire::AssignmentChange { assignment, action } in changes {
            let item = assignment.and_then(|assignment| assignment.item);
            match (item, AssignmentAction::try_from(action)) {
                (Some(Item::Task(task)), Ok(action)) => {
                    add(&mut sorted.tasks, task.id.clone(), task, action);
                }
                (Some(Item::Secret(secret)), Ok(action)) => {
                    add(&mut sorted.secrets, secret.id.clone(), secret, action);
                }
                (Some(Item::Config(config)), Ok(action)) => {
                    add(&mut sorted.configs, config.id.clone(), config, action);
                }
                (None, _) => tracing::warn!("assignment skipped: its kind is unknown"),
                (_, Err(_)) => tracing::warn!(action, "assignment skipped: its action is unknown"),
            }
        }
        sorted
    }
}

fn add<T>(to: &mut BTreeMap<String, Change<T>>, id: String, value: T, action: AssignmentAction) {
    if id.is_empty() {
        tracing::warn!("assignment skipped: it has no id");
        return;
    }
    let change = match action {
        AssignmentAction::Update => Change::Update(value),
        AssignmentAction::Remove => Change::Remove,
    };
    to.insert(id, change);
}
