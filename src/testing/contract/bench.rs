//! Where a task is tried: its controllers, called and dropped under a trace.

use super::checks::CODE;
use super::clause::Clause;
use super::report::Breach;
use super::{Contract, DefinitionOf, Observation, Subject, Workload};
use crate::agent::Timer;
use crate::agent::panic::{Panic, poll_caught};
use crate::exec::{Assignment, Controller, ControllerError, ErrorKind, Executor, Inspection};
use crate::testing::{Call, CallEvent, Trace};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::future::{Future, poll_fn};
use core::mem;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use futures::FutureExt;
use futures::future::BoxFuture;
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
    removed: &'a [String],
    tasks: Mutex<Tasks<DefinitionOf<S>>>,
}

/// The tasks that there have been, and those of which something may be left.
struct Tasks<D> {
    count: usize,
    left: Vec<Assignment<D>>,
    /// Those that have been removed.
    cleared: Vec<String>,
}

/// A task, and the instance of its controller that is at it.
pub(super) struct Trial<'a, S: Subject, T> {
    bench: &'a Bench<'a, S, T>,
    assignment: Assignment<DefinitionOf<S>>,
    /// The executor of another process, where this one has died.
    process: Option<S::Executor>,
    controller: ControllerOf<S>,
    trace: Trace,
}

type ControllerOf<S> = <<S as Subject>::Executor as Executor>::Controller;

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
        removed: &'a [String],
    ) -> Self {
        let tasks = Mutex::new(Tasks { count: 0, left: Vec::new(), cleared: Vec::new() });
        Self { contract, subject, clause, removed, tasks }
    }

    /// A while later, nothing is there of all the tasks that were removed before.
    pub(super) async fn nothing_comes_back(&self) -> Verdict {
        let timer = &self.contract.timer;
        timer.sleep_until(timer.now().saturating_add(self.contract.afterwards)).await;
        for id in self.removed {
            let Observation { running, remains, .. } = self.subject.observe(id);
            if running || remains {
                let found =
                    format!("something {} of {id}", if running { "runs" } else { "remains" });
                return Err(breach(self.clause, "nothing comes back", &found, &Trace::new()));
            }
        }
        Ok(())
    }

    /// A new task, and a controller for it.
    pub(super) async fn task(&'a self, workload: Workload) -> Result<Trial<'a, S, T>, Stop> {
        let assignment = {
            let mut tasks = self.tasks();
            let id = format!("{}-{}", self.clause, tasks.count);
            let Some(definition) = self.subject.definition(&id, workload) else {
                return Err(Stop::Unchecked(format!("there is no workload {workload:?}")));
            };
            let assignment = Assignment::new(id, definition);
            tasks.count += 1;
            tasks.left.push(assignment.clone());
            assignment
        };
        let trace = Trace::new();
        let controller = self.controller(self.subject.executor(), &assignment, &trace).await?;
        Ok(Trial { bench: self, assignment, process: None, controller, trace })
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
        for assignment in left {
            self.tasks().cleared.push(assignment.id.clone());
            let trace = Trace::new();
            let executor = self.subject.executor();
            if let Ok(controller) = self.controller(executor, &assignment, &trace).await {
                let mut trial = Trial { bench: self, assignment, process: None, controller, trace };
                _ = trial.call(Call::Remove).await;
            }
        }
    }

    /// All the tasks that were removed.
    pub(super) fn into_removed(self) -> Vec<String> {
        self.tasks.into_inner().unwrap_or_else(PoisonError::into_inner).cleared
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks<DefinitionOf<S>>> {
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

impl<S: Subject, T: Timer> Trial<'_, S, T> {
    /// Calls once; drops it when it has taken too long.
    pub(super) async fn call_once(&mut self, call: Call) -> Result<(), Fault> {
        let came = self.run(call, &mut self.bench.patience()).await;
        self.bench.answer(came)
    }

    /// Calls until it succeeds or fails for good.
    pub(super) async fn call(&mut self, call: Call) -> Result<(), Fault> {
        let came = self.insist(call, self.bench.patience()).await;
        self.bench.answer(came)
    }

    /// Calls until it succeeds or fails for good, or the limit is reached, all attempts
    /// counted.
    async fn insist(&mut self, call: Call, mut limit: Limit) -> Came<Result<(), ControllerError>> {
        const PAUSE: Duration = Duration::from_millis(10);
        let timer = &self.bench.contract.timer;
        let late = timer.now().saturating_add(limit.time);
        loop {
            limit.time = late.saturating_sub(timer.now());
            let came = self.run(call, &mut limit).await;
            let Came::Answered(Err(error)) = &came else { return came };
            match (call, error.kind()) {
                (Call::Prepare, ErrorKind::AlreadyPrepared)
                | (Call::Start, ErrorKind::AlreadyStarted) => return Came::Answered(Ok(())),
                _ if !error.is_retryable() => return came,
                _ if timer.now() >= late => return Came::Late,
                _ => timer.sleep_until(timer.now().saturating_add(PAUSE)).await,
            }
        }
    }

    /// Calls, which must succeed: the clause is about that.
    pub(super) async fn must(&mut self, call: Call) -> Verdict {
        self.succeed(call, self.bench.clause).await
    }

    /// Calls these, which must succeed: the clause is about what follows.
    pub(super) async fn after(&mut self, calls: &[Call]) -> Verdict {
        for call in calls {
            self.succeed(*call, Clause::Life).await?;
        }
        Ok(())
    }

    async fn succeed(&mut self, call: Call, clause: Clause) -> Verdict {
        let answer = self.call(call).await;
        answer.map_err(|fault| breach(clause, &format!("`{call}` succeeds"), &fault, &self.trace))
    }

    /// Calls, and drops it after so many polls, those of attempts that have failed
    /// temporarily counted; says whether that was too late.
    pub(super) async fn drop_after(&mut self, call: Call, polls: u32) -> bool {
        let limit = Limit { polls, ..self.bench.patience() };
        !matches!(self.insist(call, limit).await, Came::Cut)
    }

    /// Calls, and drops it after a short while; says whether it has returned by then.
    pub(super) async fn glimpse(&mut self, call: Call) -> bool {
        let patience = self.bench.patience();
        let limit = Limit { time: patience.time / 100, ..patience };
        !matches!(self.insist(call, limit).await, Came::Late)
    }

    /// Calls `wait` until it tells how the workload has ended; says what it told.
    pub(super) async fn ending(&mut self) -> String {
        match self.call(Call::Wait).await {
            Ok(()) => "success".into(),
            Err(Fault::Error(error)) => told(error.exit_code()),
            Err(fault) => fault.to_string(),
        }
    }

    /// Asks what the controller knows of its container and its ports.
    pub(super) async fn inspect(&mut self) -> Result<Inspection, Fault> {
        let Self { bench, assignment, controller, trace, .. } = self;
        let asked = async { Ok(controller.inspect().await) };
        let came =
            bench.run(trace, &assignment.id, Call::Inspect, &mut bench.patience(), asked).await;
        bench.answer(came)
    }

    /// Puts another instance in the place of this one, as a restart of the agent does.
    pub(super) async fn restart(&mut self) -> Verdict {
        let executor = self.process.as_ref().unwrap_or_else(|| self.bench.subject.executor());
        self.controller = self.bench.controller(executor, &self.assignment, &self.trace).await?;
        Ok(())
    }

    /// The agent's process dies, and another one takes the task up.
    pub(super) async fn die(&mut self) -> Verdict {
        self.process = self.bench.subject.restarted();
        if self.process.is_none() {
            return Err(Stop::Unchecked("there is no other process".into()));
        }
        self.restart().await
    }

    /// What can be seen from outside.
    pub(super) fn observe(&self) -> Observation {
        self.bench.subject.observe(&self.assignment.id)
    }

    /// The clause is broken unless this is so.
    pub(super) fn require(&self, so: bool, expected: &str, found: &dyn fmt::Display) -> Verdict {
        if so { Ok(()) } else { Err(breach(self.bench.clause, expected, found, &self.trace)) }
    }

    pub(super) fn require_one_start(&self) -> Verdict {
        let starts = self.observe().starts;
        self.require(starts == 1, "the workload was started once", &format!("{starts} starts"))
    }

    pub(super) fn require_running(&self) -> Verdict {
        self.require(self.observe().running, "the workload runs on", &"nothing runs")
    }

    /// Nothing runs after this call; nothing at all is left if it was `remove`.
    pub(super) fn require_end(&self, by: Call) -> Verdict {
        let Observation { running, remains, .. } = self.observe();
        self.require(!running, "nothing runs", &"something runs")?;
        let freed = !remains || by != Call::Remove;
        self.require(freed, "nothing remains of the task", &"something remains")
    }

    /// `wait` tells this.
    pub(super) async fn require_ending(&mut self, expected: &str) -> Verdict {
        let found = self.ending().await;
        self.require(found == expected, &format!("`wait` tells {expected}"), &found)
    }

    async fn run(&mut self, call: Call, limit: &mut Limit) -> Came<Result<(), ControllerError>> {
        let Self { bench, assignment, controller, trace, .. } = self;
        let Assignment { id, definition, .. } = assignment;
        // Called inside, where a panic is caught.
        let operation = async { operate(controller, call, definition).await };
        bench.run(trace, id, call, limit, operation).await
    }
}

/// How every such text begins.
pub(super) const AN_ERROR: &str = "an error";

/// What `wait` tells of a workload that has ended badly.
pub(super) fn told(exit_code: Option<i32>) -> String {
    match exit_code {
        Some(code) => format!("{AN_ERROR} with the exit code {code}"),
        None => format!("{AN_ERROR} without an exit code"),
    }
}

fn operate<'a, C: Controller>(
    controller: &'a mut C,
    call: Call,
    definition: &'a C::Definition,
) -> BoxFuture<'a, Result<(), ControllerError>> {
    match call {
        Call::Update => controller.update(definition).boxed(),
        Call::Prepare => controller.prepare().boxed(),
        Call::Start => controller.start().boxed(),
        Call::Wait => controller.wait().boxed(),
        Call::Shutdown => controller.shutdown().boxed(),
        Call::Terminate => controller.terminate().boxed(),
        Call::Remove => controller.remove().boxed(),
        Call::Close => controller.close().boxed(),
        Call::Inspect => controller.inspect().map(|_| Ok(())).boxed(),
        // Those are the executor's.
        Call::Controller | Call::Reconcile => core::future::ready(Ok(())).boxed(),
    }
}
