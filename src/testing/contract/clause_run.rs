//! The check of one clause: its tasks, and the calls of the executor.

use super::call::{self, Ended, Fault, Limit};
use super::clause::Clause;
use super::ids::Ids;
use super::settings::Settings;
use super::subject::{DefinitionOf, Subject, Workload};
use super::verdict::{Stop, Verdict, breach};
use crate::exec::Call;
use crate::exec::{Assignment, ControllerError, Executor};
use crate::testing::trace::Trace;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::mem;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The exit code of a workload that has to fail.
pub(super) const FAILURE: i32 = 3;

/// A task that was removed: its id, and all calls.
pub(super) type Removed = (String, Trace);

/// The executor of the agent process that has a task, if the first process has died.
pub(super) type Process<S> = Option<Arc<<S as Subject>::Executor>>;

pub(super) type ControllerOf<S> = <<S as Subject>::Executor as Executor>::Controller;

/// The check of one clause.
pub(super) struct ClauseRun<'a, S: Subject> {
    pub(super) settings: &'a Settings,
    pub(super) subject: &'a S,
    pub(super) clause: Clause,
    pub(super) ids: &'a Ids,
    /// The removed tasks of the clauses before this one.
    pub(super) removed_before: &'a [Removed],
    pub(super) tasks: Mutex<Tasks<S>>,
}

/// The tasks of a clause: those that may exist, and those that were removed.
pub(super) struct Tasks<S: Subject> {
    pub(super) existing: Vec<Existing<S>>,
    pub(super) removed: Vec<Removed>,
}

/// A task that may exist.
pub(super) struct Existing<S: Subject> {
    /// The assignment, with the definition that the task's controller accepted last.
    pub(super) assignment: Assignment<DefinitionOf<S>>,
    pub(super) process: Process<S>,
    pub(super) trace: Trace,
}

impl<'a, S: Subject> ClauseRun<'a, S> {
    pub(super) fn new(
        settings: &'a Settings,
        subject: &'a S,
        clause: Clause,
        ids: &'a Ids,
        removed_before: &'a [Removed],
    ) -> Self {
        let tasks = Mutex::new(Tasks { existing: Vec::new(), removed: Vec::new() });
        Self { settings, subject, clause, ids, removed_before, tasks }
    }

    /// Registers a new task.
    pub(super) fn new_task(&self, workload: Workload) -> Result<Existing<S>, Stop> {
        let id = self.ids.next(self.clause);
        let Some(definition) = self.subject.definition(&id, workload) else {
            let reason = format!("the subject has no definition for `Workload::{workload:?}`");
            return Err(Stop::Unchecked(reason));
        };
        let (assignment, trace) = (Assignment::new(id, definition), Trace::new());
        let existing = Existing { assignment, process: None, trace };
        let registered = existing.clone();
        self.tasks().existing.push(registered);
        Ok(existing)
    }

    /// Changes the record of a task.
    pub(super) fn change(&self, id: &str, change: impl Fn(&mut Existing<S>)) {
        // Not under the lock, because definitions and executors are the embedder's code.
        let mut existing = mem::take(&mut self.tasks().existing);
        existing.iter_mut().filter(|task| *task.assignment.id == *id).for_each(change);
        let mut tasks = self.tasks();
        existing.append(&mut tasks.existing);
        tasks.existing = existing;
    }

    /// Takes the tasks that may exist out of the list.
    pub(super) fn take_existing(&self) -> Vec<Existing<S>> {
        mem::take(&mut self.tasks().existing)
    }

    pub(super) fn add_removed(&self, removed: Removed) {
        self.tasks().removed.push(removed);
    }

    /// All removed tasks, including those of the clauses before.
    pub(super) fn all_removed(&self) -> Vec<Removed> {
        let tasks = self.tasks();
        self.removed_before.iter().chain(&tasks.removed).cloned().collect()
    }

    pub(super) fn into_removed(self) -> Vec<Removed> {
        self.tasks.into_inner().unwrap_or_else(PoisonError::into_inner).removed
    }

    /// Whether the subject has a definition for this workload.
    pub(super) fn has(&self, workload: Workload) -> bool {
        self.subject.definition(&self.ids.unused(self.clause), workload).is_some()
    }

    /// The workloads of the subject that end by themselves: one that fails and one that
    /// succeeds, as far as they exist.
    pub(super) fn endings(&self) -> Result<Vec<Workload>, Stop> {
        let failing = [Workload::Exits(FAILURE), Workload::Fails];
        let failing = failing.into_iter().find(|workload| self.has(*workload));
        let succeeding = Some(Workload::Exits(0)).filter(|workload| self.has(*workload));
        let endings: Vec<_> = failing.into_iter().chain(succeeding).collect();
        if endings.is_empty() {
            return Err(Stop::unchecked("the subject has no workload that ends by itself"));
        }
        Ok(endings)
    }

    /// A workload of the subject: the one that runs, if there is one.
    pub(super) fn any_workload(&self) -> Result<Workload, Stop> {
        if self.has(Workload::Runs) {
            return Ok(Workload::Runs);
        }
        self.endings()?.first().copied().ok_or_else(|| Stop::unchecked("there is no workload"))
    }

    /// A new controller of the task.
    pub(super) async fn controller(&self, task: &Existing<S>) -> Result<ControllerOf<S>, Stop> {
        let executor = task.process.as_deref().unwrap_or_else(|| self.subject.executor());
        let made = executor.controller(&task.assignment);
        let made = self.executor_call(task, Call::Controller, &mut self.limit(), made).await;
        made.answer(self.settings.timeout).map_err(|fault| {
            breach(Clause::ControllerMade, "`controller` succeeds", &fault, &task.trace)
        })
    }

    /// Calls the executor for a task.
    pub(super) async fn executor_call<A>(
        &self,
        task: &Existing<S>,
        call: Call,
        limit: &mut Limit,
        operation: impl Future<Output = Result<A, ControllerError>> + Send,
    ) -> Ended<A> {
        call::run(&*self.settings.runtime, &task.trace, &task.assignment.id, call, limit, operation)
            .await
    }

    /// The time at which a call is dropped, including all its retries.
    pub(super) fn deadline(&self, limit: &Limit) -> Duration {
        self.settings.runtime.now().saturating_add(limit.time)
    }

    /// Waits until the next retry of a call that failed with a temporary error, and reduces
    /// its limit to the time that is left. Returns whether there is a next retry.
    pub(super) async fn next_try(&self, limit: &mut Limit, deadline: Duration) -> bool {
        const PAUSE: Duration = Duration::from_millis(10);
        if self.settings.runtime.now() >= deadline {
            return false;
        }
        self.pause(PAUSE).await;
        limit.time = deadline.saturating_sub(self.settings.runtime.now());
        true
    }

    pub(super) async fn pause(&self, duration: Duration) {
        let runtime = &*self.settings.runtime;
        runtime.sleep_until(runtime.now().saturating_add(duration)).await;
    }

    /// Observes the task until its workload runs.
    pub(super) async fn until_running(&self, id: &str) {
        const PAUSE: Duration = Duration::from_millis(10);
        while !self.subject.observe(id).running {
            self.pause(PAUSE).await;
        }
    }

    /// The limit that the settings allow.
    pub(super) fn limit(&self) -> Limit {
        Limit { polls: u32::MAX, time: self.settings.timeout }
    }

    /// Reports a breach of the clause unless the condition is true.
    pub(super) fn require(
        &self,
        condition: bool,
        expected: &str,
        found: &dyn core::fmt::Display,
        trace: &Trace,
    ) -> Verdict {
        if condition { Ok(()) } else { Err(breach(self.clause, expected, found, trace)) }
    }

    /// Reports a breach of the clause if the call has not succeeded.
    pub(super) fn require_success<A>(
        &self,
        call: Call,
        answer: Result<A, Fault>,
        trace: &Trace,
    ) -> Result<A, Stop> {
        let expected = format!("`{call}` succeeds");
        answer.map_err(|fault| breach(self.clause, &expected, &fault, trace))
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks<S>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subject> Clone for Existing<S> {
    fn clone(&self) -> Self {
        let Self { assignment, process, trace } = self;
        Self { assignment: assignment.clone(), process: process.clone(), trace: trace.clone() }
    }
}
