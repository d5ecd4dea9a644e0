//! A simulated world of workloads that survives the agents, and the controllers for it.
//!
//! The agent can crash at every call, before and after the effect of the call.

use onward::agent::store::{StoreCall, StoreChange, StoreError, StoreFault, StoredTask};
use onward::agent::{MemoryStore, Store};
use onward::exec::{
    Assignment, Controller, ControllerError, ControllerLogs, Executor, Inspection, LogMessage,
    LogPublisher, LogSubscriptionOptions, SharedLogs,
};
use onward::lifecycle::{ContainerStatus, TaskState, TaskStatus};
use onward::testing::{Turn, VirtualTime};
use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

/// The definition of a task in this world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Script {
    /// The duration of `prepare`.
    pub(crate) prepare: Duration,
    /// How often `prepare` returns a temporary error.
    pub(crate) tries: u32,
    /// How long the workload runs, and its exit code. None: it runs forever.
    pub(crate) runs: Option<(Duration, i32)>,
    /// Whether `shutdown` ends the workload.
    pub(crate) obeys: bool,
    /// Whether the executor accepts the definition.
    pub(crate) known: bool,
    /// A property that `update` can change.
    pub(crate) label: u32,
}

impl Script {
    /// A workload that runs until it is shut down.
    pub(crate) fn service() -> Self {
        let prepare = Duration::from_millis(5);
        Self { prepare, tries: 0, runs: None, obeys: true, known: true, label: 0 }
    }

    /// A workload that runs for this many milliseconds, with this exit code.
    pub(crate) fn job(millis: u64, code: i32) -> Self {
        Self { runs: Some((Duration::from_millis(millis), code)), ..Self::service() }
    }
}

/// The workload of one task.
#[derive(Clone, Default, Debug)]
pub(crate) struct Workload {
    pub(crate) prepared: bool,
    pub(crate) tries: u32,
    /// When it was started, and how it ended.
    pub(crate) started: Option<Duration>,
    pub(crate) ended: Option<i32>,
    pub(crate) label: u32,
    /// The label before the last update. A crash may come before that update is durable.
    pub(crate) label_before: u32,
    /// Whether the agent crashed before the update was stored.
    pub(crate) is_torn: bool,
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) time: VirtualTime,
    pub(crate) store: MemoryStore<Script>,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) workloads: BTreeMap<String, Workload>,
    /// The calls, and their tasks.
    pub(crate) calls: Vec<(String, &'static str)>,
    pub(crate) complaints: Vec<String>,
    /// The number of possible crashes so far, the one at which the agent crashes, and whether it
    /// has.
    pub(crate) points: u32,
    pub(crate) crash_at: Option<u32>,
    pub(crate) crashed: bool,
    crash: Option<Waker>,
    pub(crate) in_flight: BTreeMap<String, &'static str>,
    pub(crate) trouble: Option<Trouble>,
    /// The number of calls of `Executor::controller`.
    pub(crate) controllers: u32,
}

/// The faults of this world. A test sets and clears them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// The executor returns temporary errors.
    ExecutorBusy,
    /// The executor refuses every task.
    ExecutorRefuses,
    ExecutorPanics,
    ExecutorHangs,
    /// Every update is refused.
    UpdateRefused,
    /// `remove` fails for good, with a temporary error, or with a panic.
    RemovalFails,
    RemovalDelayed,
    RemovalPanics,
    /// `reconcile` fails, or hangs.
    ReconcileFails(&'static str),
    ReconcileHangs,
    /// Logs cannot be read.
    LogsFail,
    /// Updates are refused.
    UpdateHangs,
}

impl World {
    pub(crate) fn new() -> Self {
        let (time, store) = (VirtualTime::new(), MemoryStore::new());
        Self { time, store, inner: Arc::default() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn trouble(&self) -> Option<Trouble> {
        self.lock().trouble
    }

    /// The calls of a task.
    pub(crate) fn calls(&self, id: &str) -> Vec<&'static str> {
        let inner = self.lock();
        inner.calls.iter().filter(|(of, _)| of == id).map(|(_, call)| *call).collect()
    }

    /// The stored data of a task.
    pub(crate) fn stored(&self, id: &str) -> Option<StoredTask<Script>> {
        self.store.get(id)
    }

    /// Lets the agent crash before and after every commit, and in the middle; and one
    /// of so many commits fail, written or not, as this seed says.
    pub(crate) fn crash_in_store(&self, failing: Option<(u64, u64)>) {
        let world = self.clone();
        let mut seed = failing.map_or(0, |(_, seed)| seed);
        self.store.set_faults(move |call| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if let Some((one_of, _)) = failing
                && (seed >> 33).is_multiple_of(one_of)
                && matches!(call, StoreCall::Commit(_))
            {
                let written = if seed >> 63 == 0 { 0 } else { usize::MAX };
                return Some(StoreFault::Fails { written });
            }
            let StoreCall::Commit(changes) = call else { return None };
            let mut written = [0, 1, usize::MAX].into_iter().filter(|written| match written {
                1 => changes.len() > 1,
                _ => true,
            });
            let written = written.find(|_| world.reach())?;
            Some(StoreFault::Hangs { written })
        });
    }

    /// Counts the commits with changes of a kind.
    pub(crate) fn count_commits(&self, what: fn(&StoreChange<Script>) -> bool) -> Arc<AtomicU32> {
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        self.store.set_faults(move |call| {
            if let StoreCall::Commit(changes) = call {
                counted.fetch_add(changes.iter().any(what).into(), Ordering::Relaxed);
            }
            None
        });
        count
    }

    pub(crate) fn complain(&self, what: String) {
        self.lock().complaints.push(what);
    }

    /// A point at which the agent can crash.
    pub(crate) async fn point(&self) {
        if self.reach() {
            pending::<()>().await;
        }
    }

    /// Whether the agent crashes here.
    pub(crate) fn reach(&self) -> bool {
        let mut inner = self.lock();
        inner.points += 1;
        inner.crashed |= inner.crash_at == Some(inner.points);
        if inner.crashed
            && let Some(waker) = inner.crash.take()
        {
            waker.wake();
        }
        inner.crashed
    }

    /// Ready when the agent has crashed.
    pub(crate) async fn crash(&self) {
        poll_fn(|context| {
            let mut inner = self.lock();
            inner.crash = Some(context.waker().clone());
            if inner.crashed { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// The controller of a workload is made with the definition that the workload has.
    fn check_definition(&self, assignment: &Assignment<Script>) {
        let Assignment { id, definition, .. } = assignment;
        let Some(workload) = self.lock().workloads.get(&**id).cloned() else { return };
        let possible = [workload.label, workload.label_before];
        if workload.prepared && (!definition.known || !possible.contains(&definition.label)) {
            self.complain(format!("{id}: controller made with {definition:?}: {workload:?}"));
        }
    }

    async fn sleep(&self, until: Duration) {
        if until > self.time.now() {
            self.time.sleep_until(until, Turn::Controller).await;
        }
    }
}

/// A store whose commits take some time, like those of a disk.
pub(crate) struct Slow(pub(crate) World);

impl Store<Script> for Slow {
    async fn load(&self) -> Result<Vec<StoredTask<Script>>, StoreError> {
        self.0.store.load().await
    }

    async fn commit(&self, changes: &[StoreChange<Script>]) -> Result<(), StoreError> {
        let written = self.0.time.now() + Duration::from_millis(5);
        self.0.time.sleep_until(written, Turn::Controller).await;
        self.0.store.commit(changes).await
    }
}

#[derive(Clone)]
pub(crate) struct Runs(pub(crate) World);

impl Executor for Runs {
    type Definition = Script;
    type Controller = Operator;

    async fn controller(
        &self,
        assignment: &Assignment<Script>,
    ) -> Result<Operator, ControllerError> {
        self.0.point().await;
        self.0.lock().controllers += 1;
        match self.0.trouble() {
            Some(Trouble::ExecutorBusy) => return Err(ControllerError::new("busy").temporary()),
            Some(Trouble::ExecutorRefuses) => return Err(ControllerError::new("no engine")),
            Some(Trouble::ExecutorPanics) => panic!("out of cheese"),
            Some(Trouble::ExecutorHangs) => pending().await,
            _ => {}
        }
        self.0.check_definition(assignment);
        if !assignment.definition.known {
            return Err(ControllerError::new("unknown kind of task"));
        }
        let Assignment { id, definition, .. } = assignment.clone();
        let id = id.to_string();
        Ok(Operator { world: self.0.clone(), id, script: definition, closed: false })
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        self.0.point().await;
        Ok(self.0.lock().workloads.keys().cloned().collect())
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        self.0.point().await;
        match self.0.trouble() {
            Some(Trouble::ReconcileFails(of)) if of == id => {
                return Err(ControllerError::new("it is stuck"));
            }
            Some(Trouble::ReconcileHangs) => {
                while self.0.trouble() == Some(Trouble::ReconcileHangs) {
                    self.0.sleep(self.0.time.now() + Duration::from_secs(1)).await;
                }
            }
            _ => {}
        }
        self.0.lock().workloads.remove(id);
        self.0.lock().calls.push((id.into(), "reconcile"));
        self.0.point().await;
        Ok(())
    }
}

pub(crate) struct Operator {
    world: World,
    id: String,
    script: Script,
    closed: bool,
}

/// Records the end of a call, when it is dropped.
struct Flight(World, String);

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.lock().in_flight.remove(&self.1);
    }
}

impl Operator {
    /// A call begins. Checks that the stored data allows it.
    async fn begin(&self, call: &'static str) -> Flight {
        use TaskState::{Assigned, Preparing, Running, Starting};
        let (world, id) = (&self.world, &self.id);
        if self.closed {
            world.complain(format!("{id}: {call} after close"));
        }
        let stored = world.stored(id);
        let Some(stored) = stored else {
            world.complain(format!("{id}: {call}, and nothing is stored of it"));
            return Flight(world.clone(), id.clone());
        };
        let state = stored.status.map_or(Assigned, |status| status.state);
        let desired = stored.record.assignment.desired_state;
        let allowed = match call {
            "prepare" => state <= Preparing,
            "start" => state <= Starting,
            "wait" => state <= Running,
            "shutdown" => !state.is_terminal() && desired >= TaskState::Shutdown,
            "terminate" => !state.is_terminal(),
            "update" => !state.is_terminal() && stored.record.assignment.definition.label > 0,
            "remove" => stored.record.removing,
            _ => true,
        };
        if !allowed {
            world.complain(format!("{id}: {call} in {state}, desired {desired}"));
        }
        {
            let mut inner = world.lock();
            inner.calls.push((id.clone(), call));
            if let Some(other) = inner.in_flight.insert(id.clone(), call) {
                let complaint = format!("{id}: {call} beside {other}");
                inner.complaints.push(complaint);
            }
        }
        let flight = Flight(world.clone(), id.clone());
        world.point().await;
        flight
    }

    fn change<R>(&self, change: impl FnOnce(&mut Workload) -> R) -> R {
        change(self.world.lock().workloads.entry(self.id.clone()).or_default())
    }

    fn workload(&self) -> Option<Workload> {
        self.world.lock().workloads.get(&self.id).cloned()
    }

    /// Ends the workload, with this code if it has not ended by itself.
    fn end(&self, code: i32) {
        let now = self.world.time.now();
        let runs = self.script.runs;
        if let Some(workload) = self.world.lock().workloads.get_mut(&self.id)
            && let Some(started) = workload.started
        {
            let by_itself = runs.filter(|(lasts, _)| started + *lasts <= now);
            workload.ended = workload.ended.or(Some(by_itself.map_or(code, |(_, code)| code)));
        }
    }
}

impl Controller for Operator {
    type Definition = Script;

    async fn update(&mut self, definition: &Script) -> Result<(), ControllerError> {
        let _flight = self.begin("update").await;
        let stored = self.world.stored(&self.id).map(|task| Arc::clone(&task.record.assignment));
        if stored.is_none_or(|stored| stored.definition != *definition) {
            self.world.complain(format!("{}: updated to what is not durable", self.id));
        }
        match self.world.trouble() {
            Some(Trouble::UpdateHangs) => pending().await,
            Some(Trouble::UpdateRefused) => {
                return Err(ControllerError::update_rejected("not that"));
            }
            _ => {}
        }
        if !definition.known {
            return Err(ControllerError::update_rejected("unknown kind of task"));
        }
        self.change(|workload| {
            // The same definition may be offered again after a crash.
            if workload.label != definition.label {
                workload.label_before = workload.label;
            }
            workload.label = definition.label;
            workload.is_torn = false;
        });
        self.script.label = definition.label;
        self.world.point().await;
        Ok(())
    }

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        let _flight = self.begin("prepare").await;
        self.change(|workload| workload.tries += 1);
        if self.change(|workload| workload.tries) <= self.script.tries {
            let tries = self.change(|workload| workload.tries);
            return Err(ControllerError::new(format!("not now, {tries}")).temporary());
        }
        let ready = self.world.time.now() + self.script.prepare;
        self.world.sleep(ready).await;
        let label = self.script.label;
        self.change(|workload| {
            workload.prepared = true;
            (workload.label, workload.label_before) = (label, label);
        });
        self.world.point().await;
        Ok(())
    }

    async fn start(&mut self) -> Result<(), ControllerError> {
        let _flight = self.begin("start").await;
        let now = self.world.time.now();
        if !self.workload().is_some_and(|workload| workload.prepared) {
            self.world.complain(format!("{}: started, and not prepared", self.id));
        }
        let before = self.change(|workload| {
            let before = workload.started;
            workload.started = before.or(Some(now));
            before
        });
        self.world.point().await;
        if before.is_some() { Err(ControllerError::already_started()) } else { Ok(()) }
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        let _flight = self.begin("wait").await;
        let workload = self.workload().unwrap_or_default();
        if let (None, Some(started), Some((lasts, code))) =
            (workload.ended, workload.started, self.script.runs)
        {
            self.world.sleep(started + lasts).await;
            self.end(code);
        }
        let Some(code) = self.workload().and_then(|workload| workload.ended) else {
            return pending().await;
        };
        self.world.point().await;
        if code == 0 { Ok(()) } else { Err(ControllerError::new("it failed").with_exit_code(code)) }
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        let _flight = self.begin("shutdown").await;
        if !self.script.obeys && self.workload().is_some_and(|workload| workload.started.is_some())
        {
            pending::<()>().await;
        }
        self.end(0);
        self.world.point().await;
        Ok(())
    }

    async fn terminate(&mut self) -> Result<(), ControllerError> {
        let _flight = self.begin("terminate").await;
        self.end(137);
        self.world.point().await;
        Ok(())
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        let _flight = self.begin("remove").await;
        let stuck = ControllerError::new("it is stuck");
        match self.world.trouble() {
            Some(Trouble::RemovalFails) => return Err(stuck),
            Some(Trouble::RemovalDelayed) => return Err(stuck.temporary()),
            Some(Trouble::RemovalPanics) => panic!("it is broken"),
            _ => {}
        }
        self.world.lock().workloads.remove(&self.id);
        self.world.point().await;
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ControllerError> {
        self.closed = true;
        self.world.sleep(self.world.time.now() + Duration::from_millis(10)).await;
        Ok(())
    }

    async fn inspect(&mut self) -> Inspection {
        let status =
            self.workload().filter(|workload| workload.started.is_some()).map(|workload| {
                let exit_code = workload.ended;
                let pid = exit_code.is_none().then_some(7);
                ContainerStatus { container_id: self.id.clone(), pid, exit_code }
            });
        status.map_or_else(Inspection::default, |status| {
            Inspection::default().with_container_status(status)
        })
    }

    fn logs(&self) -> Option<SharedLogs> {
        Some(SharedLogs::new(Says(self.world.clone(), self.id.clone())))
    }
}

/// A workload logs its name every 10 ms, three times.
struct Says(World, String);

impl ControllerLogs for Says {
    async fn logs<P: LogPublisher>(
        &self,
        mut publisher: P,
        options: LogSubscriptionOptions,
    ) -> Result<(), ControllerError> {
        if self.0.trouble() == Some(Trouble::LogsFail) {
            return Err(ControllerError::new("no log"));
        }
        for _ in 0..3 {
            publisher.publish(LogMessage::stdout(self.1.as_str())).await?;
            if options.follow {
                self.0.sleep(self.0.time.now() + Duration::from_millis(10)).await;
            }
        }
        Ok(())
    }
}

/// The statuses that the manager has received, across all crashes.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<BTreeMap<String, Vec<TaskStatus>>>>, Last);

/// The last status of each task, including removed ones.
type Last = Arc<Mutex<BTreeMap<String, TaskStatus>>>;

impl Told {
    pub(crate) fn all(&self) -> BTreeMap<String, Vec<TaskStatus>> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn states(&self, id: &str) -> Vec<TaskState> {
        let all = self.0.lock().unwrap();
        all.get(id).into_iter().flatten().map(|status| status.state).collect()
    }

    pub(crate) fn last(&self) -> BTreeMap<String, TaskStatus> {
        self.1.lock().unwrap().clone()
    }

    pub(crate) fn put(&self, id: &str, status: TaskStatus) {
        self.1.lock().unwrap().insert(id.into(), status.clone());
        self.0.lock().unwrap().entry(id.into()).or_default().push(status);
    }

    pub(crate) fn forget(&self, id: &str) {
        self.0.lock().unwrap().remove(id);
    }
}
