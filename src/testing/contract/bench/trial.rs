//! What is done with one task.

use super::{Bench, Came, ControllerOf, Fault, Limit, Process, Stop, Verdict, breach};
use crate::agent::Timer;
use crate::exec::{Assignment, Controller, ControllerError, ErrorKind, Inspection};
use crate::testing::contract::{Clause, DefinitionOf, Observation, Subject};
use crate::testing::{Call, Trace};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use futures::FutureExt;
use futures::future::BoxFuture;

/// A task, and the instance of its controller that is at it.
pub(in crate::testing::contract) struct Trial<'a, S: Subject, T> {
    pub(super) bench: &'a Bench<'a, S, T>,
    pub(super) assignment: Assignment<DefinitionOf<S>>,
    /// The executor of another process, where this one has died.
    pub(super) process: Process<S>,
    pub(super) controller: ControllerOf<S>,
    pub(super) trace: Trace,
}

impl<S: Subject, T: Timer> Trial<'_, S, T> {
    /// Calls once; drops it when it has taken too long.
    pub(in crate::testing::contract) async fn call_once(
        &mut self,
        call: Call,
    ) -> Result<(), Fault> {
        let came = self.run(call, &mut self.bench.patience()).await;
        self.bench.answer(came)
    }

    /// Calls until it succeeds or fails for good.
    pub(in crate::testing::contract) async fn call(&mut self, call: Call) -> Result<(), Fault> {
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
    pub(in crate::testing::contract) async fn must(&mut self, call: Call) -> Verdict {
        self.succeed(call, self.bench.clause).await
    }

    /// Calls these, which must succeed: the clause is about what follows.
    pub(in crate::testing::contract) async fn after(&mut self, calls: &[Call]) -> Verdict {
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
    pub(in crate::testing::contract) async fn drop_after(
        &mut self,
        call: Call,
        polls: u32,
    ) -> bool {
        let limit = Limit { polls, ..self.bench.patience() };
        !matches!(self.insist(call, limit).await, Came::Cut)
    }

    /// Calls, and drops it after a short while; says whether it has returned by then.
    pub(in crate::testing::contract) async fn glimpse(&mut self, call: Call) -> bool {
        let patience = self.bench.patience();
        let limit = Limit { time: patience.time / 100, ..patience };
        !matches!(self.insist(call, limit).await, Came::Late)
    }

    /// Calls `wait` until it tells how the workload has ended; says what it told.
    pub(in crate::testing::contract) async fn ending(&mut self) -> String {
        match self.call(Call::Wait).await {
            Ok(()) => "success".into(),
            Err(Fault::Error(error)) => told(error.exit_code()),
            Err(fault) => fault.to_string(),
        }
    }

    /// Asks what the controller knows of its container and its ports.
    pub(in crate::testing::contract) async fn inspect(&mut self) -> Result<Inspection, Fault> {
        let Self { bench, assignment, controller, trace, .. } = self;
        let asked = async { Ok(controller.inspect().await) };
        let came =
            bench.run(trace, &assignment.id, Call::Inspect, &mut bench.patience(), asked).await;
        bench.answer(came)
    }

    /// Puts another instance in the place of this one, as a restart of the agent does.
    pub(in crate::testing::contract) async fn restart(&mut self) -> Verdict {
        let executor = self.process.as_deref().unwrap_or_else(|| self.bench.subject.executor());
        self.controller = self.bench.controller(executor, &self.assignment, &self.trace).await?;
        Ok(())
    }

    /// The agent's process dies, and another one takes the task up.
    pub(in crate::testing::contract) async fn die(&mut self) -> Verdict {
        let Some(process) = self.bench.subject.restarted().map(Arc::new) else {
            return Err(Stop::Unchecked("there is no other process".into()));
        };
        self.bench.moved(&self.assignment.id, &process);
        self.process = Some(process);
        self.restart().await
    }

    /// What can be seen from outside.
    pub(in crate::testing::contract) fn observe(&self) -> Observation {
        self.bench.subject.observe(&self.assignment.id)
    }

    /// The clause is broken unless this is so.
    pub(in crate::testing::contract) fn require(
        &self,
        so: bool,
        expected: &str,
        found: &dyn fmt::Display,
    ) -> Verdict {
        if so { Ok(()) } else { Err(breach(self.bench.clause, expected, found, &self.trace)) }
    }

    pub(in crate::testing::contract) fn require_one_start(&self) -> Verdict {
        let starts = self.observe().starts;
        self.require(starts == 1, "the workload was started once", &format!("{starts} starts"))
    }

    /// One that was undone need not be counted.
    pub(in crate::testing::contract) fn require_no_second_start(&self) -> Verdict {
        let starts = self.observe().starts;
        self.require(starts <= 1, "it was not started again", &format!("{starts} starts"))
    }

    /// `wait` tells that the workload has ended badly.
    pub(in crate::testing::contract) async fn require_error(&mut self) -> Verdict {
        let ending = self.ending().await;
        self.require(ending.starts_with(AN_ERROR), "`wait` tells an error", &ending)
    }

    pub(in crate::testing::contract) fn require_running(&self) -> Verdict {
        self.require(self.observe().running, "the workload runs on", &"nothing runs")
    }

    /// Nothing runs after this call; nothing at all is left if it was `remove`.
    pub(in crate::testing::contract) fn require_end(&self, by: Call) -> Verdict {
        let Observation { running, remains, .. } = self.observe();
        self.require(!running, "nothing runs", &"something runs")?;
        let freed = !remains || by != Call::Remove;
        self.require(freed, "nothing remains of the task", &"something remains")
    }

    /// `wait` tells this.
    pub(in crate::testing::contract) async fn require_ending(&mut self, expected: &str) -> Verdict {
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
const AN_ERROR: &str = "an error";

/// What `wait` tells of a workload that has ended badly.
pub(in crate::testing::contract) fn told(exit_code: Option<i32>) -> String {
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
