//! An agent in the simulated world. It can be restarted.

use super::world::{Runs, Script, Told, World};
use onward::agent::store::StoreError;
use onward::agent::worker::{AssignmentChange, RefusedTask, TaskView};
use onward::agent::{
    AssignError, AssignedTask, Policy, Runtime, StatusSink, Store, Worker, WorkerHandle,
};
use onward::exec::Assignment;
use onward::lifecycle::{TaskState, TaskStatus};
use onward::testing::VirtualPool;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) struct Agent {
    pub(crate) world: World,
    pub(crate) told: Told,
    pub(crate) pool: VirtualPool,
    pub(crate) handle: WorkerHandle<Script>,
    ended: Arc<AtomicBool>,
}

impl Agent {
    /// An agent in a new world.
    pub(crate) fn new() -> Self {
        Self::start(&World::new(), &Told::default(), 1)
    }

    /// Starts an agent in this world, with its store.
    pub(crate) fn start(world: &World, told: &Told, seed: u64) -> Self {
        Self::with_store(world, world.store.clone(), told, seed)
    }

    pub(crate) fn with_store(
        world: &World,
        store: impl Store<Script> + 'static,
        told: &Told,
        seed: u64,
    ) -> Self {
        let pool = VirtualPool::new(world.time.clone(), seed);
        let (mut worker, handle) = open(world, store, told, &pool).unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ended);
        let run = async move {
            worker.run().await;
            end.store(true, Ordering::Relaxed);
        };
        pool.spawn(Box::pin(run)).unwrap();
        Self { world: world.clone(), told: told.clone(), pool, handle, ended }
    }

    /// Whether the worker's run has returned.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(crate) fn assign(&self, tasks: Vec<AssignedTask<Script>>) {
        let refused = self.pool.run_until(self.handle.assign(tasks)).unwrap().unwrap();
        assert_eq!(refused, []);
    }

    /// Runs for this time.
    pub(crate) fn run(&self, millis: u64) {
        let until = self.world.time.now() + Duration::from_millis(millis);
        let sleep = self.world.time.sleep_until(until, onward::testing::Turn::Timer);
        self.pool.run_until(sleep).unwrap();
        // Everything that happens at that time.
        self.pool.run_until(futures::future::ready(())).unwrap();
    }

    pub(crate) fn try_assign(
        &self,
        tasks: Vec<AssignedTask<Script>>,
    ) -> Result<Vec<RefusedTask>, AssignError> {
        self.pool.run_until(self.handle.assign(tasks)).unwrap()
    }

    pub(crate) fn update(&self, changes: Vec<AssignmentChange<Script>>) {
        let refused = self.pool.run_until(self.handle.update(changes)).unwrap().unwrap();
        assert_eq!(refused, []);
    }

    pub(crate) fn view(&self, id: &str) -> TaskView<Script> {
        self.handle.tasks().into_iter().find(|task| task.record.id() == id).unwrap()
    }

    /// Kills the agent, and starts another one.
    pub(crate) fn restart(self) -> Self {
        self.pool.crash();
        Self::start(&self.world, &self.told, 2)
    }

    pub(crate) fn state(&self, id: &str) -> Option<TaskState> {
        let tasks = self.handle.tasks();
        let task = tasks.iter().find(|task| task.record.id() == id)?;
        Some(task.snapshot.status.state)
    }

    pub(crate) fn check(&self) {
        assert_eq!(self.world.lock().complaints, Vec::<String>::new());
    }
}

type Opened<S> = (Worker<Runs, S>, WorkerHandle<Script>);

/// A worker before its `run`.
pub(crate) fn open<S: Store<Script>>(
    world: &World,
    store: S,
    told: &Told,
    pool: &VirtualPool,
) -> Result<Opened<S>, StoreError> {
    open_on(world, store, told, pool, Arc::new(pool.clone()))
}

/// A worker on a runtime of its own, before its `run`.
pub(crate) fn open_on<S: Store<Script>>(
    world: &World,
    store: S,
    told: &Told,
    pool: &VirtualPool,
    runtime: Arc<dyn Runtime>,
) -> Result<Opened<S>, StoreError> {
    let reports = Reports { world: world.clone(), told: told.clone() };
    let policy = Policy::default().with_shutdown_grace(Duration::from_secs(5));
    let worker = pool.run_until(Worker::open(Runs(world.clone()), store, runtime)).unwrap()?;
    let worker = worker.with_policy(policy).with_sink(reports);
    let handle = worker.handle();
    Ok((worker, handle))
}

pub(crate) fn task(id: &str, script: Script) -> AssignedTask<Script> {
    Assignment::new(id, script).into()
}

pub(crate) fn stopped(id: &str, script: Script) -> AssignedTask<Script> {
    Assignment::new(id, script).with_desired_state(TaskState::Shutdown).into()
}

/// Reads the reports, and checks that they are stored.
struct Reports {
    world: World,
    told: Told,
}

impl StatusSink for Reports {
    fn changed(&self, id: &str, status: TaskStatus) {
        let stored = self.world.stored(id).and_then(|task| task.status);
        // The status of a task that was removed in the meantime need not be stored.
        if stored.as_ref().is_some_and(|stored| **stored != status) {
            let state = status.state;
            self.world.complain(format!("{id}: {state} reported, and {stored:?} is durable"));
        }
        if self.told.states(id).last().is_some_and(|before| *before > status.state) {
            self.world.complain(format!("{id}: the state fell to {}", status.state));
        }
        self.told.put(id, status);
    }

    fn removed(&self, id: &str) {
        self.told.forget(id);
    }
}
