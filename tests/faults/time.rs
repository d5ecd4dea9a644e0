//! A runtime whose clocks or sleeps panic. Everything that needs no time still works. (6, 10)

use super::agent::{Agent, shut_down, task};
use super::place::fail_commits;
use super::world::{Act, World};
use futures::FutureExt;
use futures::future::BoxFuture;
use onward::agent::policy::Backoff;
use onward::agent::runtime::SpawnError;
use onward::agent::{MemoryStore, Reporter, Runtime, StatusSink};
use onward::lifecycle::{TaskState, TaskStatus};
use onward::testing::{ScriptedReporter, VirtualPool, VirtualTime};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::UtcDateTime;

/// The function of a runtime that panics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Now,
    UtcNow,
    Sleep,
    PollOfSleep,
    DropOfSleep,
}

const PARTS: [Part; 5] =
    [Part::Now, Part::UtcNow, Part::Sleep, Part::PollOfSleep, Part::DropOfSleep];

/// A runtime over a pool. One of its functions panics after it was armed.
struct Broken {
    pool: VirtualPool,
    part: Part,
    is_armed: Arc<AtomicBool>,
}

impl Broken {
    fn check(&self, part: Part) {
        let panics = self.part == part && self.is_armed.load(Ordering::Relaxed);
        assert!(!panics, "{part:?} panics as planned");
    }
}

/// A sleep that panics when it is dropped, after it was armed.
struct Armed(Arc<AtomicBool>);

impl Drop for Armed {
    fn drop(&mut self) {
        let panics = self.0.load(Ordering::Relaxed) && !std::thread::panicking();
        assert!(!panics, "a dropped sleep panics as planned");
    }
}

impl Runtime for Broken {
    fn now(&self) -> Duration {
        self.check(Part::Now);
        self.pool.now()
    }

    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        self.check(Part::Sleep);
        let (sleep, is_armed) = (self.pool.sleep_until(moment), Arc::clone(&self.is_armed));
        let bomb = (self.part == Part::DropOfSleep).then(|| Armed(Arc::clone(&is_armed)));
        let panics = self.part == Part::PollOfSleep;
        async move {
            let _bomb = bomb;
            let panics = panics && is_armed.load(Ordering::Relaxed);
            assert!(!panics, "a polled sleep panics as planned");
            sleep.await;
        }
        .boxed()
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        self.pool.spawn(future)
    }

    fn utc_now(&self) -> UtcDateTime {
        self.check(Part::UtcNow);
        self.pool.utc_now()
    }
}

fn start(world: &World, store: &MemoryStore<String>, part: Part) -> (Agent, Arc<AtomicBool>) {
    let is_armed = Arc::new(AtomicBool::new(false));
    let armed = Arc::clone(&is_armed);
    let agent = Agent::start_on(world, store.clone(), |pool| {
        Arc::new(Broken { pool, part, is_armed: armed })
    });
    (agent, is_armed)
}

#[test]
fn tasks_run_and_are_removed_and_close_returns_if_a_clock_or_a_sleep_panics() {
    for part in PARTS {
        let world = World::new(|id, _, call| match (id, call) {
            ("x", "start") => Act::FailsForNow("not yet"),
            (_, "wait") => Act::Hangs,
            _ => Act::Returns,
        });
        let store = MemoryStore::new();
        let (agent, is_armed) = start(&world, &store, part);
        agent.assign([task("w", "A")]);
        agent.run(1000);
        is_armed.store(true, Ordering::Relaxed);
        agent.assign([task("w", "A"), task("x", "A"), task("y", "A")]);
        agent.until("y runs", || agent.status("y").state == TaskState::Running);
        agent.run(10_000);
        // Without sleeps it waits forever. It never retries without a delay.
        assert!(world.count("x/A start") < 100, "{part:?}: {}", world.count("x/A start"));
        agent.assign([shut_down("w", "A"), shut_down("x", "A"), task("y", "A")]);
        agent
            .until("both end", || ["w", "x"].iter().all(|id| agent.status(id).state.is_terminal()));
        agent.assign([task("y", "A")]);
        agent.until("both are removed", || store.get("w").is_none() && store.get("x").is_none());
        assert_eq!(agent.status("y").state, TaskState::Running, "{part:?}");
        agent.close();
    }
}

#[test]
fn a_failed_commit_is_retried_with_the_next_event_if_the_sleeps_panic() {
    for part in [Part::Sleep, Part::PollOfSleep] {
        let (world, store) = (World::new(super::world::runs), MemoryStore::new());
        let (agent, is_armed) = start(&world, &store, part);
        agent.assign([task("x", "A")]);
        agent.run(1000);
        is_armed.store(true, Ordering::Relaxed);
        fail_commits(&store, false);
        assert!(agent.try_assign([shut_down("x", "A")]).is_err(), "the store fails");
        store.set_faults(|_| None);
        agent.close();
        assert_eq!(store.get("x").unwrap().status.unwrap().state, TaskState::Running);
    }
}

#[test]
fn a_worker_whose_sleeps_panic_does_not_spin_on_a_store_that_fails() {
    let (world, store) = (World::new(super::world::runs), MemoryStore::new());
    let (agent, is_armed) = start(&world, &store, Part::Sleep);
    agent.assign([task("x", "A")]);
    agent.run(1000);
    is_armed.store(true, Ordering::Relaxed);
    let commits = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&commits);
    store.set_faults(move |_| {
        *counted.lock().unwrap() += 1;
        Some(onward::agent::store::StoreFault::Fails { written: 0 })
    });
    assert!(agent.try_assign([shut_down("x", "A")]).is_err(), "the store fails");
    agent.run(60_000);
    assert!(*commits.lock().unwrap() < 10, "{commits:?} commits");
}

#[test]
fn a_reporter_delivers_statuses_if_a_clock_or_a_sleep_panics() {
    for part in PARTS {
        let pool = VirtualPool::new(VirtualTime::new(), 1);
        let is_armed = Arc::new(AtomicBool::new(true));
        let runtime = Broken { pool: pool.clone(), part, is_armed: Arc::clone(&is_armed) };
        let upstream = ScriptedReporter::new(pool.time().clone());
        let backoff = Backoff::default();
        let mut reporter = Reporter::new(upstream.clone(), Arc::new(runtime)).with_backoff(backoff);
        let handle = reporter.handle();
        handle.changed("x", TaskStatus::new(TaskState::Running));
        let flushed = reporter.flush(Duration::from_secs(5));
        let flushed = super::agent::within(&pool, "flush returns", flushed);
        assert_eq!(flushed, Ok(()), "{part:?}");
        is_armed.store(false, Ordering::Relaxed);
    }
}
