//! Where the tasks of a clause are tried: their controllers, called and dropped under a trace.

mod trial;

pub(super) use trial::{Trial, told};

use super::checks::CODE;
use super::clause::Clause;
use super::report::Breach;
use super::{Contract, DefinitionOf, Observation, Subject, Workload};
use crate::agent::Timer;
use crate::agent::panic::{Panic, poll_caught};
use crate::exec::{Assignment, ControllerError, Executor};
use crate::testing::{Call, CallEvent, Trace};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::{Future, poll_fn};
use core::mem;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Why a check goes no further.
pub(super) enum Stop {
    Broken(Box<Breach>),
    Unchecked(String),
}

pub(super) type Verdict = Result<(), Stop>;

/// Where the tasks of one clause are tried.
pub(super) struct Bench<'a, S: Subject, T> {
    pub(super) contract: &'a Contract<T>,
    pub(super) subject: &'a S,
    pub(super) clause: Clause,
    /// The tasks of the clauses before.
    removed: &'a [Removed],
    tasks: Mutex<Tasks<S>>,
}

/// A task that was removed, by its id, and all that was called.
pub(super) type Removed = (String, Trace);

/// How many tasks there have been, those of which something may be left, and those that
/// were removed.
struct Tasks<S: Subject> {
    count: usize,
    left: Vec<Left<S>>,
    removed: Vec<Removed>,
}

/// A task of which something may be left.
struct Left<S: Subject> {
    assignment: Assignment<DefinitionOf<S>>,
    process: Process<S>,
    trace: Trace,
}

/// The executor of another process that has the task, where the first one has died.
type Process<S> = Option<Arc<<S as Subject>::Executor>>;

pub(super) type ControllerOf<S> = <<S as Subject>::Executor as Executor>::Controller;

/// When a call is dropped.
#[derive(Clone, Copy)]
struct Limit {
    polls: u32,
    time: Duration,
}

/// What a call has come to.
enum Came<O> {
    Answered(O),
    Panicked(Panic),
    /// It was dropped when it had taken too long.
    Late,
    /// It was dropped after so many polls.
    Cut,
}

/// Why a call has not succeeded.
pub(super) enum Fault {
    Error(ControllerError),
    Panicked(String),
    Late(Duration),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => write!(f, "it failed: {error:#}"),
            Self::Panicked(text) => write!(f, "it panicked: {text}"),
            Self::Late(patience) => write!(f, "it has not returned within {patience:?}"),
        }
    }
}

impl<'a, S: Subject, T: Timer> Bench<'a, S, T> {
    pub(super) fn new(
        contract: &'a Contract<T>,
        subject: &'a S,
        clause: Clause,
        removed: &'a [Removed],
    ) -> Self {
        let tasks = Mutex::new(Tasks { count: 0, left: Vec::new(), removed: Vec::new() });
        Self { contract, subject, clause, removed, tasks }
    }

    /// A while later, nothing is there of all the tasks that were removed before.
    pub(super) async fn nothing_comes_back(&self) -> Verdict {
        let timer = &self.contract.timer;
        timer.sleep_until(timer.now().saturating_add(self.contract.afterwards)).await;
        for (id, trace) in self.removed {
            let Observation { running, remains, .. } = self.subject.observe(id);
            if running || remains {
                let found = if running { "something runs" } else { "something remains" };
                return Err(breach(self.clause, "nothing comes back", &found, trace));
            }
        }
        Ok(())
    }

    /// A new task, and a controller for it.
    pub(super) async fn task(&'a self, workload: Workload) -> Result<Trial<'a, S, T>, Stop> {
        let trace = Trace::new();
        let assignment = {
            let mut tasks = self.tasks();
            let id = format!("{}-{}", self.clause, tasks.count);
            let Some(definition) = self.subject.definition(&id, workload) else {
                return Err(Stop::Unchecked(format!("there is no workload {workload:?}")));
            };
            tasks.count += 1;
            let assignment = Assignment::new(id, definition);
            let left = Left { assignment: assignment.clone(), process: None, trace: trace.clone() };
            tasks.left.push(left);
            assignment
        };
        let controller = self.controller(self.subject.executor(), &assignment, &trace).await?;
        Ok(Trial { bench: self, assignment, process: None, controller, trace })
    }

    /// Another process has this task from now on.
    fn moved(&self, id: &str, process: &Arc<S::Executor>) {
        let mut tasks = self.tasks();
        for left in tasks.left.iter_mut().filter(|left| left.assignment.id == id) {
            left.process = Some(Arc::clone(process));
        }
    }

    /// What ends by itself, well and badly, as far as there is such a thing.
    pub(super) fn endings(&self) -> Result<Vec<Workload>, Stop> {
        let is_there = |workload: &Workload| {
            self.subject.definition(&format!("{}-0", self.clause), *workload).is_some()
        };
        let badly = [Workload::Exits(CODE), Workload::Fails].into_iter().find(is_there);
        let well = Some(Workload::Exits(0)).filter(is_there);
        let endings: Vec<_> = badly.into_iter().chain(well).collect();
        if endings.is_empty() {
            return Err(Stop::Unchecked("there is no workload that ends by itself".into()));
        }
        Ok(endings)
    }

    async fn controller(
        &self,
        executor: &S::Executor,
        assignment: &Assignment<DefinitionOf<S>>,
        trace: &Trace,
    ) -> Result<ControllerOf<S>, Stop> {
        let asked = executor.controller(assignment);
        let came =
            self.run(trace, &assignment.id, Call::Controller, &mut self.patience(), asked).await;
        self.answer(came).map_err(|fault| {
            breach(Clause::Life, "the executor hands out a controller", &fault, trace)
        })
    }

    /// Removes whatever is left of the tasks, by new instances.
    pub(super) async fn clear(&self) {
        let left = mem::take(&mut self.tasks().left);
        for Left { assignment, process, trace } in left {
            let executor = process.as_deref().unwrap_or_else(|| self.subject.executor());
            let Ok(controller) = self.controller(executor, &assignment, &trace).await else {
                continue;
            };
            let mut trial = Trial { bench: self, assignment, process, controller, trace };
            if trial.call(Call::Remove).await.is_ok() {
                self.tasks().removed.push((trial.assignment.id, trial.trace));
            }
        }
    }

    /// All the tasks that were removed.
    pub(super) fn into_removed(self) -> Vec<Removed> {
        self.tasks.into_inner().unwrap_or_else(PoisonError::into_inner).removed
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks<S>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a call until it answers, has taken too long, or was polled so often; puts
    /// down what happens.
    async fn run<A>(
        &self,
        trace: &Trace,
        id: &str,
        call: Call,
        limit: &mut Limit,
        operation: impl Future<Output = Result<A, ControllerError>> + Send,
    ) -> Came<Result<A, ControllerError>> {
        let timer = &self.contract.timer;
        trace.record(timer.now(), id, call, CallEvent::Begun);
        let came = {
            let mut operation = pin!(operation);
            let mut late = pin!(timer.sleep_until(timer.now().saturating_add(limit.time)));
            poll_fn(|context| {
                let Some(left) = limit.polls.checked_sub(1) else {
                    return Poll::Ready(Came::Cut);
                };
                limit.polls = left;
                match poll_caught(operation.as_mut(), context) {
                    Poll::Ready(Ok(answer)) => Poll::Ready(Came::Answered(answer)),
                    Poll::Ready(Err(panic)) => Poll::Ready(Came::Panicked(panic)),
                    Poll::Pending if left == 0 => Poll::Ready(Came::Cut),
                    Poll::Pending => late.as_mut().poll(context).map(|()| Came::Late),
                }
            })
            .await
        };
        let event = match &came {
            Came::Answered(answer) => CallEvent::of(answer),
            Came::Panicked(panic) => CallEvent::Panicked(panic.to_string()),
            Came::Late | Came::Cut => CallEvent::Dropped,
        };
        trace.record(timer.now(), id, call, event);
        came
    }

    /// No more than what the contract has patience for.
    fn patience(&self) -> Limit {
        Limit { polls: u32::MAX, time: self.contract.patience }
    }

    fn answer<A>(&self, came: Came<Result<A, ControllerError>>) -> Result<A, Fault> {
        match came {
            Came::Answered(answer) => answer.map_err(Fault::Error),
            Came::Panicked(panic) => Err(Fault::Panicked(panic.to_string())),
            Came::Late | Came::Cut => Err(Fault::Late(self.contract.patience)),
        }
    }
}

fn breach(clause: Clause, expected: &str, found: &dyn fmt::Display, trace: &Trace) -> Stop {
    Stop::Broken(Box::new(Breach {
        clause,
        text: clause.text().into(),
        expected: expected.into(),
        found: found.to_string(),
        trace: trace.entries(),
    }))
}
