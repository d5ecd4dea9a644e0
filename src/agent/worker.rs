//! All tasks of an agent: assignments in, drivers out, statuses stored and
//! reported.

mod book;
mod error;
mod handle;
mod life;
mod logs;
mod seat;

use super::driver::{StatusSink, Surroundings};
use super::policy::{InvalidPolicy, Policy};
use super::store::{Store, StoreError, TaskRecord};
use super::timer::Timer;
use crate::exec::{Assignment, Executor, WallClock};
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use book::{Act, Book, Next};
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use futures::task::{FutureObj, Spawn};
use handle::Shared;

pub use error::{AssignError, RefusedTask};
pub use handle::{Changes, Listener, TaskView, WorkerHandle};
pub use logs::LogSelector;

/// A task as a worker is told of it.
///
/// ```
/// use core::time::Duration;
/// use onward::Assignment;
/// use onward::agent::{AssignedTask, Policy};
///
/// let slow = Policy::default().with_shutdown_grace(Duration::from_secs(300));
/// let assignment = Assignment::new("db.1", "postgres:18".to_owned());
/// let task = AssignedTask::new(assignment).with_policy(slow);
/// # assert!(task.policy.is_some());
/// ```
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct AssignedTask<D> {
    /// The task, and the state to bring it to.
    pub assignment: Assignment<D>,
    /// How patient to be with it, where not as with the others.
    pub policy: Option<Policy>,
    /// How far whoever assigns it knows it to be. It counts only where the store
    /// knows nothing of the task.
    pub status: Option<TaskStatus>,
}

impl<D> AssignedTask<D> {
    /// This task, with the policy of the others.
    pub fn new(assignment: Assignment<D>) -> Self {
        Self { assignment, policy: None, status: None }
    }

    /// The same with a policy of its own.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy: Some(policy), ..self }
    }

    /// The same to be brought to another state.
    #[must_use]
    pub fn with_desired_state(self, desired_state: TaskState) -> Self {
        Self { assignment: self.assignment.with_desired_state(desired_state), ..self }
    }

    /// The same with the status that whoever assigns it knows.
    #[must_use]
    pub fn with_status(self, status: TaskStatus) -> Self {
        Self { status: Some(status), ..self }
    }
}

impl<D> From<Assignment<D>> for AssignedTask<D> {
    fn from(assignment: Assignment<D>) -> Self {
        Self::new(assignment)
    }
}

/// What is wanted of a task as it is stored: to assign it again, changed in one thing.
impl<D> From<TaskRecord<D>> for AssignedTask<D> {
    fn from(record: TaskRecord<D>) -> Self {
        Self { assignment: record.assignment, policy: record.policy, status: None }
    }
}

/// One of several changes to the set of tasks.
///
/// In SwarmKit: `api.AssignmentChange`.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "most changes are updates")]
#[non_exhaustive]
pub enum AssignmentChange<D> {
    /// This task is assigned, or has changed.
    Update(AssignedTask<D>),
    /// The task of this id is no longer assigned.
    Remove(String),
}

/// Has a [driver](super::Driver) for every task that is assigned to the agent, and
/// keeps in a [store](Store) what must outlive it.
///
/// [`run`](Self::run) is what an embedder spawns; the [`WorkerHandle`] is how it
/// tells the worker what is assigned, and sees how far things are. The drivers
/// run where the [`Spawn`] puts them.
///
/// What is wanted of a task is durable before it is acted on, and a status before
/// it is reported; a task that is no longer assigned is forgotten when nothing is
/// left of it, and not before. `docs/worker.md` has the rules.
///
/// ```
/// use onward::agent::{MemoryStore, Surroundings, TokioSpawner, TokioTimer, Worker};
/// use onward::exec::SystemClock;
/// use onward::testing::{Script, ScriptedExecutor};
/// use onward::{Assignment, TaskState, TaskStatus};
/// use std::sync::mpsc::channel;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (tell, told) = channel();
/// let sink = move |_: &str, status: TaskStatus| _ = tell.send(status.state);
/// let surroundings = Surroundings::new(TokioTimer::new(), SystemClock, sink);
/// let spawner = TokioSpawner::new(tokio::runtime::Handle::current());
/// // One of your own, and a store that lasts.
/// let (executor, store) = (ScriptedExecutor::new(|_| Script::new()), MemoryStore::new());
///
/// let (mut worker, handle) = Worker::open(executor, store, spawner, surroundings).await?;
/// let agent = tokio::spawn(async move { worker.run().await });
/// handle.assign(vec![Assignment::new("web.1", ()).into()]).await?;
/// # while !handle.tasks()[0].snapshot.status.state.is_terminal() {
/// #     tokio::task::yield_now().await;
/// # }
///
/// handle.close();
/// agent.await?;
/// assert_eq!(told.try_iter().last(), Some(TaskState::Complete));
/// # Ok(())
/// # }
/// ```
///
/// In SwarmKit: `agent.Worker` (`agent/worker.go`).
pub struct Worker<E: Executor, S, T, W, P> {
    shared: Arc<Shared<E::Definition>>,
    store: S,
    spawner: P,
    env: life::Env<E, T, W>,
}

impl<E, S, T, W, P> Worker<E, S, T, W, P>
where
    E: Executor + Clone + 'static,
    S: Store<E::Definition>,
    T: Timer + Clone + Send + 'static,
    W: WallClock + Clone + 'static,
    P: Spawn,
{
    /// A worker with everything that is stored, and its handle. Nothing happens
    /// before it [runs](Self::run).
    ///
    /// The sink of these surroundings is the first listener, see
    /// [`WorkerHandle::listen`]; their policy is that of all tasks that have none of
    /// their own.
    ///
    /// # Errors
    ///
    /// The store could not be read.
    pub async fn open(
        executor: E,
        store: S,
        spawner: P,
        surroundings: Surroundings<T, W, impl StatusSink + 'static>,
    ) -> Result<(Self, WorkerHandle<E::Definition>), StoreError> {
        let Surroundings { timer, clock, sink, policy } = surroundings;
        let stored = store.load().await?;
        let shared = Arc::new(Shared::new(Book::new(stored, Arc::clone(&policy))));
        let handle = WorkerHandle::new(Arc::clone(&shared));
        let first: Arc<dyn StatusSink> = Arc::new(sink);
        shared.lock().listen(first);
        let env = life::Env { executor, timer, clock, policy };
        Ok((Self { shared, store, spawner, env }, handle))
    }

    /// Takes up every stored task where it was, and does what the handle is told,
    /// until the worker is [closed](WorkerHandle::close).
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing is lost; it can be called again and goes on. The drivers go
    /// on in any case. What was being written is written once more.
    pub async fn run(&mut self) {
        loop {
            let now = self.env.timer.now();
            let next = self.shared.lock().next(now);
            match next {
                Next::Act(acts) => self.act_all(acts),
                Next::Commit(changes) => {
                    let result = self.store.commit(&changes).await;
                    if let Err(error) = &result {
                        tracing::error!(%error, "store not written");
                    }
                    let now = self.env.timer.now();
                    let acts = self.shared.lock().committed(result, now);
                    self.act_all(acts);
                }
                Next::Wait(until) => self.wait(until).await,
                Next::Nothing => break,
            }
        }
        self.shared.changed();
    }

    /// Waits for news, or until a moment.
    async fn wait(&self, until: Option<Duration>) {
        let mut sleep = until.map(|until| Box::pin(self.env.timer.sleep_until(until)));
        poll_fn(|context| {
            self.shared.worker.register(context.waker());
            if self.shared.lock().has_news() {
                return Poll::Ready(());
            }
            sleep.as_mut().map_or(Poll::Pending, |sleep| sleep.as_mut().poll(context))
        })
        .await;
    }

    fn act_all(&self, acts: Vec<Act<E::Definition>>) {
        for act in acts {
            self.act(act);
        }
    }

    /// Does what follows from something that is durable now.
    fn act(&self, act: Act<E::Definition>) {
        match act {
            Act::Live(seat, status) => {
                self.spawn(life::live(self.env.clone(), Arc::clone(&self.shared), seat, status));
            }
            Act::Tell(seat) => seat.tell(),
            Act::Reconcile => {
                self.spawn(life::reconcile(self.env.executor.clone(), Arc::clone(&self.shared)));
            }
            Act::Report(sinks, id, status) => {
                sinks.iter().for_each(|(_, sink)| sink.changed(&id, status.clone()));
            }
            Act::Forget(sinks, id) => sinks.iter().for_each(|(_, sink)| sink.gone(&id)),
            // Whoever asked may have gone.
            Act::Answer(answer, told) => _ = answer.send(told),
            Act::Show => self.shared.changed(),
        }
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(future);
        if self.spawner.spawn_obj(FutureObj::new(future)).is_err() {
            tracing::error!("the runtime takes no more tasks");
        }
    }
}

impl<E: Executor, S, T, W, P> Drop for Worker<E, S, T, W, P> {
    /// Every driver is closed, and whoever waits for an answer is told that none will
    /// come.
    fn drop(&mut self) {
        let (seats, questions) = self.shared.lock().gone();
        drop(questions);
        for seat in seats {
            seat.tell();
        }
        self.shared.changed();
    }
}

impl<E: Executor, S, T, W, P> fmt::Debug for Worker<E, S, T, W, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").finish_non_exhaustive()
    }
}

/// The record of a task that is assigned.
impl<D> From<AssignedTask<D>> for TaskRecord<D> {
    fn from(task: AssignedTask<D>) -> Self {
        Self { policy: task.policy, ..Self::new(task.assignment) }
    }
}

/// What is wrong with the policy of a task, if anything is.
fn check_policy<D>(task: &AssignedTask<D>) -> Result<(), InvalidPolicy> {
    task.policy.as_ref().map_or(Ok(()), Policy::check)
}
