//! The history of each task since the agent started: its states, its operations and its marks.
//!
//! It is recorded only if the agent serves HTTP, because only the status page shows it. It is in
//! memory: the next agent starts with an empty history. A task takes at most 16 KiB: 16 states, 32
//! operations and 16 marks, with errors cut to [`MAX_TEXT`] bytes.
//!
//! `edges.rs` counts the edges that tasks took in the last minute.

mod edges;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use onward::TaskState;
use onward::exec::{Call, CallOutcome};
use serde::Serialize;
use time::UtcDateTime;

use crate::stamp;
pub use edges::EdgeCount;
use edges::Edges;

/// The largest length of an error or a mark, in bytes. A longer one is cut.
pub const MAX_TEXT: usize = 240;

/// The number of states that are kept of a task. A life has at most nine.
const MAX_STATES: usize = 16;

/// The number of operations that are kept of a task.
const MAX_CALLS: usize = 32;

/// The number of marks that are kept of a task.
const MAX_MARKS: usize = 16;

/// The histories of all tasks, and the edges that were taken in the last minute.
#[derive(Debug, Default)]
pub struct History {
    lives: Mutex<BTreeMap<String, Life>>,
    edges: Mutex<Edges>,
}

/// The history of one task. The oldest entry of each list is first.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Life {
    /// The changes of state.
    pub states: VecDeque<StateChange>,
    /// The calls of the executor and the controller, except for inspections.
    pub operations: VecDeque<Operation>,
    /// Everything else: deadlines that passed, terminations, refused changes.
    pub marks: VecDeque<Mark>,
    /// The number of operations and marks that were dropped because there were too many.
    pub dropped: u64,
}

/// A change of state.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StateChange {
    /// When the task changed its state.
    #[serde(with = "stamp")]
    pub at: UtcDateTime,
    /// The state before.
    pub from: TaskState,
    /// The state after.
    pub to: TaskState,
}

/// A call of the executor or the controller.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Operation {
    /// The name of the call, for example `prepare`.
    pub name: Call,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When the call began.
    #[serde(with = "stamp")]
    pub began_at: UtcDateTime,
    /// When the call ended. `None` while it runs.
    #[serde(with = "stamp::optional", skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<UtcDateTime>,
    /// How the call ended: `ok`, `temporary`, `error`, `dropped` or `panicked`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'static str>,
    /// The error of the call, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub err: Option<String>,
}

/// An event of a task that is neither a change of state nor a call.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mark {
    /// When it happened.
    #[serde(with = "stamp")]
    pub at: UtcDateTime,
    /// What happened.
    pub kind: MarkKind,
    /// The details, for example the operation whose deadline passed.
    pub text: String,
}

/// The kind of a [`Mark`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// The deadline of an operation passed.
    Deadline,
    /// The driver terminates the task.
    Termination,
    /// The controller refused a changed definition.
    Refusal,
}

impl History {
    /// Records a change of state. Without a task, it is only counted as an edge.
    pub fn moved(&self, task: Option<&str>, from: TaskState, to: TaskState) {
        let at = UtcDateTime::now();
        self.edges.lock().unwrap_or_else(PoisonError::into_inner).add(from, to, at);
        let Some(task) = task else { return };
        self.life(task, |life| {
            if life.states.back().is_some_and(|last| last.to != from) {
                life.begin_again();
            }
            push(&mut life.states, MAX_STATES, StateChange { at, from, to });
        });
    }

    /// Records that a call has begun.
    pub fn begun(&self, task: &str, call: Call) {
        self.life(task, |life| life.begun(call, UtcDateTime::now()));
    }

    /// Records that a call has ended.
    pub fn ended(&self, task: &str, call: Call, outcome: CallOutcome<'_>) {
        let err = match outcome {
            CallOutcome::Temporary(error) | CallOutcome::Failed(error) => {
                Some(format!("{error:#}"))
            }
            CallOutcome::Succeeded | CallOutcome::Dropped | CallOutcome::Panicked | _ => None,
        };
        self.life(task, |life| {
            let open =
                |operation: &&mut Operation| operation.name == call && operation.ended_at.is_none();
            if let Some(operation) = life.operations.iter_mut().rev().find(open) {
                operation.ended_at = Some(UtcDateTime::now());
                operation.outcome = Some(outcome.as_str());
                operation.err = err.map(|err| cut(&err));
            }
        });
    }

    /// Records a mark.
    pub fn mark(&self, task: &str, kind: MarkKind, text: &str) {
        let mark = Mark { at: UtcDateTime::now(), kind, text: cut(text) };
        self.life(task, |life| {
            life.dropped += u64::from(push(&mut life.marks, MAX_MARKS, mark));
        });
    }

    /// Forgets a task that was removed.
    pub fn forget(&self, task: &str) {
        self.lock().remove(task);
    }

    /// Returns the history of a task. It is empty if nothing was recorded.
    #[must_use]
    pub fn of(&self, task: &str) -> Life {
        self.lock().get(task).cloned().unwrap_or_default()
    }

    /// Returns the edges that were taken in the last minute, with the number of tasks that took
    /// them.
    #[must_use]
    pub fn recent_edges(&self) -> Vec<EdgeCount> {
        let edges = self.edges.lock().unwrap_or_else(PoisonError::into_inner);
        edges.counts(UtcDateTime::now())
    }

    fn life(&self, task: &str, change: impl FnOnce(&mut Life)) {
        let mut lives = self.lock();
        if let Some(life) = lives.get_mut(task) {
            return change(life);
        }
        change(lives.entry(task.to_owned()).or_default());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Life>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Life {
    /// Another task of the same name has begun. Only the call that makes its controller is kept.
    fn begin_again(&mut self) {
        let last = self.operations.pop_back().filter(|last| last.name == Call::Controller);
        *self = Self { operations: last.into_iter().collect(), ..Self::default() };
    }

    fn begun(&mut self, call: Call, at: UtcDateTime) {
        let last = self.operations.iter().rev().find(|operation| operation.name == call);
        let retried = last.filter(|last| last.outcome == Some("temporary"));
        let attempt = retried.map_or(1, |retried| retried.attempt.saturating_add(1));
        let (ended_at, outcome, err) = (None, None, None);
        let operation = Operation { name: call, attempt, began_at: at, ended_at, outcome, err };
        self.dropped += u64::from(push(&mut self.operations, MAX_CALLS, operation));
    }
}

/// Adds an entry. Returns whether the oldest one was dropped for it.
fn push<T>(entries: &mut VecDeque<T>, most: usize, entry: T) -> bool {
    let is_full = entries.len() >= most;
    if is_full {
        entries.pop_front();
    }
    entries.push_back(entry);
    is_full
}

/// Cuts a text to [`MAX_TEXT`] bytes.
fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    match text.split_at(end) {
        (text, "") => text.to_owned(),
        (start, _) => format!("{start}…"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use onward::ControllerError;

    #[test]
    fn a_retried_operation_has_the_number_of_its_attempt_and_its_error() {
        let history = History::default();
        let error = ControllerError::new("busy".repeat(100));
        for _ in 0..2 {
            history.begun("a", Call::Prepare);
            history.ended("a", Call::Prepare, CallOutcome::Temporary(&error));
        }
        history.begun("a", Call::Prepare);
        history.begun("b", Call::Prepare);
        let operations = history.of("a").operations;
        let attempts: Vec<_> =
            operations.iter().map(|each| (each.attempt, each.outcome.unwrap_or("runs"))).collect();
        assert_eq!(attempts, [(1, "temporary"), (2, "temporary"), (3, "runs")]);
        let err = operations.front().unwrap().err.as_deref().unwrap();
        assert_eq!((err.len(), err.starts_with("busybusy")), (MAX_TEXT + '…'.len_utf8(), true));
        assert_eq!(history.of("b").operations.front().unwrap().attempt, 1);
    }

    #[test]
    fn a_task_that_is_retried_for_days_takes_no_more_memory() {
        let history = History::default();
        let error = ControllerError::new("é".repeat(10_000));
        history.moved(Some("a"), TaskState::Assigned, TaskState::Accepted);
        for _ in 0..1000 {
            history.begun("a", Call::Prepare);
            history.ended("a", Call::Prepare, CallOutcome::Temporary(&error));
            history.mark("a", MarkKind::Deadline, &"é".repeat(10_000));
        }
        let life = history.of("a");
        assert_eq!((life.operations.len(), life.marks.len()), (MAX_CALLS, MAX_MARKS));
        assert_eq!(life.states.len(), 1);
        assert_eq!(life.dropped, 2000 - 48);
        // The texts of errors and marks, with their ellipses.
        let texts = (MAX_CALLS + MAX_MARKS) * (MAX_TEXT + '…'.len_utf8());
        let entries = MAX_STATES * size_of::<StateChange>()
            + MAX_CALLS * size_of::<Operation>()
            + MAX_MARKS * size_of::<Mark>();
        assert!(entries + texts < 16 << 10, "{entries} and {texts} bytes");
        for text in life.operations.iter().filter_map(|each| each.err.as_ref()) {
            assert!(text.len() <= MAX_TEXT + '…'.len_utf8());
        }
    }

    #[test]
    fn a_new_task_of_the_same_name_has_a_history_of_its_own() {
        let history = History::default();
        history.begun("a", Call::Controller);
        history.moved(Some("a"), TaskState::Assigned, TaskState::Accepted);
        history.moved(Some("a"), TaskState::Accepted, TaskState::Rejected);
        history.begun("a", Call::Remove);
        history.begun("a", Call::Controller);
        history.moved(Some("a"), TaskState::Assigned, TaskState::Accepted);
        let life = history.of("a");
        assert_eq!((life.states.len(), life.operations.len()), (1, 1));
        history.forget("a");
        assert!(history.of("a").states.is_empty());
    }
}
