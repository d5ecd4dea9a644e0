//! Single tests of the driver's guarantees: polls, wakers, timers, threads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "support/hands_out.rs"]
mod hands_out;

use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use hands_out::{HandsOut, driver_of};
use onward::agent::driver::{DefinitionStatus, Watch};
use onward::agent::policy::{Backoff, BackoffError};
use onward::agent::runtime::SpawnError;
use onward::agent::{Driver, DriverHandle, Policy, Runtime, Snapshot};
use onward::exec::{Assignment, ControllerError};
use onward::lifecycle::{AnyTask, TaskState, TaskStatus};
use onward::testing::{
    Behavior, Call, Script, ScriptedController, Trace, VirtualPool, VirtualTime,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn pool(time: &VirtualTime) -> VirtualPool {
    VirtualPool::new(time.clone(), 0)
}

/// A policy with these delays between retries.
fn retries(initial: Duration, max: Duration, jitter: f64) -> Policy {
    let backoff = Backoff::new(initial, max).with_factor(1.0).unwrap();
    Policy::default().with_backoff(backoff.with_jitter(jitter).unwrap())
}

/// A controller: one operation hangs, another one returns a temporary error, and the others
/// succeed.
fn controller(hangs: Option<Call>, fails: Option<Call>) -> ScriptedController<u64> {
    let busy = ControllerError::new("busy").temporary();
    let said = |script: Script, (call, behavior)| match call {
        Some(call) => script.with(call, [behavior]),
        None => script,
    };
    let script = [(hangs, Behavior::hangs()), (fails, Behavior::fails(busy))];
    ScriptedController::new(script.into_iter().fold(Script::new(), said))
}

fn assigned() -> AnyTask {
    AnyTask::resume(TaskStatus::new(TaskState::Assigned))
}

/// The future of `run`, polled until it waits.
fn begun(
    controller: ScriptedController<u64>,
    desired: TaskState,
    waker: &Waker,
) -> (BoxFuture<'static, ()>, DriverHandle<u64>) {
    let assignment = Assignment::new("t", 1).with_desired_state(desired);
    let pool = pool(&VirtualTime::new());
    let (driver, handle) = driver_of(assigned(), assignment, controller, pool);
    let policy = Policy::default().with_prepare_deadline(Duration::from_secs(60));
    let mut driver = driver.with_policy(policy);
    let mut run = async move { _ = driver.run().await }.boxed();
    assert!(run.poll_unpin(&mut Context::from_waker(waker)).is_pending());
    (run, handle)
}

fn update(desired: TaskState, definition: u64) -> Assignment<u64> {
    Assignment::new("t", definition).with_desired_state(desired)
}

#[test]
fn a_shutdown_reaches_the_controller_within_one_poll() {
    let cases = [
        (Some(Call::Prepare), None, TaskState::Running),
        (None, Some(Call::Prepare), TaskState::Running),
        (Some(Call::Start), None, TaskState::Running),
        (None, Some(Call::Start), TaskState::Running),
        (Some(Call::Wait), None, TaskState::Running),
        (None, Some(Call::Wait), TaskState::Running),
        (Some(Call::Inspect), None, TaskState::Running),
        (None, None, TaskState::Ready),
        (None, None, TaskState::Accepted),
    ];
    for (hangs, fails, desired) in cases {
        let controller = controller(hangs, fails);
        let trace = controller.trace().clone();
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(wakes.clone());
        let (mut run, handle) = begun(controller, desired, &waker);
        let before = wakes.0.load(Ordering::Relaxed);
        handle.update(update(TaskState::Shutdown, 1)).unwrap();
        assert_eq!(wakes.0.load(Ordering::Relaxed), before + 1, "{hangs:?} {fails:?}: woken");
        _ = run.poll_unpin(&mut Context::from_waker(&waker));
        let calls = trace.calls();
        assert!(calls.contains(&Call::Shutdown), "{hangs:?} {fails:?}: {calls:?}");
    }
}

#[test]
fn ten_thousand_idle_tasks_set_no_timer_and_are_never_woken() {
    let time = VirtualTime::new();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let tasks: Vec<_> = (0..10_000)
        .map(|_| {
            let controller = controller(Some(Call::Wait), None);
            let trace = controller.trace().clone();
            let assignment = Assignment::new("t", 1);
            let (mut driver, handle) = driver_of(assigned(), assignment, controller, pool(&time));
            let mut run = async move { _ = driver.run().await }.boxed();
            assert!(run.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
            assert_eq!(trace.last_call(), Some(Call::Wait));
            (run, handle)
        })
        .collect();
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
    assert_eq!(time.next(), None);
    // An update that changes nothing does not wake the driver.
    for (_, handle) in &tasks {
        handle.update(update(TaskState::Running, 1)).unwrap();
    }
    assert_eq!(wakes.0.load(Ordering::Relaxed), 0);
}

/// A sleep until a time that has passed is ready at once, as with a real runtime.
#[derive(Clone)]
struct Prompt {
    pool: VirtualPool,
    asked: Arc<AtomicUsize>,
}

impl Runtime for Prompt {
    fn now(&self) -> Duration {
        self.pool.now()
    }
    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(asked < 100, "the driver spins");
        if moment > self.pool.now() {
            return self.pool.sleep_until(moment);
        }
        async {}.boxed()
    }
    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        self.pool.spawn(future)
    }
}

#[test]
fn a_deadline_that_has_passed_does_not_make_a_removal_spin() {
    let time = VirtualTime::new();
    let runtime = Prompt { pool: pool(&time), asked: Arc::default() };
    let policy = Policy::default().with_prepare_deadline(Duration::from_secs(1));
    let controller = controller(Some(Call::Prepare), Some(Call::Remove));
    let trace = controller.trace().clone();
    let (driver, handle) =
        driver_of(assigned(), Assignment::new("t", 1), controller, runtime.clone());
    let mut driver = driver.with_policy(policy);
    {
        let mut run = Box::pin(driver.run());
        _ = run.poll_unpin(&mut Context::from_waker(Waker::noop()));
    }
    handle.remove();
    time.advance_to(Duration::from_secs(2));
    let mut run = Box::pin(driver.run());
    assert!(run.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(trace.last_call(), Some(Call::Remove));
    assert_eq!(runtime.asked.load(Ordering::Relaxed), 2, "the deadline once, the retry once");
}

#[test]
fn jitter_spreads_the_delays_around_the_regular_one() {
    let delays: BTreeSet<Duration> = (0..100)
        .map(|number| {
            let backoff = Backoff::default().with_jitter(0.5).unwrap();
            let controller = controller(None, Some(Call::Prepare));
            let assignment = Assignment::new(format!("t{number}"), 1);
            let (driver, handle) =
                driver_of(assigned(), assignment, controller, pool(&VirtualTime::new()));
            let mut driver = driver.with_policy(Policy::default().with_backoff(backoff));
            let mut run = Box::pin(driver.run());
            _ = run.poll_unpin(&mut Context::from_waker(Waker::noop()));
            handle.snapshot().next_attempt.unwrap()
        })
        .collect();
    let (least, most) = (delays.first().unwrap(), delays.last().unwrap());
    assert!(delays.len() > 80, "{} of 100 differ", delays.len());
    assert!((500..600).contains(&least.as_millis()), "{least:?}");
    assert!((1_400..=1_500).contains(&most.as_millis()), "{most:?}");
}

#[test]
fn the_jitter_of_a_task_is_seeded_with_its_id() {
    // With this jitter a delay is the random number itself: its 53 bits, in milliseconds.
    let initial = Duration::from_millis(1 << 52);
    let time = VirtualTime::new();
    let controller = controller(None, Some(Call::Prepare));
    let (driver, handle) =
        driver_of(assigned(), Assignment::new("foobar", 1), controller, pool(&time));
    let mut driver = driver.with_policy(retries(initial, initial, 1.0));
    let mut run = Box::pin(driver.run());
    let chances = [(); 3].map(|()| {
        _ = run.poll_unpin(&mut Context::from_waker(Waker::noop()));
        let delay = handle.snapshot().next_attempt.unwrap().checked_sub(time.now()).unwrap();
        assert!(time.advance());
        delay.as_millis()
    });
    // SplitMix64, seeded with the FNV-1a hash of `foobar`, 0x85944171F73967E8.
    let expected = [0x5DF2_9541_3403_DE4F, 0x1D77_2220_5B43_8A63, 0xC0FE_ACD0_CC2C_9298];
    assert_eq!(chances, expected.map(|number: u128| number >> 11));
}

#[test]
fn a_new_policy_is_used_from_the_next_delay_on() {
    let every = |seconds| {
        let delay = Duration::from_secs(seconds);
        retries(delay, delay, 0.0)
    };
    let time = VirtualTime::new();
    let controller = controller(None, Some(Call::Prepare));
    let (driver, handle) = driver_of(assigned(), Assignment::new("t", 1), controller, pool(&time));
    let mut driver = driver.with_policy(every(1));
    let mut run = Box::pin(driver.run());
    let mut next_attempt = || {
        time.advance();
        _ = run.poll_unpin(&mut Context::from_waker(Waker::noop()));
        handle.snapshot().next_attempt.unwrap().as_secs()
    };
    assert_eq!(next_attempt(), 1);
    handle.set_policy(every(5));
    assert_eq!(next_attempt(), 1 + 5);
    assert_eq!(every(7).backoff.with_factor(0.5), Err(BackoffError::Factor(0.5)));
    assert_eq!(next_attempt(), 1 + 5 + 5);
}

/// The time limit. A driver that does not run within it was never woken.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes a request at many times around the one at which the driver begins to wait.
fn speak_while_it_falls_asleep(desired: TaskState) {
    for turn in 0..600_u32 {
        let controller = controller(Some(Call::Wait), None);
        let trace = controller.trace().clone();
        let asleep = Arc::new(AtomicBool::new(false));
        let ready = asleep.clone();
        let sink = move |_: &str, status: TaskStatus| {
            ready.fetch_or(status.state == TaskState::Ready, Ordering::Release);
        };
        let assignment = Assignment::new("t", 1).with_desired_state(desired);
        let (driver, handle) =
            driver_of(assigned(), assignment, controller, pool(&VirtualTime::new()));
        let mut driver = driver.with_sink(sink);
        let (done, ended) = mpsc::channel();
        let driving = thread::spawn(move || {
            block_on(driver.run());
            done.send(()).unwrap();
        });
        let (begun, mut spins) = (Instant::now(), 0);
        while !asleep.load(Ordering::Acquire) && trace.last_call() != Some(Call::Wait) {
            spins += 1;
            assert!(begun.elapsed() < PATIENCE, "the driver did not fall asleep");
            // Its thread may not run yet.
            if spins < 5_000 { std::hint::spin_loop() } else { thread::yield_now() }
        }
        for _ in 0..turn % 150 {
            std::hint::spin_loop();
        }
        handle.close();
        ended.recv_timeout(PATIENCE).expect("the driver was not woken");
        driving.join().unwrap();
    }
}

#[test]
fn a_driver_that_waits_gets_every_request_of_another_thread() {
    speak_while_it_falls_asleep(TaskState::Ready);
}

#[test]
fn a_driver_with_an_operation_in_flight_gets_every_request_of_another_thread() {
    speak_while_it_falls_asleep(TaskState::Running);
}

/// The future of `run`, polled until `wait` hangs, and the calls so far.
fn waiting(script: Script) -> (BoxFuture<'static, ()>, DriverHandle<u64>, Trace) {
    let controller = ScriptedController::new(script.with(Call::Wait, [Behavior::hangs()]));
    let trace = controller.trace().clone();
    let (run, handle) = begun(controller, TaskState::Running, Waker::noop());
    assert_eq!(trace.last_call(), Some(Call::Wait));
    (run, handle, trace)
}

fn look(run: &mut BoxFuture<'static, ()>) {
    assert!(run.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[test]
fn a_thousand_updates_do_not_block_and_the_last_one_counts() {
    let (mut run, handle, trace) = waiting(Script::new());
    trace.clear();
    for version in 2..=1001 {
        handle.update(update(TaskState::Running, version)).unwrap();
    }
    look(&mut run);
    assert_eq!(trace.calls(), [Call::Update, Call::Wait]);
    assert_eq!(handle.snapshot().definition, DefinitionStatus::Applied);
}

#[test]
fn an_update_that_changes_nothing_calls_nothing() {
    let (mut run, handle, trace) = waiting(Script::new());
    trace.clear();
    handle.update(update(TaskState::Running, 1)).unwrap();
    look(&mut run);
    assert_eq!(trace.calls(), []);
}

#[test]
fn no_operation_begins_before_a_definition_is_accepted_or_refused() {
    let busy = || Behavior::fails(ControllerError::new("busy").temporary());
    let (mut run, handle, trace) =
        waiting(Script::new().with(Call::Update, [busy(), busy(), Behavior::succeeds()]));
    trace.clear();
    handle.update(update(TaskState::Running, 2)).unwrap();
    look(&mut run);
    assert_eq!(trace.calls(), [Call::Update], "it is to be tried again first");
    assert!(handle.snapshot().next_attempt.is_some());
}

#[test]
fn a_delay_that_is_dropped_with_its_driver_leaves_no_timer_behind() {
    let time = VirtualTime::new();
    for _ in 0..50 {
        let controller = controller(None, Some(Call::Start));
        let (mut driver, _handle) =
            driver_of(assigned(), Assignment::new("t", 1), controller, pool(&time));
        let mut run = async move { _ = driver.run().await }.boxed();
        look(&mut run);
        assert!(time.next().is_some(), "it waits for its next attempt");
    }
    assert_eq!(time.next(), None);
}

#[test]
fn a_watch_ends_with_the_driver_and_not_while_it_closes() {
    let controller = controller(Some(Call::Wait), None);
    let (run, handle) = begun(controller, TaskState::Running, Waker::noop());
    let mut watch = handle.watch();
    assert_eq!(watch.next().now_or_never().flatten().unwrap().state, TaskState::Running);
    assert!(watch.next().now_or_never().is_none());
    drop(run);
    assert_eq!(watch.next().now_or_never(), Some(None));
    assert!(handle.update(update(TaskState::Shutdown, 1)).is_err());
}

#[test]
fn a_watch_that_is_dropped_leaves_no_waker_behind() {
    let controller = controller(Some(Call::Wait), None);
    let (_run, handle) = begun(controller, TaskState::Running, Waker::noop());
    let [kept, dropped] = [(); 2].map(|()| Arc::new(Wakes::default()));
    let wait_for_news = |wakes: &Arc<Wakes>| {
        let waker = Waker::from(wakes.clone());
        let mut watch = handle.watch();
        let mut context = Context::from_waker(&waker);
        assert!(watch.poll_next_unpin(&mut context).is_ready());
        assert!(watch.poll_next_unpin(&mut context).is_pending());
        watch
    };
    let _watch = wait_for_news(&kept);
    drop(wait_for_news(&dropped));
    assert_eq!([&kept, &dropped].map(Arc::strong_count), [2, 1]);
}

#[test]
fn a_driver_is_shown_by_the_id_of_its_task_and_so_are_its_handle_and_its_watches() {
    let pool = pool(&VirtualTime::new());
    let (driver, handle) =
        driver_of(assigned(), Assignment::new("t", 1), controller(None, None), pool);
    assert_eq!(handle.id(), "t");
    assert_eq!(format!("{driver:?}"), r#"Driver { id: "t", .. }"#);
    assert_eq!(format!("{handle:?}"), r#"DriverHandle { id: "t", .. }"#);
    assert_eq!(format!("{:?}", handle.watch()), r#"Watch { id: "t", .. }"#);
}

#[test]
fn drivers_and_handles_can_be_sent_to_other_threads() {
    fn both<T: Send + Sync>() {}
    fn sends<T: Send>(_: T) {}
    both::<DriverHandle<u64>>();
    both::<Snapshot>();
    both::<Watch<u64, TaskStatus>>();
    both::<Driver<HandsOut<ScriptedController<u64>>>>();
    let pool = pool(&VirtualTime::new());
    let (mut driver, _) =
        driver_of(assigned(), Assignment::new("t", 1), controller(None, None), pool);
    sends(driver.run());
}
