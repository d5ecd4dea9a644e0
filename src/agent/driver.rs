//! The driver: runs one task from its start to its removal.

mod calls;
mod core;
mod handle;
mod history;
mod race;
mod shared;
mod snapshot;
mod update_error;
#[cfg(feature = "serde")]
mod wire;

use self::core::{Call, Core, Exit, Logs, Next};
use super::limit::{Limit, Permit};
use super::panic::{caught, discard, drop_caught, poll_caught};
use super::policy::Policy;
use super::runtime::{self, Now, Runtime, Sleep};
use super::sink::{StatusSink, deliver};
use crate::exec::{Assignment, Controller, Executor};
use crate::lifecycle::{AnyTask, Operation};
use ::core::fmt;
use ::core::future::poll_fn;
use ::core::mem;
use ::core::pin::{Pin, pin};
use ::core::task::{Poll, ready};
use ::core::time::Duration;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use race::{Race, race};

pub use handle::{DriverHandle, Watch};
pub use history::HistoryEntry;
pub(super) use shared::{Changes, Shared};
pub use snapshot::{DefinitionStatus, Snapshot};
pub use update_error::UpdateError;

/// Runs one task from its start to its removal: gets a controller from the executor, calls its
/// operations, retries them, and enforces their deadlines.
///
/// Spawn [`run`](Self::run), and use the [`DriverHandle`] to change the desired state and to
/// watch the task. The driver owns the task and its controller, so there is at most one operation
/// in flight. Its rules are in `docs/driver.md`. For many tasks that survive a restart, use
/// [`Worker`](super::Worker).
///
/// ```
/// use onward::agent::{Driver, DriverExit};
/// use onward::testing::{Behavior, Call, Script, ScriptedExecutor, VirtualPool, VirtualTime};
/// use onward::{Assignment, Task, TaskState};
/// use std::sync::Arc;
///
/// let pool = VirtualPool::new(VirtualTime::new(), 0);
/// // Its workloads run until they are shut down.
/// let executor = ScriptedExecutor::new(|_| Script::new().with(Call::Wait, [Behavior::hangs()]));
/// let task = Assignment::new("web.1", ());
/// let mut driver = Driver::new(Task::new(), task.clone(), executor, Arc::new(pool.clone()));
/// let handle = driver.handle();
///
/// // The task runs. `run_until` returns when nothing more can happen.
/// assert!(pool.run_until(driver.run()).is_none());
/// assert_eq!(handle.status().state, TaskState::Running);
///
/// handle.update(task.with_desired_state(TaskState::Shutdown))?;
/// assert!(pool.run_until(driver.run()).is_none());
/// assert_eq!(handle.status().state, TaskState::Shutdown);
///
/// handle.remove();
/// assert_eq!(pool.run_until(driver.run()), Some(DriverExit::Removed));
/// # Ok::<(), onward::agent::UpdateError>(())
/// ```
///
/// In SwarmKit: `taskManager` (`agent/task.go`).
pub struct Driver<E: Executor> {
    shared: Arc<Shared<E::Definition>>,
    executor: E,
    controller: Option<E::Controller>,
    runtime: Arc<dyn Runtime>,
    reports: Reports,
    limit: Option<Limit>,
    permit: Option<Box<Permit>>,
}

/// How a driver has ended: the result of [`Driver::run`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum DriverExit {
    /// The task was removed.
    Removed,
    /// `remove` failed for good, so a part of the task may still exist.
    RemovalFailed {
        /// The error of `remove`.
        error: String,
    },
    /// The driver was closed. The task is unchanged, and another driver can continue it.
    Closed,
}

/// The receiver of changes.
enum Reports {
    None,
    Sink(Arc<dyn StatusSink>),
    /// The worker, which collects the changes of many tasks.
    Notice(Arc<dyn Notice>),
}

/// Is notified of changes of a task, and collects them later.
pub(super) trait Notice: Send + Sync {
    /// Called at most once between two collections.
    fn changed(&self, id: &Arc<str>);
}

impl<E: Executor> Driver<E> {
    /// A driver for a task, with the default [`Policy`] and without a sink.
    ///
    /// The task can be in any state. After a restart, [resume](AnyTask::resume) it from its
    /// stored status.
    pub fn new(
        task: impl Into<AnyTask>,
        assignment: impl Into<Arc<Assignment<E::Definition>>>,
        executor: E,
        runtime: Arc<dyn Runtime>,
    ) -> Self {
        let assignment = assignment.into();
        let id = Arc::clone(&assignment.id);
        let now = runtime::utc_now(&*runtime);
        let shared = Shared::new(id, task.into(), assignment, None, now);
        Self::over(Arc::new(shared), executor, runtime, Reports::None)
    }

    fn over(
        shared: Arc<Shared<E::Definition>>,
        executor: E,
        runtime: Arc<dyn Runtime>,
        reports: Reports,
    ) -> Self {
        Self { shared, executor, controller: None, runtime, reports, limit: None, permit: None }
    }

    /// A driver of a worker.
    pub(super) fn under(
        shared: Arc<Shared<E::Definition>>,
        executor: E,
        runtime: Arc<dyn Runtime>,
        notice: Arc<dyn Notice>,
        limit: Option<Limit>,
    ) -> Self {
        let mut driver = Self::over(shared, executor, runtime, Reports::Notice(notice));
        driver.limit = limit;
        driver
    }

    pub(super) fn shared(&self) -> &Arc<Shared<E::Definition>> {
        &self.shared
    }

    /// Sets the retry policy and the deadlines.
    #[must_use]
    pub fn with_policy(self, policy: impl Into<Arc<Policy>>) -> Self {
        self.handle().set_policy(policy);
        self
    }

    /// Sets the sink that receives each new status. Default: none.
    #[must_use]
    pub fn with_sink(mut self, sink: impl StatusSink + 'static) -> Self {
        self.reports = Reports::Sink(Arc::new(sink));
        self
    }

    /// Sets that a workload of this task may already run, even if its status is one from before
    /// the start. For example, an agent crashed before it stored the last statuses.
    ///
    /// If such a task fails in `prepare`, the driver calls `terminate` first. Default: no.
    #[must_use]
    pub fn with_possible_workload(self) -> Self {
        self.shared.may_run();
        self
    }

    /// A handle of this driver.
    pub fn handle(&self) -> DriverHandle<E::Definition> {
        DriverHandle::new(Arc::clone(&self.shared))
    }

    /// Runs the task until [`remove`](DriverHandle::remove) or [`close`](DriverHandle::close)
    /// is called, and done.
    ///
    /// It opens no span. Instrument it with [`task_span`](crate::exec::task_span), so that its
    /// log messages have the id of the task. A panic of the executor or the controller is caught
    /// and counts as a failure for good, unless panics abort.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, nothing is lost. If you then call `run` again, the driver repeats
    /// the call that was in flight, except for `close`.
    pub async fn run(&mut self) -> DriverExit {
        // Read after each await. Everything between two awaits has the same time.
        let mut now = Now::read(&*self.runtime, Duration::ZERO);
        loop {
            now = match self.advance(now) {
                Pause::Call(call) => {
                    let place =
                        if self.needs_place(call) { self.place(now).await } else { Ok(now) };
                    match place {
                        Ok(now) => {
                            let now = self.call(call, now).await;
                            self.permit = None;
                            now
                        }
                        Err(now) => now,
                    }
                }
                Pause::Wait(until) => self.wait(until, now).await,
                Pause::Ended => break,
            };
        }
        self.drop_controller();
        self.shared.end();
        self.report();
        self.shared.exit()
    }

    /// Records moves that need no call, until the driver must call or wait.
    fn advance(&mut self, now: Now) -> Pause {
        loop {
            self.report();
            match self.shared.with(|state| state.core.next(now)) {
                Next::Recorded(logs) => logs.write(),
                Next::Call(call) => return Pause::Call(call),
                Next::Wait(until) => return Pause::Wait(until),
                Next::Nothing => return Pause::Ended,
            }
        }
    }

    /// Reports changes, and wakes watchers.
    fn report(&self) {
        match &self.reports {
            Reports::None => {}
            Reports::Sink(sink) => {
                if let Some(status) = self.shared.take_changed() {
                    deliver(&**sink, &self.shared.id, status);
                }
            }
            Reports::Notice(notice) => {
                if self.shared.flag() {
                    notice.changed(&self.shared.id);
                }
            }
        }
        self.shared.steps.notify();
    }

    /// Waits for a request, or until a time. Returns the time after it, as [`call`](Self::call)
    /// does.
    fn wait(&mut self, until: Option<Duration>, before: Now) -> impl Future<Output = Now> + Send {
        self.permit = None;
        let (shared, runtime) = (&*self.shared, &*self.runtime);
        // Made on demand: most tasks wait without a limit.
        let mut sleep = None;
        let before = before.monotonic;
        poll_fn(move |context| {
            if shared.look(context, |core| core.news) {
                return Poll::Ready(Now::read(runtime, before));
            }
            let Some(until) = until else { return Poll::Pending };
            let sleep = sleep.get_or_insert_with(|| Sleep::until(runtime, until));
            ready!(Pin::new(sleep).poll(context));
            shared.with(|state| state.core.sleep_ended(until));
            Poll::Ready(Now::read(runtime, before.max(until)))
        })
    }

    /// Whether this call needs a place in the limit of the worker. If it needs none, the place of
    /// the last call is given up.
    fn needs_place(&mut self, call: Call) -> bool {
        match &self.limit {
            Some(limit) if Core::is_limited(call) => {
                self.permit.get_or_insert_with(|| Box::new(limit.permit()));
            }
            _ => self.permit = None,
        }
        self.permit.is_some()
    }

    /// Waits for a place in the limit of the worker. `Err` if there is a request first. Both have
    /// the time after it.
    async fn place(&mut self, before: Now) -> Result<Now, Now> {
        let (shared, runtime) = (&*self.shared, &*self.runtime);
        let Some(permit) = &mut self.permit else { return Ok(before) };
        let mut since = None;
        let has_place = poll_fn(|context| {
            if shared.look(context, |core| core.news) {
                return Poll::Ready(false);
            }
            let place = permit.poll(context).map(|()| true);
            if place.is_pending() && since.is_none() {
                since = Some(runtime::now(runtime, before.monotonic));
                shared.set_queued(true);
            }
            place
        })
        .await;
        let now = Now::read(runtime, before.monotonic);
        // The time in the queue does not count against a deadline that has begun.
        if let Some(since) = since {
            shared.set_queued(false);
            let waited = now.monotonic.saturating_sub(since);
            shared.with(|state| state.core.waited(waited));
        }
        if has_place { Ok(now) } else { Err(now) }
    }

    /// Makes a call and records its result, unless it is interrupted. Returns the time after it.
    fn call(&mut self, call: Call, now: Now) -> impl Future<Output = Now> + Send {
        let (subject, span) = self.shared.begin(call, now);
        // The worker stores the definition before the executor or the controller gets it.
        self.report();
        let Self { shared, executor, controller, runtime, .. } = self;
        let (shared, runtime) = (&*shared, &**runtime);
        let mut race = Race::new(shared, runtime, call, span);
        async move {
            let (logs, now) = match (race.call, controller.as_mut()) {
                (Call::Controller, _) => {
                    let (outcome, now) = race!(race, executor.controller(&subject.assignment));
                    let made = calls::set_up::<E>(race.shared, outcome);
                    (calls::resolved(race.shared, now, subject.number, made, controller), now)
                }
                (Call::Operate(operation), Some(controller)) => {
                    let (outcome, now) = match operation {
                        Operation::Prepare => race!(race, controller.prepare()),
                        Operation::Start => race!(race, controller.start()),
                        Operation::Wait => race!(race, controller.wait()),
                        Operation::Shutdown => race!(race, controller.shutdown()),
                        Operation::Terminate => race!(race, controller.terminate()),
                    };
                    (calls::operated(race.shared, now, operation, outcome), now)
                }
                (Call::Update, Some(controller)) => {
                    let definition = &subject.assignment.definition;
                    let (outcome, now) = race!(race, controller.update(definition));
                    (calls::updated(race.shared, now, &subject, outcome), now)
                }
                (Call::Remove, Some(controller)) => {
                    let (outcome, now) = race!(race, controller.remove());
                    (calls::removed(race.shared, now, outcome), now)
                }
                (Call::Close, Some(controller)) => {
                    let (outcome, now) = race!(race, controller.close());
                    calls::closed(outcome);
                    (Logs::default(), now)
                }
                (Call::Inspect, Some(controller)) => {
                    let (outcome, now) = race!(race, controller.inspect());
                    calls::inspected(race.shared, now, outcome);
                    (Logs::default(), now)
                }
                // The core makes none of these calls without a controller.
                (_, None) => (Logs::default(), race.now()),
            };
            logs.write();
            now
        }
    }

    /// As [`run`](Self::run), for a worker. If the driver itself panics, the task fails, as after
    /// a panic of an operation. If it panics again, or the task cannot fail any more, the driver
    /// ends.
    pub(super) async fn run_contained(&mut self) -> DriverExit {
        loop {
            let panic = {
                let mut run = pin!(Some(self.run()));
                let result = poll_fn(move |context| {
                    let Some(poll) = run.as_mut().as_pin_mut() else { return Poll::Pending };
                    let result = ready!(poll_caught(poll, context));
                    if let Err(panic) = drop_caught(run.as_mut()) {
                        tracing::error!(%panic, "driver panicked when dropped");
                    }
                    Poll::Ready(result)
                });
                match result.await {
                    Ok(exit) => return exit,
                    Err(panic) => panic,
                }
            };
            let error = panic.of("driver").to_string();
            tracing::error!(task.id = &*self.shared.id, error, "driver panicked");
            self.permit = None;
            let now = Now::read(&*self.runtime, Duration::ZERO);
            let logs = self.shared.with(|state| state.core.panicked(error, now));
            let goes_on = logs.is_some();
            logs.unwrap_or_default().write();
            if !goes_on {
                self.drop_controller();
                self.shared.end();
                self.report();
                return self.shared.with(|state| DriverExit::of(&state.core));
            }
        }
    }

    /// Drops the controller, which may panic.
    fn drop_controller(&mut self) {
        let controller = self.controller.take();
        if let Err(panic) = caught(|| drop(controller)) {
            tracing::error!(task.id = &*self.shared.id, %panic, "controller panicked when dropped");
        }
    }
}

/// What `run` awaits next.
#[derive(Clone, Copy)]
enum Pause {
    Call(Call),
    Wait(Option<Duration>),
    Ended,
}

impl DriverExit {
    fn of(core: &Core) -> Self {
        let error = || core.rare().removal_error.as_deref().unwrap_or_default().into();
        match core.exit {
            Exit::Removed => Self::Removed,
            Exit::RemovalFailed => Self::RemovalFailed { error: error() },
            Exit::Closed => Self::Closed,
        }
    }
}

impl<E: Executor> Drop for Driver<E> {
    /// Ends the streams of watchers, unless a worker will continue the task.
    fn drop(&mut self) {
        self.drop_controller();
        if matches!(self.reports, Reports::Notice(_)) {
            self.shared.abandon();
        } else {
            self.shared.end();
        }
        if let Reports::Sink(sink) = mem::replace(&mut self.reports, Reports::None) {
            discard("status sink", sink);
        }
    }
}

impl<E: Executor> fmt::Debug for Driver<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("id", &self.shared.id).finish_non_exhaustive()
    }
}
