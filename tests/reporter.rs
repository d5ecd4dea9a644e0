//! Tests of the reporter: newest statuses, batches, order, retries, failures of the connection.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

use futures::FutureExt;
use onward::agent::policy::Backoff;
use onward::agent::reporter::{ReportError, StatusUpdate, TaskReportError};
use onward::agent::{Reporter, ReporterHandle, StatusReporter, StatusSink};
use onward::lifecycle::{TaskState, TaskStatus};
use onward::testing::{Delivery, Reply, ScriptedReporter, VirtualPool, VirtualTime};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::BTreeMap;
use std::error::Error;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// The reply to the statuses of this task in this call.
fn but(id: &str, taken: Delivery) -> Reply {
    Reply::ArrivesExcept(vec![(id.into(), taken)])
}

fn after(millis: u64) -> Reply {
    Reply::ArrivesAfter(Duration::from_millis(millis))
}

/// The statuses that have arrived since the last call.
fn arrived(upstream: &ScriptedReporter) -> Vec<String> {
    let arrived = upstream.take_arrived().into_iter();
    arrived.map(|update| format!("{} {}", update.id, update.status.state)).collect()
}

/// The reports since the last call: their times and tasks.
fn calls(upstream: &ScriptedReporter) -> Vec<String> {
    let calls = upstream.take_calls().into_iter();
    calls
        .map(|(at, updates)| {
            let ids: String = updates.iter().map(|update| &*update.id).collect();
            format!("{} {ids}", at.as_millis())
        })
        .collect()
}

struct World {
    time: VirtualTime,
    upstream: ScriptedReporter,
    handle: ReporterHandle,
    reporter: Reporter<ScriptedReporter>,
}

impl World {
    fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let time = VirtualTime::new();
        let upstream = ScriptedReporter::new(time.clone());
        upstream.reply(replies);
        let reporter = Reporter::new(upstream.clone(), runtime(&time)).with_backoff(backoff());
        Self { handle: reporter.handle(), time, upstream, reporter }
    }

    fn put(&self, id: &str, state: TaskState) {
        self.handle.changed(id, TaskStatus::new(state));
    }

    /// Runs the reporter until it waits for more than `until`; then drops the run.
    fn run_until(&mut self, until: Duration) {
        let Self { time, reporter, .. } = self;
        let mut run = pin!(reporter.run());
        drive(time, run.as_mut(), until);
    }

    fn run(&mut self) {
        self.run_until(Duration::from_secs(3600));
    }
}

/// Virtual time as a runtime.
fn runtime(time: &VirtualTime) -> Arc<VirtualPool> {
    Arc::new(VirtualPool::new(time.clone(), 1))
}

/// The default back-off without jitter.
fn backoff() -> Backoff {
    Backoff::default().with_jitter(0.0).unwrap()
}

/// Polls a future and advances the time, until it is ready or the limit is reached.
fn drive<F: Future>(
    time: &VirtualTime,
    mut future: Pin<&mut F>,
    until: Duration,
) -> Option<F::Output> {
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.poll_unpin(&mut context) {
            return Some(output);
        }
        if time.next().is_none_or(|(at, _)| at > until) {
            return None;
        }
        time.advance();
    }
}

const RUNNING: TaskState = TaskState::Running;
const READY: TaskState = TaskState::Ready;

#[test]
fn only_the_newest_status_is_delivered_and_all_in_one_call() {
    let mut world = World::new([]);
    for state in [TaskState::Accepted, READY, RUNNING] {
        world.put("a", state);
    }
    world.put("b", READY);
    assert_eq!(world.handle.pending(), 2);
    world.run();
    assert_eq!(arrived(&world.upstream), ["a running", "b ready"]);
    assert_eq!(calls(&world.upstream), ["0 ab"]);
    assert_eq!(world.handle.pending(), 0);
}

#[test]
fn a_lower_state_is_dropped_before_and_after_a_higher_one_was_sent() {
    let mut world = World::new([]);
    world.put("a", RUNNING);
    world.put("a", READY);
    world.run();
    world.put("a", READY);
    world.run();
    assert_eq!(arrived(&world.upstream), ["a running"]);
    // The same state can have another message.
    world.put("a", RUNNING);
    world.put("a", TaskState::Failed);
    world.run();
    assert_eq!(arrived(&world.upstream), ["a failed"]);
}

#[test]
fn a_lower_state_is_dropped_if_a_higher_one_may_have_arrived() {
    let mut world = World::new([after(100)]);
    world.put("a", RUNNING);
    world.run_until(Duration::from_millis(50));
    world.put("a", READY);
    world.run();
    assert_eq!(arrived(&world.upstream), ["a running"]);
}

#[test]
fn the_same_state_is_delivered_again_if_the_status_differs() {
    let mut world = World::new([]);
    let mut status = TaskStatus::new(RUNNING);
    world.handle.changed("a", status.clone());
    world.run();
    status.err = Some("busy".into());
    world.handle.changed("a", status);
    world.run();
    assert_eq!(arrived(&world.upstream), ["a running", "a running"]);
}

#[test]
fn a_status_that_comes_again_during_its_delivery_is_delivered_once() {
    let World { time, upstream, handle, mut reporter } = World::new([after(100)]);
    handle.changed("a", TaskStatus::new(READY));
    let mut run = pin!(reporter.run());
    drive(&time, run.as_mut(), Duration::from_millis(50));
    handle.changed("a", TaskStatus::new(READY));
    drive(&time, run.as_mut(), Duration::from_secs(1));
    assert_eq!(arrived(&upstream), ["a ready"]);
}

#[test]
fn a_failed_delivery_is_retried_after_growing_delays() {
    let mut world = World::new([Reply::Unreachable, Reply::Unreachable, Reply::Unreachable]);
    world.put("a", READY);
    world.run_until(Duration::from_millis(1500));
    // A new status does not end the back-off of an unreachable manager.
    world.put("b", RUNNING);
    world.run();
    assert_eq!(calls(&world.upstream), ["0 a", "1000 a", "3000 ab", "7000 ab"]);
    assert_eq!(arrived(&world.upstream), ["a ready", "b running"]);
}

#[test]
fn a_task_that_the_manager_does_not_know_counts_as_delivered() {
    let mut world = World::new([but("b", Delivery::UnknownTask)]);
    world.put("a", READY);
    world.put("b", READY);
    world.run();
    assert_eq!((calls(&world.upstream).len(), world.handle.pending()), (1, 0));
    assert_eq!(arrived(&world.upstream), ["a ready"]);
}

#[test]
fn a_refused_status_is_retried_and_delays_no_other() {
    let mut world = World::new([but("b", Delivery::Refused), but("b", Delivery::Refused)]);
    for id in ["a", "b", "c"] {
        world.put(id, READY);
    }
    world.run();
    assert_eq!(calls(&world.upstream), ["0 abc", "1000 b", "3000 b"]);
    assert_eq!(arrived(&world.upstream), ["a ready", "c ready", "b ready"]);
}

#[test]
fn a_status_that_makes_the_manager_refuse_every_call_is_found_and_delays_no_other() {
    let mut world = World::new([]);
    world.upstream.set_delivery("c", Delivery::FailsCall);
    for id in ["a", "b", "c", "d", "e"] {
        world.put(id, READY);
    }
    world.run_until(Duration::ZERO);
    assert_eq!(calls(&world.upstream), ["0 abcde", "0 ab", "0 cde", "0 c", "0 de"]);
    assert_eq!(arrived(&world.upstream), ["a ready", "b ready", "d ready", "e ready"]);
    assert_eq!(world.handle.pending(), 1);
    world.put("f", READY);
    world.run_until(Duration::from_secs(1));
    assert_eq!(calls(&world.upstream), ["0 f", "1000 c"]);
    // The last status of a removed task is retried once, and then dropped.
    world.handle.removed("c");
    assert_eq!(world.handle.pending(), 1);
    world.run_until(Duration::from_secs(9));
    assert_eq!(calls(&world.upstream), ["3000 c"]);
    assert_eq!(world.handle.pending(), 0);
}

#[test]
fn the_last_status_of_a_removed_task_arrives_and_the_next_task_of_its_id_may_have_any_state() {
    let mut world = World::new([Reply::Unreachable]);
    world.put("a", TaskState::Shutdown);
    world.handle.removed("a");
    world.run();
    assert_eq!(arrived(&world.upstream), ["a shutdown"]);
    world.put("a", READY);
    world.run();
    assert_eq!(arrived(&world.upstream), ["a ready"]);
    // A status that was not delivered is replaced by that of the next task.
    world.put("a", TaskState::Shutdown);
    world.handle.removed("a");
    world.put("a", READY);
    world.run();
    assert_eq!(arrived(&world.upstream), ["a ready"]);
}

#[test]
fn the_refusals_of_a_removed_task_do_not_delay_the_next_task_of_its_id() {
    let mut world = World::new([(); 3].map(|()| but("a", Delivery::Refused)));
    world.put("a", TaskState::Shutdown);
    world.run_until(Duration::ZERO);
    world.handle.removed("a");
    world.run_until(Duration::from_secs(1));
    world.put("a", READY);
    world.run();
    // This is its first failure, so it is retried after the shortest delay.
    assert_eq!(calls(&world.upstream), ["0 a", "1000 a", "1000 a", "2000 a"]);
    assert_eq!(arrived(&world.upstream), ["a ready"]);
}

#[test]
fn a_status_that_comes_during_a_call_is_delivered_after_it() {
    let World { time, upstream, handle, mut reporter } = World::new([after(100)]);
    handle.changed("a", TaskStatus::new(READY));
    let mut run = pin!(reporter.run());
    drive(&time, run.as_mut(), Duration::from_millis(50));
    handle.changed("a", TaskStatus::new(RUNNING));
    drive(&time, run.as_mut(), Duration::from_secs(1));
    assert_eq!(arrived(&upstream), ["a ready", "a running"]);
}

#[test]
fn the_error_of_one_status_names_the_reason_and_has_its_cause_as_the_source() {
    #[derive(Debug, thiserror::Error)]
    #[error("busy")]
    struct Busy(#[source] std::io::Error);
    let reason = Busy(std::io::Error::other("no quorum"));
    let error: Box<dyn Error> = Box::new(TaskReportError::Refused(reason.into()));
    assert_eq!(error.to_string(), "the status was refused: busy");
    assert_eq!(error.source().unwrap().to_string(), "no quorum");
    let unknown: Box<dyn Error> = Box::new(TaskReportError::UnknownTask);
    assert_eq!(unknown.to_string(), "the manager does not know the task");
    assert!(unknown.source().is_none());
}

#[test]
fn a_flush_delivers_every_status_or_returns_it() {
    let World { time, upstream, handle, mut reporter } = World::new([Reply::Unreachable]);
    handle.changed("a", TaskStatus::new(READY));
    let flushed = drive(&time, pin!(reporter.flush(Duration::from_secs(5))), Duration::MAX);
    assert_eq!(flushed, Some(Ok(())));
    assert_eq!(arrived(&upstream), ["a ready"]);

    let World { time, handle, mut reporter, .. } = World::new(vec![Reply::Unreachable; 9]);
    handle.changed("a", TaskStatus::new(READY));
    let flushed = drive(&time, pin!(reporter.flush(Duration::from_secs(5))), Duration::MAX);
    let left = flushed.unwrap().unwrap_err();
    assert_eq!((&*left[0].id, left[0].status.state, left.len()), ("a", READY, 1));
    assert_eq!(time.now(), Duration::from_secs(5));
    // It was returned, and is still in the queue.
    assert_eq!(handle.pending(), 1);
}

#[test]
fn a_flush_makes_one_attempt_for_every_status_during_any_back_off() {
    let replies = [but("b", Delivery::Refused), Reply::Unreachable, Reply::Unreachable];
    let mut world = World::new(replies);
    world.put("a", READY);
    world.put("b", READY);
    world.run_until(Duration::ZERO);
    world.put("c", READY);
    world.run_until(Duration::from_millis(1));
    assert_eq!(calls(&world.upstream), ["0 ab", "0 c"]);
    // Nothing is due before the end of a second, and the flush ends at once.
    let World { time, upstream, mut reporter, .. } = world;
    let flushed = drive(&time, pin!(reporter.flush(time.now())), Duration::MAX);
    let left: Vec<_> = flushed.unwrap().unwrap_err().into_iter().map(|left| left.id).collect();
    assert_eq!(calls(&upstream), ["0 cb"]);
    assert_eq!(left, ["c".into(), "b".into()]);
    let flushed = drive(&time, pin!(reporter.flush(time.now())), Duration::MAX);
    assert_eq!((flushed, calls(&upstream)), (Some(Ok(())), vec!["0 cb".to_owned()]));
}

/// A reporter with 2,500 statuses, in back-off. Calls `flush` with these replies. Returns the time
/// at which it returned, the number of statuses in each call, and the number that has not arrived.
fn flush_of_2500(
    replies: impl IntoIterator<Item = Reply>,
    until: Duration,
) -> (Duration, Vec<usize>, usize) {
    let mut world = World::new([Reply::Unreachable]);
    for index in 0..2500 {
        world.put(&format!("t{index:04}"), READY);
    }
    world.run_until(Duration::ZERO);
    assert_eq!(world.upstream.take_calls().len(), 1);
    let World { time, upstream, mut reporter, .. } = world;
    upstream.reply(replies);
    let flushed = drive(&time, pin!(reporter.flush(until)), Duration::MAX).unwrap();
    let calls = upstream.take_calls().iter().map(|(_, updates)| updates.len()).collect();
    (time.now(), calls, flushed.err().map_or(0, |left| left.len()))
}

#[test]
fn a_flush_tries_every_status_even_if_the_first_batch_fails() {
    let flushed = flush_of_2500([Reply::Unreachable], Duration::ZERO);
    assert_eq!(flushed, (Duration::ZERO, vec![1000, 1000, 500], 1000));
    let flushed = flush_of_2500(vec![Reply::Unreachable; 3], Duration::ZERO);
    assert_eq!(flushed, (Duration::ZERO, vec![1000, 1000, 500], 2500));
}

#[test]
fn a_flush_tries_every_status_even_if_the_first_call_hangs() {
    let until = Duration::from_millis(500);
    let flushed = flush_of_2500([after(3_600_000)], until);
    assert_eq!(flushed, (until, vec![1000, 1000, 500], 1000));
    // Each call hangs. Each is tried once, and `flush` still returns in time.
    let flushed = flush_of_2500(vec![after(3_600_000); 3], until);
    assert_eq!(flushed, (until, vec![1000, 1000, 500], 2500));
}

#[test]
fn a_flush_retries_failed_statuses_if_there_is_time() {
    let (end, calls, left) = flush_of_2500([Reply::Unreachable], Duration::from_secs(60));
    assert_eq!((calls, left), (vec![1000, 1000, 500, 1000], 0));
    assert!(end <= Duration::from_secs(2), "the back-off is that of one failure, not {end:?}");
}

#[test]
fn after_a_success_the_next_failure_of_the_connection_waits_the_shortest_delay() {
    let failing = [Reply::Unreachable, Reply::Unreachable];
    let mut world = World::new(failing.into_iter().chain([Reply::Arrives, Reply::Unreachable]));
    world.put("a", READY);
    world.run();
    assert_eq!(calls(&world.upstream), ["0 a", "1000 a", "3000 a"]);
    world.put("a", RUNNING);
    world.run();
    assert_eq!(calls(&world.upstream), ["3000 a", "4000 a"]);
}

#[test]
fn after_a_success_the_next_failure_of_a_task_waits_the_shortest_delay() {
    let refused = || but("a", Delivery::Refused);
    let mut world = World::new([refused(), refused(), Reply::Arrives, refused()]);
    world.put("a", READY);
    world.run();
    assert_eq!(calls(&world.upstream), ["0 a", "1000 a", "3000 a"]);
    world.put("a", RUNNING);
    world.run();
    assert_eq!(calls(&world.upstream), ["3000 a", "4000 a"]);
}

#[test]
fn the_sent_state_of_a_removed_task_does_not_count_for_the_next_task_of_its_id() {
    let mut world = World::new([Reply::Unreachable]);
    world.put("a", TaskState::Shutdown);
    world.run_until(Duration::ZERO);
    world.handle.removed("a");
    for state in [READY, RUNNING] {
        world.put("a", state);
        world.run();
    }
    assert_eq!(arrived(&world.upstream), ["a ready", "a running"]);
}

/// A connection that puts a newer status into the queue for each one that it delivers.
struct Busy {
    handle: Arc<OnceLock<ReporterHandle>>,
    taken: Arc<Mutex<Vec<String>>>,
}

impl StatusReporter for Busy {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        let calls = {
            let mut taken = self.taken.lock().unwrap();
            taken.extend(updates.iter().map(|update| update.id.to_string()));
            taken.len() / 1000
        };
        // Otherwise it would continue forever.
        if calls < 50 {
            for update in updates.iter().filter(|update| update.id.starts_with("busy")) {
                let mut status = update.status.clone();
                status.message = format!("call {calls}").into();
                self.handle.get().unwrap().changed(&update.id, status);
            }
        }
        Ok(())
    }
}

#[test]
fn a_thousand_busy_tasks_do_not_starve_another() {
    let (time, taken) = (VirtualTime::new(), Arc::new(Mutex::new(Vec::new())));
    let handle = Arc::new(OnceLock::new());
    let upstream = Busy { handle: Arc::clone(&handle), taken: Arc::clone(&taken) };
    let mut reporter = Reporter::new(upstream, runtime(&time));
    let handle = handle.get_or_init(|| reporter.handle());
    for task in 0..1000 {
        handle.changed(&format!("busy {task}"), TaskStatus::new(RUNNING));
    }
    handle.changed("quiet", TaskStatus::new(RUNNING));
    drive(&time, pin!(reporter.run()), Duration::MAX);
    let place = taken.lock().unwrap().iter().position(|id| id == "quiet");
    assert_eq!(place, Some(1000), "it is the first of the second call");
}

/// A connection that panics a number of times.
struct Panics(u32, Arc<Mutex<Vec<String>>>);

impl StatusReporter for Panics {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        if let Some(left) = self.0.checked_sub(1) {
            self.0 = left;
            panic!("no such host");
        }
        self.1.lock().unwrap().extend(updates.iter().map(|update| update.id.to_string()));
        Ok(())
    }
}

#[test]
fn a_panic_of_the_upstream_counts_as_a_failure_of_the_connection() {
    let (time, taken) = (VirtualTime::new(), Arc::new(Mutex::new(Vec::new())));
    let upstream = Panics(2, Arc::clone(&taken));
    let mut reporter = Reporter::new(upstream, runtime(&time)).with_backoff(backoff());
    let handle = reporter.handle();
    handle.changed("a", TaskStatus::new(READY));
    let flush = reporter.flush(Duration::from_secs(60));
    assert_eq!(drive(&time, pin!(flush), Duration::MAX), Some(Ok(())));
    assert_eq!((time.now(), handle.pending()), (Duration::from_secs(3), 0));
    assert_eq!(*taken.lock().unwrap(), ["a"]);
}

/// A subscriber that reads the number of pending statuses at each event.
struct Asks(Arc<OnceLock<ReporterHandle>>, Arc<AtomicUsize>);

impl Subscriber for Asks {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        // It would deadlock if the lock were held.
        let pending = self.0.get().unwrap().pending();
        self.1.fetch_add(pending, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn nothing_is_logged_under_the_lock() {
    let (handle, seen) = (Arc::new(OnceLock::new()), Arc::new(AtomicUsize::new(0)));
    let mut world = World::new([Reply::Unreachable, but("a", Delivery::Refused)]);
    handle.get_or_init(|| world.handle.clone());
    let subscriber = Asks(handle, Arc::clone(&seen));
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        tracing::subscriber::with_default(subscriber, || {
            world.put("a", READY);
            world.run();
        });
        _ = done.send(());
    });
    let limit = Duration::from_secs(10);
    finished.recv_timeout(limit).expect("the subscriber waits for a lock of the reporter");
    // It got both failures, and the status was pending each time.
    assert_eq!(seen.load(Ordering::Relaxed), 2);
}

#[test]
fn the_text_of_a_report_error_names_the_cause() {
    let refused = || TaskReportError::Refused("busy".into());
    for (error, text) in [
        (ReportError::Unreachable("cut".into()), "statuses did not arrive: cut"),
        (ReportError::Refused("not yours".into()), "statuses were refused: not yours"),
        (ReportError::Tasks(vec![(0, refused()), (2, refused())]), "2 statuses were refused"),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn more_statuses_than_fit_into_one_call_are_sent_in_several() {
    let mut world = World::new([]);
    for task in 0..2500 {
        world.put(&format!("t{task}"), READY);
    }
    world.run();
    let calls = world.upstream.take_calls();
    assert_eq!(calls.iter().map(|(_, ids)| ids.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
}

fn reply() -> impl Strategy<Value = Reply> {
    let id = || select(vec!["a", "b", "c"]);
    prop_oneof![
        Just(Reply::Arrives),
        Just(Reply::Unreachable),
        id().prop_map(|id| but(id, Delivery::UnknownTask)),
        id().prop_map(|id| but(id, Delivery::Refused)),
        (1_u64..3000).prop_map(after),
    ]
}

proptest! {
    #[test]
    fn whatever_the_connection_does_states_never_fall_and_the_last_one_arrives(
        replies in vec(reply(), 0..20),
        script in vec((select(vec!["a", "b", "c"]), select(TaskState::ALL.as_slice()), 0_u64..4000), 1..40),
    ) {
        let unknown = |reply: &Reply| {
            let unknown = |(_, taken): &_| *taken == Delivery::UnknownTask;
            matches!(reply, Reply::ArrivesExcept(those) if those.iter().any(unknown))
        };
        let unknown = replies.iter().any(unknown);
        let mut world = World::new(replies);
        let mut highest = BTreeMap::new();
        let mut now = 0;
        for (id, state, pause) in script {
            world.put(id, state);
            let known = highest.entry(id).or_insert(state);
            *known = state.max(*known);
            now += pause;
            // Each time, the future of `run` is dropped, in the middle of a call or not.
            world.run_until(Duration::from_millis(now));
            world.time.advance_to(Duration::from_millis(now));
        }
        world.run();
        prop_assert_eq!(world.handle.pending(), 0);
        let mut last = BTreeMap::new();
        for StatusUpdate { id, status, .. } in world.upstream.take_arrived() {
            let before = last.insert(id.to_string(), status.state);
            prop_assert!(before.is_none_or(|before| before <= status.state));
        }
        if !unknown {
            for (id, state) in highest {
                prop_assert_eq!(last.get(id), Some(&state));
            }
        }
    }
}
