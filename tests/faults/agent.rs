//! An agent with that executor, in virtual time.

use super::world::World;
use futures::FutureExt;
use futures::future::{Either, select};
use onward::agent::store::{StoreChange, StoreError, StoredTask};
use onward::agent::worker::{AssignmentChange, RefusedTask, TaskView};
use onward::agent::{
    AssignError, AssignedTask, MemoryStore, Runtime, StatusSink, Store, Worker, WorkerHandle,
};
use onward::exec::Assignment;
use onward::lifecycle::{TaskState, TaskStatus};
use onward::testing::{Turn, VirtualPool};
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The limit for an answer that must come, in virtual time.
const LIMIT: u64 = 600_000;

pub(crate) struct Agent {
    pub(crate) pool: VirtualPool,
    pub(crate) handle: WorkerHandle<String>,
    /// The statuses that a listener has received. None for a removal.
    pub(crate) heard: Heard,
    has_ended: Arc<AtomicBool>,
}

impl Agent {
    pub(crate) fn start(world: &World, store: impl Store<String> + 'static) -> Self {
        Self::start_on(world, store, |pool| Arc::new(pool))
    }

    /// An agent on a runtime over the pool.
    pub(crate) fn start_on(
        world: &World,
        store: impl Store<String> + 'static,
        runtime: impl FnOnce(VirtualPool) -> Arc<dyn Runtime>,
    ) -> Self {
        let pool = VirtualPool::new(world.time().clone(), 1);
        let runtime = runtime(pool.clone());
        let heard = Heard::default();
        let opened = within(&pool, "the worker opens", Worker::open(world.clone(), store, runtime));
        let mut worker = opened.unwrap().with_sink(heard.clone());
        let handle = worker.handle();
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&has_ended);
        let run = async move {
            worker.run().await;
            ended.store(true, Ordering::Relaxed);
        };
        pool.spawn(run.boxed()).unwrap();
        Self { pool, handle, heard, has_ended }
    }

    /// Kills the agent, and starts another one with the same store.
    pub(crate) fn crash(self, world: &World, store: impl Store<String> + 'static) -> Self {
        self.pool.crash();
        world.mark("crash");
        Self::start(world, store)
    }

    /// Runs for this many milliseconds.
    pub(crate) fn run(&self, millis: u64) {
        let time = self.pool.time();
        let until = time.now() + Duration::from_millis(millis);
        self.pool.run_until(time.sleep_until(until, Turn::Timer)).expect("time goes on");
        self.pool.run_until(async {}).expect("what was woken at that moment runs");
    }

    /// Awaits a future for at most this many milliseconds.
    pub(crate) fn try_for<T>(&self, millis: u64, future: impl Future<Output = T>) -> Option<T> {
        try_within(&self.pool, millis, future)
    }

    /// Awaits a future that must become ready.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, future: impl Future<Output = T>) -> T {
        within(&self.pool, what, future)
    }

    /// The full set of tasks.
    #[track_caller]
    pub(crate) fn try_assign<const N: usize>(
        &self,
        tasks: [AssignedTask<String>; N],
    ) -> Result<Vec<RefusedTask>, AssignError> {
        self.wait("assign is answered", self.handle.assign(tasks))
    }

    /// The full set of tasks, which is accepted.
    #[track_caller]
    pub(crate) fn assign<const N: usize>(&self, tasks: [AssignedTask<String>; N]) {
        assert_eq!(self.try_assign(tasks).expect("the set is accepted"), []);
    }

    #[track_caller]
    pub(crate) fn try_update(
        &self,
        change: AssignmentChange<String>,
    ) -> Result<Vec<RefusedTask>, AssignError> {
        self.wait("update is answered", self.handle.update([change]))
    }

    #[track_caller]
    pub(crate) fn update(&self, change: AssignmentChange<String>) {
        assert_eq!(self.try_update(change).expect("the change is accepted"), []);
    }

    /// Runs until a condition holds.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, is: impl Fn() -> bool) {
        for _ in 0..10_000 {
            if is() {
                return;
            }
            self.run(10);
        }
        panic!("not within 100 s: {what}");
    }

    #[track_caller]
    pub(crate) fn view(&self, id: &str) -> TaskView<String> {
        let tasks = self.handle.tasks();
        tasks.into_iter().find(|task| task.id() == id).expect("the task is shown")
    }

    #[track_caller]
    pub(crate) fn status(&self, id: &str) -> TaskStatus {
        self.view(id).snapshot.status
    }

    #[track_caller]
    pub(crate) fn close(&self) {
        self.handle.close();
        self.until("run returns after close", || self.has_ended());
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }
}

/// Awaits a future for at most this many milliseconds of virtual time.
pub(crate) fn try_within<T>(
    pool: &VirtualPool,
    millis: u64,
    future: impl Future<Output = T>,
) -> Option<T> {
    let until = pool.time().now() + Duration::from_millis(millis);
    let limit = pool.time().sleep_until(until, Turn::Timer);
    pool.run_until(async {
        match select(pin!(future), limit).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    })
    .flatten()
}

#[track_caller]
pub(crate) fn within<T>(pool: &VirtualPool, what: &str, future: impl Future<Output = T>) -> T {
    let result = try_within(pool, LIMIT, future);
    result.unwrap_or_else(|| panic!("not within {LIMIT} ms: {what}"))
}

pub(crate) fn task(id: &str, definition: &str) -> AssignedTask<String> {
    Assignment::new(id, definition.to_owned()).into()
}

pub(crate) fn shut_down(id: &str, definition: &str) -> AssignedTask<String> {
    task(id, definition).with_desired_state(TaskState::Shutdown)
}

/// An id, and the state of its task, or none when the task was removed.
type Line = (String, Option<TaskState>);

/// The statuses that a listener has received.
#[derive(Clone, Default, Debug)]
pub(crate) struct Heard(Arc<Mutex<Vec<Line>>>);

impl Heard {
    pub(crate) fn all(&self) -> Vec<Line> {
        self.0.lock().unwrap().clone()
    }

    /// The states of one task, in their order.
    pub(crate) fn states(&self, id: &str) -> Vec<TaskState> {
        let all = self.all();
        all.into_iter().filter(|(of, _)| of == id).filter_map(|(_, state)| state).collect()
    }

    #[track_caller]
    pub(crate) fn assert_never_fell(&self, id: &str) {
        let states = self.states(id);
        assert!(states.is_sorted(), "the state of {id} fell: {states:?}");
    }
}

impl StatusSink for Heard {
    fn changed(&self, id: &str, status: TaskStatus) {
        self.0.lock().unwrap().push((id.to_owned(), Some(status.state)));
    }

    fn removed(&self, id: &str) {
        self.0.lock().unwrap().push((id.to_owned(), None));
    }
}

/// A store in memory whose commits take time.
#[derive(Clone)]
pub(crate) struct SlowStore {
    pub(crate) inner: MemoryStore<String>,
    pool: VirtualPool,
    delay: Arc<AtomicU64>,
    /// The number of commits that have returned.
    commits: Arc<AtomicU64>,
}

impl SlowStore {
    pub(crate) fn new(world: &World) -> Self {
        let pool = VirtualPool::new(world.time().clone(), 0);
        let (delay, commits) = (Arc::default(), Arc::default());
        Self { inner: MemoryStore::new(), pool, delay, commits }
    }

    /// Sets the duration of commits in milliseconds, also of one in progress.
    pub(crate) fn set_delay(&self, millis: u64) {
        self.delay.store(millis, Ordering::Relaxed);
    }

    pub(crate) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

impl Store<String> for SlowStore {
    async fn load(&self) -> Result<Vec<StoredTask<String>>, StoreError> {
        self.inner.load().await
    }

    async fn commit(&self, changes: &[StoreChange<String>]) -> Result<(), StoreError> {
        let begun = self.pool.now();
        while let now = self.pool.now()
            && now < begun + Duration::from_millis(self.delay.load(Ordering::Relaxed))
        {
            let next = now + Duration::from_millis(10);
            self.pool.time().sleep_until(next, Turn::Controller).await;
        }
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.inner.commit(changes).await
    }
}
