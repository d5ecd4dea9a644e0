//! Streams and listeners that are dropped leave nothing. (11, 12, 14)

use super::agent::{Agent, task};
use super::world::{Act, World, runs};
use futures::{Stream, StreamExt};
use onward::agent::worker::LogSelector;
use onward::agent::{Driver, MemoryStore, Worker};
use onward::exec::{Assignment, LogMessage, LogSubscriptionOptions};
use onward::lifecycle::{Task, TaskStatus};
use onward::testing::VirtualPool;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// The number of wakers that are still held after a stream was polled and dropped many times.
const OFTEN: usize = 2000;

struct Held(Arc<AtomicUsize>);

impl Wake for Held {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Polls and drops a stream many times, with another waker each time.
#[track_caller]
fn assert_leaves_nothing(mut poll: impl FnMut(&mut Context<'_>)) {
    let held = Arc::new(AtomicUsize::new(0));
    for _ in 0..OFTEN {
        held.fetch_add(1, Ordering::Relaxed);
        let waker = Waker::from(Arc::new(Held(Arc::clone(&held))));
        poll(&mut Context::from_waker(&waker));
    }
    assert_eq!(held.load(Ordering::Relaxed), 0, "wakers of what was dropped are held");
}

fn poll_to_its_wait<S: Stream + Unpin>(mut stream: S, context: &mut Context<'_>) {
    assert!(stream.poll_next_unpin(context).is_ready(), "it begins with what there is");
    assert!(stream.poll_next_unpin(context).is_pending());
}

fn idle() -> Agent {
    let agent = Agent::start(&World::new(runs), MemoryStore::new());
    agent.assign([task("x", "A")]);
    agent.run(1000);
    agent
}

#[test]
fn streams_of_a_worker_that_are_dropped_leave_nothing() {
    let agent = idle();
    assert_leaves_nothing(|context| poll_to_its_wait(agent.handle.changes(), context));
    assert_leaves_nothing(|context| {
        poll_to_its_wait(agent.handle.snapshots("x").expect("x is there"), context);
    });
    assert_leaves_nothing(|context| {
        assert!(pin!(agent.handle.until(|_| false)).poll(context).is_pending());
        assert!(pin!(agent.handle.until_each(["x"], |_| false)).poll(context).is_pending());
    });
    assert_leaves_nothing(|context| {
        let options = LogSubscriptionOptions::follow();
        let selector = LogSelector::task("x");
        let open = |_: &str| async |_: LogMessage| Ok(());
        let following = agent.handle.logs(&selector, &options, open);
        assert!(pin!(following).poll(context).is_pending());
    });
}

#[test]
fn streams_of_a_driver_that_are_dropped_leave_nothing() {
    let world = World::new(runs);
    let pool = VirtualPool::new(world.time().clone(), 1);
    let assignment = Assignment::new("x", "A".to_owned());
    let driver = Driver::new(Task::new(), assignment, world, Arc::new(pool));
    let handle = driver.handle();
    assert_leaves_nothing(|context| poll_to_its_wait(handle.watch(), context));
    assert_leaves_nothing(|context| poll_to_its_wait(handle.snapshots(), context));
}

/// A waker that counts its wake-ups.
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_end_of_a_driver_wakes_the_streams_that_wait() {
    let world = World::new(runs);
    let pool = VirtualPool::new(world.time().clone(), 1);
    let assignment = Assignment::new("x", "A".to_owned());
    let driver = Driver::new(Task::new(), assignment, world, Arc::new(pool));
    let mut watch = driver.handle().watch();
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    poll_to_its_wait(&mut watch, &mut context);
    drop(driver);
    assert!(woken.0.load(Ordering::Relaxed) > 0, "a stream that waits is not woken");
    assert_eq!(watch.poll_next_unpin(&mut context), Poll::Ready(None));
}

#[test]
fn a_stream_wakes_the_task_that_polled_it_last() {
    let agent = idle();
    let wakers = [(); 2].map(|()| Arc::new(Woken(AtomicUsize::new(0))));
    let mut changes = agent.handle.changes();
    assert!(changes.poll_next_unpin(&mut Context::from_waker(Waker::noop())).is_ready());
    for woken in &wakers {
        let waker = Waker::from(Arc::clone(woken));
        assert!(changes.poll_next_unpin(&mut Context::from_waker(&waker)).is_pending());
    }
    agent.assign([]);
    let counts = wakers.map(|woken| woken.0.load(Ordering::Relaxed));
    assert_eq!(counts[0], 0, "a waker that was replaced is not used");
    assert!(counts[1] > 0, "the last waker is used");
}

#[test]
fn a_listener_that_is_dropped_in_its_own_call_is_not_called_again() {
    let agent = idle();
    let (calls, place) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(None)));
    let (counted, own) = (Arc::clone(&calls), Arc::clone(&place));
    let listener = agent.handle.listen(move |_: &str, _: TaskStatus| {
        counted.fetch_add(1, Ordering::Relaxed);
        let listener = own.lock().unwrap().take();
        drop(listener);
    });
    *place.lock().unwrap() = Some(listener);
    agent.run(10);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    agent.assign([task("x", "A"), task("y", "A")]);
    agent.run(1000);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "called after it was dropped");
}

#[test]
fn a_listener_that_is_dropped_before_its_first_call_is_never_called() {
    let agent = idle();
    let heard = super::agent::Heard::default();
    drop(agent.handle.listen(heard.clone()));
    agent.assign([task("x", "A"), task("y", "A")]);
    agent.run(1000);
    assert_eq!(heard.all(), []);
}

/// Adds and drops many listeners. Returns the number of sinks that are still held.
fn sinks_held_after_their_drop(agent: &Agent, meanwhile: impl Fn()) -> usize {
    let sink = Arc::new(());
    for _ in 0..100 {
        let held = Arc::clone(&sink);
        let listener = agent.handle.listen(move |_: &str, _: TaskStatus| _ = &held);
        meanwhile();
        drop(listener);
    }
    Arc::strong_count(&sink) - 1
}

#[test]
fn listeners_of_an_idle_worker_that_are_dropped_leave_nothing() {
    let agent = idle();
    // The worker runs, and has nothing to report.
    assert_eq!(sinks_held_after_their_drop(&agent, || agent.run(10)), 0);
    assert_eq!(sinks_held_after_their_drop(&agent, || {}), 0);
}

#[test]
fn listeners_of_a_worker_that_does_not_run_leave_nothing() {
    let world = World::new(runs);
    let pool = Arc::new(VirtualPool::new(world.time().clone(), 1));
    let opened = Worker::open(world, MemoryStore::<String>::new(), pool);
    let worker = futures::executor::block_on(opened).unwrap();
    let sink = Arc::new(());
    for _ in 0..100 {
        let held = Arc::clone(&sink);
        drop(worker.handle().listen(move |_: &str, _: TaskStatus| _ = &held));
    }
    assert_eq!(Arc::strong_count(&sink), 1, "sinks of dropped listeners are held");
}

#[test]
fn a_new_listener_gets_the_stored_statuses_even_while_the_store_fails() {
    let (world, store) = (World::new(runs), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A")]);
    agent.run(1000);
    super::place::fail_commits(&store, false);
    let heard = super::agent::Heard::default();
    agent.handle.listen(heard.clone()).forever();
    assert!(agent.try_assign([]).is_err());
    agent.run(10);
    assert_eq!(heard.states("x"), [onward::TaskState::Running]);
}

/// A follower of the logs of `tasks` tasks. Returns the numbers of its polls and of its publishers
/// until it waits, and the same for one more change.
fn follow(tasks: usize) -> (usize, usize) {
    let world = World::new(|_, _, call| match call {
        "wait" | "logs" => Act::Hangs,
        _ => Act::Returns,
    });
    let agent = Agent::start(&world, MemoryStore::new());
    let ids: Vec<String> = (0..tasks).map(|index| format!("t{index:04}")).collect();
    let opened = AtomicUsize::new(0);
    let mut polls = 0;
    let options = LogSubscriptionOptions::follow();
    let selector = ids.iter().fold(LogSelector::default(), LogSelector::or_task);
    let open = |_: &str| {
        opened.fetch_add(1, Ordering::Relaxed);
        async |_: LogMessage| Ok(())
    };
    let mut following = Box::pin(agent.handle.logs(&selector, &options, open));
    let counted = std::future::poll_fn(|context| {
        polls += 1;
        following.as_mut().poll(context).map(drop)
    });
    let all = ids.iter().map(|id| task(id, "A"));
    let assigned = async {
        agent.handle.assign(all).await.unwrap();
        std::future::pending::<()>().await;
    };
    agent.try_for(5000, futures::future::join(counted, assigned));
    drop(following);
    (polls, opened.into_inner())
}

#[test]
fn a_follower_of_logs_opens_one_publisher_for_each_task_and_is_polled_seldom() {
    let (few_polls, few) = follow(50);
    let (polls, opened) = follow(200);
    assert_eq!((few, opened), (50, 200));
    // The changes come in few messages, so the number of polls must not grow with the tasks. How
    // many tasks a poll looks at is counted in `src/agent/worker/logs/tests.rs`.
    assert!(polls <= 4 * few_polls.max(8), "{few_polls} polls for 50 tasks, {polls} for 200");
}

#[test]
fn a_follower_of_logs_ends_when_the_worker_is_closed() {
    let agent = idle();
    let options = LogSubscriptionOptions::follow();
    let selector = LogSelector::task("x");
    let following = agent.handle.logs(&selector, &options, |_: &str| async |_: LogMessage| Ok(()));
    let closing = async {
        agent.handle.close();
        Poll::Ready::<()>(())
    };
    let (failed, _) = agent.wait("the follower ends", futures::future::join(following, closing));
    assert!(failed.is_empty());
}
