//! One task under a worker: gets its controller, then its driver, and tells how
//! that ended.

use super::handle::Shared;
use super::seat::{Goal, Seat};
use crate::agent::driver::{Driver, Ended, StatusSink, Surroundings};
use crate::agent::panic::poll_caught;
use crate::agent::policy::{Jitter, Policy};
use crate::agent::timer::Timer;
use crate::exec::{
    Assignment, Controller, ControllerError, Executor, WallClock, resolve, task_span,
};
use crate::lifecycle::{AnyTask, TaskState, TaskStatus};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use futures::future::join_all;
use tracing::Instrument;

/// What all tasks of a worker need.
#[derive(Clone)]
pub(super) struct Env<E, T, W> {
    pub(super) executor: E,
    pub(super) timer: T,
    pub(super) clock: W,
    pub(super) policy: Arc<Policy>,
}

/// A task's whole life. Dropped or not, the worker is told of its end.
pub(super) async fn live<E: Executor, T: Timer + Clone, W: WallClock + Clone>(
    env: Env<E, T, W>,
    shared: Arc<Shared<E::Definition>>,
    seat: Arc<Seat<E::Definition>>,
    status: Option<TaskStatus>,
) {
    let span = task_span(&seat.id);
    let mut life = Life { shared, seat, ended: Ended::Closed };
    life.ended = life.drive(env, status).instrument(span).await;
}

struct Life<D: Clone + PartialEq> {
    shared: Arc<Shared<D>>,
    seat: Arc<Seat<D>>,
    ended: Ended,
}

impl<D: Clone + PartialEq> Drop for Life<D> {
    fn drop(&mut self) {
        self.shared.ended(&self.seat.id, &self.ended);
    }
}

impl<D: Clone + PartialEq + Send + Sync + 'static> Life<D> {
    async fn drive<E, T, W>(&self, env: Env<E, T, W>, status: Option<TaskStatus>) -> Ended
    where
        E: Executor<Definition = D>,
        T: Timer + Clone,
        W: WallClock + Clone,
    {
        let seat = &self.seat;
        let mut task = AnyTask::resume(status.unwrap_or(TaskStatus::new(TaskState::Assigned)));
        let Env { executor, timer, clock, policy } = env;
        let executor = Caught(&executor);
        let (assignment, mut own, controller) = {
            let mut jitter = Jitter::of(&seat.id);
            let mut failures = 0;
            loop {
                let wanted = seat.take();
                let assignment = match wanted.previous {
                    Some(previous) => *previous,
                    None => wanted.assignment,
                };
                let resolved = resolve(&mut task, &assignment, &executor, &clock);
                let error = match unless_closed(seat, resolved).await {
                    None => return Ended::Closed,
                    Some(Ok(controller)) => break (assignment, wanted.policy, controller),
                    Some(Err(error)) => error,
                };
                if let Some(status) = task.take_changed() {
                    seat.note(status.clone());
                    self.shared.status(&seat.id, status);
                }
                let removing = seat.goal() == Goal::Remove;
                if removing && !error.is_retryable() {
                    // By its contract it has nothing of this task.
                    tracing::warn!(
                        error = format_args!("{error:#}"),
                        "forgotten: the executor cannot run it"
                    );
                    return Ended::Removed;
                }
                // A task that has failed so waits for its removal, or for another definition.
                let until = removing.then(|| {
                    let delay = jitter.delay(&policy, failures);
                    timer.now().saturating_add(delay)
                });
                failures = failures.saturating_add(1);
                news(seat, &timer, until).await;
            }
        };
        let logs = controller.logs();
        let sink = Sink { shared: Arc::clone(&self.shared), id: Arc::clone(&seat.id) };
        let present = own.clone().map_or_else(|| Arc::clone(&policy), Arc::new);
        let surroundings = Surroundings { timer, clock, sink, policy: present };
        let (mut driver, handle) = Driver::new(task, assignment, controller, surroundings);
        let mut taken = handle.taken_version();
        seat.install(handle.clone(), logs);
        self.shared.changed();
        let mut run = pin!(driver.run());
        poll_fn(|context| {
            seat.future.register(context.waker());
            if let Some(wanted) = seat.news() {
                if wanted.policy != own {
                    own = wanted.policy;
                    // It was checked when it came.
                    _ = handle.set_policy(own.clone().unwrap_or_else(|| (*policy).clone()));
                }
                match wanted.goal {
                    // What cannot be was refused before.
                    Goal::Live => _ = handle.update(wanted.assignment),
                    Goal::Remove => handle.remove(),
                    Goal::Close => handle.close(),
                }
            }
            let poll = run.as_mut().poll(context);
            let now = handle.taken_version();
            if now != taken {
                taken = now;
                self.shared.taken(&seat.id, now);
            }
            poll
        })
        .await
    }
}

/// Ready when an operation is, or with nothing when the agent goes away.
async fn unless_closed<D: Clone, F: Future>(seat: &Seat<D>, operation: F) -> Option<F::Output> {
    let mut operation = pin!(operation);
    poll_fn(|context| {
        seat.future.register(context.waker());
        if seat.goal() == Goal::Close {
            return Poll::Ready(None);
        }
        operation.as_mut().poll(context).map(Some)
    })
    .await
}

/// Ready when something else is wanted, or at a moment.
async fn news<D: Clone>(seat: &Seat<D>, timer: &impl Timer, until: Option<Duration>) {
    let mut sleep = until.map(|until| Box::pin(timer.sleep_until(until)));
    poll_fn(|context| {
        seat.future.register(context.waker());
        if seat.has_news() {
            return Poll::Ready(());
        }
        sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(context))
    })
    .await;
}

/// Takes the statuses of one task.
struct Sink<D: Clone + PartialEq> {
    shared: Arc<Shared<D>>,
    id: Arc<str>,
}

impl<D: Clone + PartialEq + Send + Sync> StatusSink for Sink<D> {
    fn changed(&self, _: &str, status: TaskStatus) {
        self.shared.status(&self.id, status);
    }
}

/// An executor whose panics are answers.
struct Caught<'a, E>(&'a E);

impl<E: Executor> Executor for Caught<'_, E> {
    type Definition = E::Definition;
    type Controller = E::Controller;

    async fn controller(
        &self,
        assignment: &Assignment<E::Definition>,
    ) -> Result<E::Controller, ControllerError> {
        caught(async { self.0.controller(assignment).await }).await?
    }
}

async fn caught<F: Future>(future: F) -> Result<F::Output, ControllerError> {
    let mut future = pin!(future);
    let answer = poll_fn(|context| poll_caught(future.as_mut(), context)).await;
    answer.map_err(|panic| panic.of("executor"))
}

/// Hands to the executor what it finds and nobody has assigned.
pub(super) async fn reconcile<E: Executor>(executor: E, shared: Arc<Shared<E::Definition>>) {
    let found = caught(async { executor.list().await }).await.and_then(|found| found);
    let orphans = match found {
        Ok(found) => shared.lock().orphans(found),
        Err(error) => {
            tracing::error!(error = format_args!("{error:#}"), "not known what else runs");
            return shared.reconciled(None, false);
        }
    };
    let (executor, shared) = (&executor, &*shared);
    let ended = orphans.iter().map(|id| async move {
        tracing::warn!(task.id = id, "found, and not assigned");
        let ended = caught(async { executor.reconcile(id).await }).await.and_then(|ended| ended);
        if let Err(error) = &ended {
            let error = format_args!("{error:#}");
            tracing::error!(task.id = id, error, "found, not assigned, and not ended");
        }
        shared.reconciled(Some(id), ended.is_ok());
    });
    join_all(ended).await;
}
