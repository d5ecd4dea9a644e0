//! Code of the embedder may use the handle from anywhere, and may panic when it is dropped. Each
//! test has a time limit, so that a deadlock fails it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "support/hands_out.rs"]
mod hands_out;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use hands_out::driver_of;
use onward::agent::driver::Watch;
use onward::agent::runtime::SpawnError;
use onward::agent::{Driver, DriverExit, DriverHandle, Policy, Runtime};
use onward::exec::{Assignment, Controller, ControllerError, SharedLogs};
use onward::lifecycle::{AnyTask, TaskState, TaskStatus};
use onward::testing::{
    Behavior, Call, Script, ScriptedController, ScriptedExecutor, VirtualPool, VirtualTime,
};
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

/// The time limit. It is far longer than a test takes.
const LIMIT: Duration = Duration::from_secs(20);

/// Runs a test on a thread of its own, and fails if it does not end in time.
#[track_caller]
fn in_time(what: &str, run: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(run));
        _ = done.send(result);
    });
    match ended.recv_timeout(LIMIT) {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => resume_unwind(panic),
        Err(late) => panic!("{what}: it has not ended within {LIMIT:?}: {late}"),
    }
}

fn assigned() -> AnyTask {
    AnyTask::resume(TaskStatus::new(TaskState::Assigned))
}

fn pool() -> VirtualPool {
    VirtualPool::new(VirtualTime::new(), 0)
}

/// The handle, for the code of the embedder.
type Place<D> = Arc<OnceLock<DriverHandle<D>>>;

fn look<D>(place: &OnceLock<DriverHandle<D>>) {
    if let Some(handle) = place.get() {
        _ = (handle.status(), handle.snapshot(), handle.logs());
    }
}

/// A controller whose calls all fail.
fn eventful() -> Script {
    let busy = || Behavior::fails(ControllerError::new("busy").temporary());
    let refuses = Behavior::fails(ControllerError::update_rejected("no"));
    Script::new()
        .with(Call::Controller, [busy(), Behavior::succeeds()])
        .with(Call::Prepare, [busy(), Behavior::succeeds()])
        .with(Call::Wait, [Behavior::hangs()])
        .with(Call::Update, [busy(), refuses])
        .with(Call::Shutdown, [Behavior::panics("out of cheese")])
        .with(Call::Terminate, [busy(), Behavior::succeeds().after(Duration::from_secs(90))])
        .with(Call::Remove, [busy(), Behavior::fails("stuck")])
        .with(Call::Close, [Behavior::fails("odd")])
        .with(Call::Inspect, [Behavior::fails("gone")])
}

/// Runs the task until it is removed.
fn live<D: Clone + PartialEq + Send + Sync + 'static>(
    pool: &VirtualPool,
    mut driver: Driver<ScriptedExecutor<D>>,
    wishes: [Assignment<D>; 2],
) {
    let handle = driver.handle();
    assert!(pool.run_until(driver.run()).is_none());
    for wish in wishes {
        handle.update(wish).unwrap();
        assert!(pool.run_until(driver.run()).is_none());
    }
    assert_eq!(handle.status().state, TaskState::Shutdown);
    handle.remove();
    let exit = pool.run_until(driver.run());
    assert_eq!(exit, Some(DriverExit::RemovalFailed { error: "stuck".into() }));
}

fn executor<D: Clone + PartialEq + Send + Sync + 'static>(
    pool: &VirtualPool,
) -> ScriptedExecutor<D> {
    ScriptedExecutor::new(|_: &Assignment<D>| eventful()).with_time(pool.time().clone())
}

fn wishes() -> [Assignment<u64>; 2] {
    let other = Assignment::new("t", 2);
    [other.clone(), other.with_desired_state(TaskState::Shutdown)]
}

/// A tracing subscriber that uses the handle for each event.
struct Subscriber(Place<u64>);

impl tracing::Subscriber for Subscriber {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        look(&self.0);
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        look(&self.0);
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn a_tracing_subscriber_may_look_at_the_handle() {
    in_time("subscriber", || {
        let place = Place::default();
        tracing::subscriber::with_default(Subscriber(place.clone()), || {
            let pool = pool();
            let runtime = Arc::new(pool.clone());
            let assignment = Assignment::new("t", 1);
            let driver = Driver::new(assigned(), assignment, executor(&pool), runtime);
            _ = place.set(driver.handle());
            _ = driver.handle().update(Assignment::new("other", 1)).unwrap_err();
            live(&pool, driver, wishes());
        });
    });
}

/// A runtime that uses the handle in each of its functions.
struct Looks(VirtualPool, Place<u64>);

impl Runtime for Looks {
    fn now(&self) -> Duration {
        look(&self.1);
        self.0.now()
    }
    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        look(&self.1);
        let (sleep, place) = (self.0.sleep_until(moment), self.1.clone());
        async move {
            let _looks = LooksWhenDropped(place);
            sleep.await;
        }
        .boxed()
    }
    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        self.0.spawn(future)
    }
    fn utc_now(&self) -> time::UtcDateTime {
        look(&self.1);
        self.0.utc_now()
    }
}

struct LooksWhenDropped(Place<u64>);

impl Drop for LooksWhenDropped {
    fn drop(&mut self) {
        look(&self.0);
    }
}

#[test]
fn a_runtime_and_its_clocks_may_look_at_the_handle() {
    in_time("runtime", || {
        let (pool, place) = (pool(), Place::default());
        let runtime = Arc::new(Looks(pool.clone(), place.clone()));
        let driver = Driver::new(assigned(), Assignment::new("t", 1), executor(&pool), runtime)
            .with_policy(Policy::default().with_update_deadline(Duration::from_secs(60)));
        _ = place.set(driver.handle());
        live(&pool, driver, wishes());
    });
}

#[test]
fn a_sink_may_look_at_the_handle() {
    in_time("sink", || {
        let (pool, place) = (pool(), Place::default());
        let looks = place.clone();
        let runtime = Arc::new(pool.clone());
        let driver = Driver::new(assigned(), Assignment::new("t", 1), executor(&pool), runtime)
            .with_sink(move |_: &str, _: TaskStatus| look(&looks));
        _ = place.set(driver.handle());
        live(&pool, driver, wishes());
    });
}

/// A definition that uses the handle when it is compared, cloned or dropped.
struct Nosy(u64, Arc<OnceLock<DriverHandle<Nosy>>>);

impl PartialEq for Nosy {
    fn eq(&self, other: &Self) -> bool {
        look(&self.1);
        self.0 == other.0
    }
}

impl Clone for Nosy {
    fn clone(&self) -> Self {
        look(&self.1);
        Self(self.0, self.1.clone())
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        look(&self.1);
    }
}

#[test]
fn a_definition_may_look_at_the_handle_when_it_is_compared_cloned_or_dropped() {
    in_time("definition", || {
        let (pool, place) = (pool(), Place::default());
        let runtime = Arc::new(pool.clone());
        let assignment = |number| Assignment::new("t", Nosy(number, place.clone()));
        let driver = Driver::new(assigned(), assignment(1), executor(&pool), runtime);
        _ = place.set(driver.handle());
        let last = assignment(3).with_desired_state(TaskState::Shutdown);
        live(&pool, driver, [assignment(2), last]);
    });
}

/// A waker that uses the handle when it is woken and when it is dropped.
struct LooksAsWaker(Place<u64>);

impl Wake for LooksAsWaker {
    fn wake(self: Arc<Self>) {
        look(&self.0);
    }
}

impl Drop for LooksAsWaker {
    fn drop(&mut self) {
        look(&self.0);
    }
}

#[test]
fn a_waker_may_look_at_the_handle_when_it_is_woken_and_when_it_is_dropped() {
    in_time("waker", || {
        let place = Place::default();
        let script = Script::new().with(Call::Wait, [Behavior::hangs()]);
        let controller = ScriptedController::new(script);
        let (mut driver, handle) =
            driver_of(assigned(), Assignment::new("t", 1), controller, pool());
        _ = place.set(handle.clone());
        let poll = |run: &mut BoxFuture<'_, DriverExit>| {
            let waker = Waker::from(Arc::new(LooksAsWaker(place.clone())));
            run.poll_unpin(&mut Context::from_waker(&waker)).is_pending()
        };
        let mut run = driver.run().boxed();
        // Each poll replaces a waker that only the driver has.
        assert!(poll(&mut run) && poll(&mut run));
        let mut watch = handle.watch();
        let waker = Waker::from(Arc::new(LooksAsWaker(place.clone())));
        assert!(watch.poll_next_unpin(&mut Context::from_waker(&waker)).is_ready());
        assert!(watch.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        assert!(watch.poll_next_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
        handle.update(Assignment::new("t", 2)).unwrap();
        assert!(poll(&mut run));
        handle.close();
        assert!(!poll(&mut run));
    });
}

#[test]
fn a_watch_may_be_dropped_by_the_waker_of_another_watch() {
    /// The task of a simple executor. Its last waker drops it.
    struct Holds(#[expect(dead_code, reason = "it is only dropped")] Mutex<Watch<u64, TaskStatus>>);
    impl Wake for Holds {
        fn wake(self: Arc<Self>) {}
    }
    in_time("watch", || {
        let controller = ScriptedController::new(Script::new());
        let (_driver, handle) = driver_of(assigned(), Assignment::new("t", 1), controller, pool());
        let mut shared = handle.watch();
        let waker = Waker::from(Arc::new(Holds(Mutex::new(handle.watch()))));
        let mut context = Context::from_waker(&waker);
        assert!(shared.poll_next_unpin(&mut context).is_ready());
        assert!(shared.poll_next_unpin(&mut context).is_pending());
        // Now only the waker that is registered in `shared` keeps the other watch alive.
        drop(waker);
        drop(shared);
    });
}

/// A controller that panics in its drop, or in a call outside of a poll.
struct Explosive {
    calls: Arc<Mutex<Vec<&'static str>>>,
    /// Which of these panic: the drop of `wait`, the drop of the controller, `logs`.
    wait: bool,
    controller: bool,
    logs: bool,
}

/// Panics without the hook, which would print a backtrace.
fn explode() {
    if !thread::panicking() {
        resume_unwind(Box::new("bomb"));
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        explode();
    }
}

impl Drop for Explosive {
    fn drop(&mut self) {
        if self.controller {
            explode();
        }
    }
}

impl Explosive {
    fn of(wait: bool, controller: bool, logs: bool) -> Self {
        Self { calls: Arc::default(), wait, controller, logs }
    }

    fn call(&self, name: &'static str) {
        self.calls.lock().unwrap().push(name);
    }
}

impl Controller for Explosive {
    type Definition = u64;

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.call("start");
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.call("wait");
        let _bomb = self.wait.then(|| Bomb);
        pending().await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.call("shutdown");
        Ok(())
    }
    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.call("terminate");
        Ok(())
    }
    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.call("remove");
        Ok(())
    }
    async fn close(&mut self) -> Result<(), ControllerError> {
        self.call("close");
        Ok(())
    }
    fn logs(&self) -> Option<SharedLogs> {
        if self.logs {
            explode();
        }
        None
    }
}

/// Runs a task with this controller, shuts it down, and removes it.
fn shut_down_and_remove(explosive: Explosive) -> (Vec<&'static str>, TaskStatus) {
    let (pool, calls) = (pool(), explosive.calls.clone());
    let (mut driver, handle) =
        driver_of(assigned(), Assignment::new("t", 1), explosive, pool.clone());
    let exit = Arc::new(Mutex::new(None));
    let ended = exit.clone();
    let run = async move { *ended.lock().unwrap() = Some(driver.run().await) };
    pool.spawn(run.boxed()).unwrap();
    pool.run();
    let down = Assignment::new("t", 1).with_desired_state(TaskState::Shutdown);
    handle.update(down).unwrap();
    pool.run();
    let status = handle.status();
    handle.remove();
    pool.run();
    assert_eq!(*exit.lock().unwrap(), Some(DriverExit::Removed));
    assert!(handle.snapshot().driver_has_ended);
    (calls.lock().unwrap().clone(), status)
}

#[test]
fn an_interrupted_operation_whose_drop_panics_fails_the_task_after_terminate() {
    let (calls, status) = shut_down_and_remove(Explosive::of(true, false, false));
    assert_eq!(calls, ["start", "wait", "terminate", "remove", "close"]);
    assert_eq!(status.state, TaskState::Failed);
    assert_eq!(status.err.as_deref(), Some("the controller panicked: bomb"));
}

#[test]
fn a_controller_whose_drop_panics_is_removed_all_the_same() {
    let (calls, status) = shut_down_and_remove(Explosive::of(false, true, false));
    assert_eq!(calls, ["start", "wait", "shutdown", "remove", "close"]);
    assert_eq!(status.state, TaskState::Shutdown);
}

#[test]
fn a_controller_whose_logs_panic_is_no_controller() {
    let pool = pool();
    for controller in [false, true] {
        let explosive = Explosive::of(false, controller, true);
        let (mut driver, handle) =
            driver_of(assigned(), Assignment::new("t", 1), explosive, pool.clone());
        assert!(pool.run_until(driver.run()).is_none());
        let status = handle.status();
        assert_eq!(status.state, TaskState::Rejected);
        assert_eq!(status.err.as_deref(), Some("the controller panicked: bomb"));
    }
}
