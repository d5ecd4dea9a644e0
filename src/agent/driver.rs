//! One task's whole life: the loop around its controller.

mod handle;
mod history;
mod life;
mod refusal;

use super::panic::{Panic, poll_caught};
use super::policy::{InvalidPolicy, Policy};
use super::timer::Timer;
use crate::exec::{Assignment, Controller, ControllerError, Inspected, Inspection, WallClock};
use crate::lifecycle::{AnyTask, ContainerStatus, Operation, TaskStatus};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::{Future, poll_fn};
use core::mem;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use handle::Shared;
use life::{Call, Life, Next};

pub use handle::{DriverHandle, Snapshot, Watch};
pub use history::Past;
pub use refusal::UpdateRefused;

/// Awaits an operation that may be interrupted; `None` if it was.
///
/// A macro, since a function would take the future by value, and so store it
/// twice.
macro_rules! race {
    ($race:ident, $operation:expr) => {{
        // Called inside, where a panic is caught.
        let mut operation = pin!(async { $operation.await });
        poll_fn(|context| $race.poll(operation.as_mut(), context)).await
    }};
}
/// Takes the statuses of tasks as they change.
///
/// It is called by the driver, in the middle of its work, so it must not block:
/// it puts the status where something else takes it on. A closure is a sink:
///
/// ```
/// use onward::agent::StatusSink;
/// use onward::{TaskState, TaskStatus};
/// use std::sync::mpsc::channel;
///
/// let (tell, told) = channel();
/// let sink = move |id: &str, status: TaskStatus| _ = tell.send((id.to_owned(), status.state));
/// sink.changed("web.1", TaskStatus::new(TaskState::Running));
/// assert_eq!(told.recv()?, ("web.1".to_owned(), TaskState::Running));
/// # Ok::<(), std::sync::mpsc::RecvError>(())
/// ```
pub trait StatusSink: Send + Sync {
    /// The status of the task of this id has changed to this.
    fn changed(&self, id: &str, status: TaskStatus);

    /// The task of this id is gone, for whoever keeps something of each. Another
    /// one of its id begins anew.
    ///
    /// A worker says it when nothing is left of the task. A driver does not: whoever
    /// has one by itself says it, where the sink keeps something.
    ///
    /// The default does nothing.
    fn gone(&self, id: &str) {
        let _ = id;
    }
}

impl<F: Fn(&str, TaskStatus) + Send + Sync> StatusSink for F {
    fn changed(&self, id: &str, status: TaskStatus) {
        self(id, status);
    }
}

/// What a driver needs of its surroundings. One does for all drivers of an agent.
///
/// ```
/// use core::time::Duration;
/// use onward::TaskStatus;
/// use onward::agent::{Policy, Surroundings, TokioTimer};
/// use onward::exec::SystemClock;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let patient = Policy::default().with_shutdown_grace(Duration::from_secs(60));
/// let sink = |id: &str, status: TaskStatus| println!("{id}: {}", status.state);
/// let surroundings =
///     Surroundings::new(TokioTimer::new(), SystemClock, sink).with_policy(patient)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Surroundings<T, W, S> {
    /// Measures delays.
    pub timer: T,
    /// Tells the time of day, for statuses.
    pub clock: W,
    /// Takes the statuses.
    pub sink: S,
    /// How patient to be.
    pub policy: Arc<Policy>,
}

impl<T, W, S> Surroundings<T, W, S> {
    /// These, with the default policy.
    pub fn new(timer: T, clock: W, sink: S) -> Self {
        Self { timer, clock, sink, policy: Arc::default() }
    }

    /// The same with another policy.
    ///
    /// # Errors
    ///
    /// The policy is absurd.
    pub fn with_policy(self, policy: Policy) -> Result<Self, InvalidPolicy> {
        policy.check()?;
        Ok(Self { policy: Arc::new(policy), ..self })
    }
}

/// How a driver has ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The task was removed: nothing is left of it.
    Removed,
    /// The task was to be removed, and something is left of it: what its
    /// controller said about that.
    Left(ControllerError),
    /// The driver was closed, and the task is as it was.
    Closed,
}

/// Drives one task through its life. It is the only owner of the task and of
/// its controller, so there is one operation at a time.
///
/// [`run`](Self::run) is what an embedder spawns; the [`DriverHandle`] is how it
/// tells the driver what is wanted, and sees how far things are. What the driver
/// does, rule by rule, is in `docs/driver.md`.
///
/// The task's [span](crate::exec::task_span) is for whoever runs it to open.
///
/// ```
/// use onward::agent::{Driver, Ended, Surroundings};
/// use onward::exec::task_span;
/// use onward::testing::{NoopController, VirtualPool, VirtualTime};
/// use onward::{AnyTask, Assignment, TaskState, TaskStatus};
/// use time::UtcDateTime;
/// use tracing::Instrument;
///
/// let pool = VirtualPool::new(VirtualTime::new(), 0);
/// let clock = pool.time().clock(UtcDateTime::UNIX_EPOCH);
/// let surroundings = Surroundings::new(pool.time().timer(), clock, |_: &str, _| {});
/// let task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
/// let (mut driver, handle) =
///     Driver::new(task, Assignment::new("web.1", ()), NoopController::Runs, surroundings);
///
/// // It runs, until somebody wants something else. Called again, it goes on.
/// assert!(pool.run_until(driver.run()).is_none());
/// assert_eq!(handle.status().state, TaskState::Running);
///
/// handle.update(Assignment::new("web.1", ()).with_desired_state(TaskState::Shutdown))?;
/// assert!(pool.run_until(driver.run()).is_none());
/// assert_eq!(handle.status().state, TaskState::Shutdown);
///
/// // Until then it waits to be removed, or closed.
/// handle.remove();
/// let ended = pool.run_until(driver.run().instrument(task_span(handle.id())));
/// assert!(matches!(ended, Some(Ended::Removed)));
/// # Ok::<(), onward::agent::UpdateRefused>(())
/// ```
pub struct Driver<C: Controller, T, W, S> {
    shared: Arc<Shared<C::Definition>>,
    controller: C,
    surroundings: Surroundings<T, W, S>,
}

impl<C, T, W, S> Driver<C, T, W, S>
where
    C: Controller<Definition: Clone>,
    T: Timer,
    W: WallClock,
    S: StatusSink,
{
    /// A driver for a task that was [resolved](crate::exec::resolve()), and its
    /// handle.
    ///
    /// What resolving has changed is reported by [`run`](Self::run).
    pub fn new(
        task: AnyTask,
        assignment: Assignment<C::Definition>,
        controller: C,
        surroundings: Surroundings<T, W, S>,
    ) -> (Self, DriverHandle<C::Definition>) {
        let id = assignment.id.clone();
        let policy = Arc::clone(&surroundings.policy);
        let life = Life::new(task, assignment, policy, surroundings.clock.now());
        let shared = Arc::new(Shared::new(id, life));
        let handle = DriverHandle::new(Arc::clone(&shared));
        (Self { shared, controller, surroundings }, handle)
    }

    /// Drives the task until it is removed or closed, and says which.
    ///
    /// A controller that panics is caught, where panics unwind: it has failed.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any point, nothing is lost; it can be called again and goes on.
    /// What was called when it was dropped is dropped with it, and called again;
    /// only `close` is not.
    pub async fn run(&mut self) -> Ended {
        while let Some(pause) = self.record() {
            match pause {
                Pause::Call(call) => self.call(call).await,
                Pause::Wait(until) => wait(&self.shared, &self.surroundings.timer, until).await,
            }
        }
        self.shared.end();
        self.shared.lock().life.ended.clone()
    }

    /// Hands on what has changed, and records all that needs no call.
    fn record(&self) -> Option<Pause> {
        loop {
            if let Some(status) = self.shared.stepped() {
                self.surroundings.sink.changed(&self.shared.id, status);
            }
            let next = self.shared.lock().life.next();
            match next {
                Next::Record(event) => {
                    let at = self.surroundings.clock.now();
                    self.shared.lock().life.record(event, at);
                }
                Next::Call(call) => return Some(Pause::Call(call)),
                Next::Wait(until) => return Some(Pause::Wait(until)),
                Next::Nothing => return None,
            }
        }
    }

    /// Calls the controller, and records what it answered, if it came to that.
    async fn call(&mut self, call: Call) {
        let Self { shared, controller, surroundings: Surroundings { timer, clock, .. } } = self;
        let offer = {
            let life = &mut shared.lock().life;
            life.begin(call, timer, clock);
            (call == Call::Update).then(|| life.offer())
        };
        let mut race = Race { shared, timer, call, slow: false, deadline: None };
        let answer = match (call, &offer) {
            (Call::Operate(Operation::Prepare), _) => race!(race, controller.prepare()),
            (Call::Operate(Operation::Start), _) => race!(race, controller.start()),
            (Call::Operate(Operation::Wait), _) => race!(race, controller.wait()),
            (Call::Operate(Operation::Shutdown), _) => race!(race, controller.shutdown()),
            (Call::Operate(Operation::Terminate), _) => race!(race, controller.terminate()),
            (Call::Update, Some(offer)) => race!(race, controller.update(&offer.definition)),
            (Call::Remove, _) => race!(race, controller.remove()),
            (Call::Close, _) => race!(race, controller.close()),
            (Call::Inspect, _) => {
                let inspection = race!(race, controller.inspect());
                let inspection = inspection.map(|answer| answer.unwrap_or_else(not_inspected));
                race.shared.lock().life.inspected(inspection, clock);
                return;
            }
            (Call::Update, None) => return,
        };
        let Race { shared, timer, .. } = race;
        let life = &mut shared.lock().life;
        life.over(timer);
        // Dropped: what is to be done instead is decided anew.
        let Some(answer) = answer else { return };
        let answer = answer.unwrap_or_else(|panic| Err(panic.of("controller")));
        match (call, offer) {
            (Call::Operate(operation), _) => life.operated(operation, answer, timer, clock),
            (Call::Update, Some(offer)) => life.updated(&offer, answer, timer),
            (Call::Remove, _) => life.removed(answer, timer),
            (Call::Close, _) => {
                if let Err(error) = answer {
                    tracing::error!(error = format_args!("{error:#}"), "controller not closed");
                }
            }
            (Call::Update, None) | (Call::Inspect, _) => {}
        }
    }
}

/// What a driver waits for. An event has no place in it: every task that waits would
/// pay for that.
#[derive(Clone, Copy)]
enum Pause {
    Call(Call),
    Wait(Option<Duration>),
}

/// Waits for news, or until a moment. Not a method: a controller need not be `Sync`.
async fn wait<D>(shared: &Shared<D>, timer: &impl Timer, until: Option<Duration>) {
    // Boxed: most tasks wait without end, and have no use for its size.
    let mut sleep = until.map(|until| Box::pin(timer.sleep_until(until)));
    poll_fn(|context| {
        shared.driver.register(context.waker());
        if shared.lock().life.news {
            return Poll::Ready(());
        }
        match (&mut sleep, until) {
            (Some(sleep), Some(until)) => sleep.as_mut().poll(context).map(|()| {
                shared.lock().life.passed = Some(until);
            }),
            _ => Poll::Pending,
        }
    })
    .await;
}

impl<C: Controller, T, W, S> Drop for Driver<C, T, W, S> {
    /// Whoever watches is told that no more will come.
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl<C: Controller, T, W, S> fmt::Debug for Driver<C, T, W, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("id", &self.shared.id).finish_non_exhaustive()
    }
}

/// An operation in flight, against all that may end it.
struct Race<'a, D, T> {
    shared: &'a Shared<D>,
    timer: &'a T,
    call: Call,
    /// Whether the operation was not ready once. Most are at once, and then no
    /// deadline is asked for.
    slow: bool,
    deadline: Option<Deadline<'a>>,
}

/// When an operation has taken too long, and the sleep until then. Boxed: most
/// operations have none.
type Deadline<'a> = (Duration, Pin<Box<dyn Future<Output = ()> + Send + 'a>>);

impl<D, T: Timer> Race<'_, D, T> {
    fn poll<F: Future>(
        &mut self,
        operation: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<F::Output, Panic>>> {
        // What the operation has to say comes first.
        if let Poll::Ready(answer) = poll_caught(operation, context) {
            return Poll::Ready(Some(answer));
        }
        self.shared.driver.register(context.waker());
        let Self { shared, timer, call, .. } = *self;
        let life = shared.lock();
        if life.life.interrupts(call) {
            return Poll::Ready(None);
        }
        if !mem::replace(&mut self.slow, true) {
            let at = life.life.deadline_of(call, timer);
            self.deadline = at.map(|at| (at, Box::pin(timer.sleep_until(at)) as Pin<Box<_>>));
        }
        drop(life);
        let Some((at, sleep)) = &mut self.deadline else { return Poll::Pending };
        sleep.as_mut().poll(context).map(|()| {
            shared.lock().life.passed = Some(*at);
            None
        })
    }
}

fn not_inspected(panic: Panic) -> Inspection {
    let failed: Inspected<ContainerStatus> = Inspected::Failed(panic.of("controller"));
    Inspection::default().with_container_status(failed)
}
