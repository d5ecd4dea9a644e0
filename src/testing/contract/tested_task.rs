//! A task that the kit checks: its current controller, and the calls.

use super::call::{self, Ended, Fault, Limit};
use super::clause::Clause;
use super::clause_run::{ClauseRun, ControllerOf, Existing};
use super::subject::{DefinitionOf, Observation, Subject, Workload};
use super::verdict::{Stop, Verdict, breach};
use crate::exec::Call;
use crate::exec::{Controller, ControllerError, ErrorKind, Inspection};
use crate::testing::trace::CallEvent;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::pin::pin;
use futures::FutureExt;
use futures::future::{BoxFuture, Either, select};

/// A task, and its current controller.
pub(super) struct TestedTask<'a, S: Subject> {
    pub(super) run: &'a ClauseRun<'a, S>,
    pub(super) task: Existing<S>,
    /// The definition that the next `update` passes.
    offered: DefinitionOf<S>,
    controller: ControllerOf<S>,
}

impl<'a, S: Subject> TestedTask<'a, S> {
    /// A new task with this workload, and a controller for it.
    pub(super) async fn new(run: &'a ClauseRun<'a, S>, workload: Workload) -> Result<Self, Stop> {
        Self::of(run, run.new_task(workload)?).await
    }

    async fn of(run: &'a ClauseRun<'a, S>, task: Existing<S>) -> Result<Self, Stop> {
        let controller = run.controller(&task).await?;
        Ok(Self { run, offered: task.assignment.definition.clone(), task, controller })
    }

    pub(super) fn id(&self) -> &str {
        &self.task.assignment.id
    }

    /// Calls once. Drops the call if it takes too long.
    pub(super) async fn call_once(&mut self, call: Call) -> Result<(), Fault> {
        let mut limit = self.run.limit();
        let ended = self.operate(call, &mut limit).await;
        ended.answer(self.run.settings.timeout)
    }

    /// Calls until it succeeds or fails for good.
    pub(super) async fn call(&mut self, call: Call) -> Result<(), Fault> {
        let ended = self.retry(call, self.run.limit()).await;
        ended.answer(self.run.settings.timeout)
    }

    /// Calls. If it does not succeed, the clause that is checked is broken.
    pub(super) async fn must(&mut self, call: Call) -> Verdict {
        let answer = self.call(call).await;
        self.run.require_success(call, answer, &self.task.trace)
    }

    /// Calls `prepare` or `start`, to prepare the check. If it does not succeed, the clause about that call is
    /// broken, and not the clause that is checked.
    pub(super) async fn after(&mut self, calls: &[Call]) -> Verdict {
        for call in calls {
            let broken =
                if *call == Call::Prepare { Clause::PrepareSucceeds } else { Clause::StartRuns };
            let expected = format!("`{call}` succeeds");
            let answer = self.call(*call).await;
            answer.map_err(|fault| breach(broken, &expected, &fault, &self.task.trace))?;
        }
        Ok(())
    }

    /// Calls, and drops the call after this number of polls. Polls of tries that have failed
    /// with a temporary error count. Returns whether the call ended before.
    pub(super) async fn drop_after(&mut self, call: Call, polls: u32) -> bool {
        let limit = Limit { polls, ..self.run.limit() };
        !matches!(self.retry(call, limit).await, Ended::Dropped)
    }

    /// Calls, and drops the call after a hundredth of the timeout. Returns whether the call
    /// ended before.
    pub(super) async fn returns_soon(&mut self, call: Call) -> bool {
        let limit = self.run.limit();
        let limit = Limit { time: limit.time / 100, ..limit };
        !matches!(self.retry(call, limit).await, Ended::TimedOut)
    }

    /// Calls `wait` until the workload has ended, and returns how it ended, as text.
    pub(super) async fn result(&mut self) -> String {
        result_text(self.call(Call::Wait).await)
    }

    /// Calls `wait` until it returns, and returns how the workload ended, as text. As soon as
    /// the workload is observed to run, drops the call and returns `None`.
    pub(super) async fn result_unless_running(&mut self) -> Option<String> {
        let (run, id) = (self.run, self.task.assignment.id.clone());
        let running = pin!(run.until_running(&id));
        let wait = pin!(self.call(Call::Wait));
        match select(running, wait).await {
            Either::Left(_) => None,
            Either::Right((answer, _)) => Some(result_text(answer)),
        }
    }

    /// Calls `wait` until the workload has ended, to prepare the check. If `wait` returns
    /// nothing, [`Clause::Life`] is broken.
    pub(super) async fn ended(&mut self) -> Result<String, Stop> {
        match self.call(Call::Wait).await {
            Ok(()) => Ok("`wait` succeeds".into()),
            Err(Fault::Error(error)) => Ok(failed(error.exit_code())),
            Err(fault) => {
                let expected = "`wait` returns when the workload has ended";
                Err(breach(Clause::Life, expected, &fault, &self.task.trace))
            }
        }
    }

    pub(super) async fn inspect(&mut self) -> Result<Inspection, Fault> {
        let Self { run, task, controller, .. } = self;
        let mut limit = run.limit();
        let inspected = async { Ok(controller.inspect().await) };
        let ended = run.executor_call(task, Call::Inspect, &mut limit, inspected).await;
        ended.answer(run.settings.timeout)
    }

    /// Drops the controller and makes a new one, as a restart of the agent does.
    pub(super) async fn new_controller(&mut self) -> Verdict {
        self.controller = self.run.controller(&self.task).await?;
        Ok(())
    }

    /// The agent's process dies, and the next one makes a controller.
    pub(super) async fn restart_process(&mut self) -> Verdict {
        let Some(process) = self.run.subject.restarted().map(Arc::new) else {
            return Err(Stop::unchecked("`Subject::restarted` returns `None`"));
        };
        self.run.change(self.id(), |task| task.process = Some(Arc::clone(&process)));
        self.task.process = Some(process);
        let now = self.run.settings.runtime.now();
        self.task.trace.record(now, self.id(), Call::Controller, CallEvent::Restarted);
        self.new_controller().await
    }

    /// Sets the definition that the next `update` passes.
    pub(super) fn offer(&mut self, definition: DefinitionOf<S>) {
        self.offered = definition;
    }

    /// Records that the controller accepted the definition. The next controller is made
    /// with it.
    pub(super) fn set_taken(&mut self) {
        self.run.change(self.id(), |task| task.assignment.definition = self.offered.clone());
        self.task.assignment.definition = self.offered.clone();
    }

    pub(super) fn observe(&self) -> Observation {
        self.run.subject.observe(self.id())
    }

    /// Calls until it succeeds, fails for good, or reaches the limit. The limit includes
    /// all retries.
    async fn retry(&mut self, call: Call, mut limit: Limit) -> Ended<()> {
        let run = self.run;
        let deadline = run.deadline(&limit);
        loop {
            let ended = self.operate(call, &mut limit).await;
            let Ended::Returned(Err(error)) = &ended else { return ended };
            match (call, error.kind()) {
                (Call::Prepare, ErrorKind::AlreadyPrepared)
                | (Call::Start, ErrorKind::AlreadyStarted) => return Ended::Returned(Ok(())),
                _ if !ended.is_retryable() => return ended,
                _ if run.next_try(&mut limit, deadline).await => {}
                _ => return Ended::TimedOut,
            }
        }
    }

    async fn operate(&mut self, call: Call, limit: &mut Limit) -> Ended<()> {
        let Self { run, task, controller, offered } = self;
        // The method is called inside the future, so that its panic is caught too.
        let operation = async { operate(controller, call, offered).await };
        let (runtime, id) = (&*run.settings.runtime, &task.assignment.id);
        call::run(runtime, &task.trace, id, call, limit, operation).await
    }
}

/// Removes all tasks of the clause, each with a new controller.
pub(super) async fn remove_all<S: Subject>(run: &ClauseRun<'_, S>) {
    for task in run.take_existing() {
        let Ok(mut tested) = TestedTask::of(run, task).await else { continue };
        if tested.call(Call::Remove).await.is_ok() {
            let Existing { assignment, trace, .. } = tested.task;
            run.add_removed((String::from(&*assignment.id), trace));
        }
    }
}

/// How `wait` has reported the end of the workload, as text.
fn result_text(answer: Result<(), Fault>) -> String {
    match answer {
        Ok(()) => "`wait` succeeds".into(),
        Err(Fault::Error(error)) => failed(error.exit_code()),
        Err(fault) => fault.to_string(),
    }
}

/// The beginning of each text about a workload that has failed.
pub(super) const FAILED: &str = "`wait` fails with an error";

/// How `wait` reports that the workload has failed, as text.
pub(super) fn failed(exit_code: Option<i32>) -> String {
    match exit_code {
        Some(code) => format!("{FAILED} with the exit code {code}"),
        None => format!("{FAILED} without an exit code"),
    }
}

fn operate<'a, C: Controller>(
    controller: &'a mut C,
    call: Call,
    offered: &'a C::Definition,
) -> BoxFuture<'a, Result<(), ControllerError>> {
    match call {
        Call::Update => controller.update(offered).boxed(),
        Call::Prepare => controller.prepare().boxed(),
        Call::Start => controller.start().boxed(),
        Call::Wait => controller.wait().boxed(),
        Call::Shutdown => controller.shutdown().boxed(),
        Call::Terminate => controller.terminate().boxed(),
        Call::Remove => controller.remove().boxed(),
        Call::Close => controller.close().boxed(),
        Call::Inspect => controller.inspect().map(|_| Ok(())).boxed(),
        // These are methods of the executor.
        Call::Controller | Call::List | Call::Reconcile => core::future::ready(Ok(())).boxed(),
    }
}
