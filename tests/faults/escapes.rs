//! Panics outside of calls and futures: in the `Display` of errors, in drops, and in a subscriber
//! in the middle of a driver. (10)

use super::agent::{Agent, shut_down, task};
use super::place::{Spawning, Unreliable};
use super::world::{Act, Bomb, World, runs};
use futures::StreamExt;
use onward::agent::{MemoryStore, StatusSink};
use onward::lifecycle::{TaskState, TaskStatus};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Wake, Waker};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

const BOMB: &str = "an error panics as planned";

/// A subscriber that reads the text of every event.
struct Looks<F>(F);

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        _ = write!(self.0, "{field}={value:?} ");
    }
}

impl<S: tracing::Subscriber, F: Fn(&str) + 'static> Layer<S> for Looks<F> {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        (self.0)(&text.0);
    }
}

/// Runs a function with a subscriber that gets the text of every event.
fn with_subscriber(look: impl Fn(&str) + Send + Sync + 'static, run: impl FnOnce()) {
    let subscriber = tracing_subscriber::registry().with(Looks(look));
    tracing::subscriber::with_default(subscriber, run);
}

#[test]
fn a_task_whose_error_panics_when_it_is_shown_has_failed_with_the_text() {
    for call in ["controller", "prepare", "start", "wait"] {
        let world = World::new(move |id, _, other| match (id, other) {
            ("x", other) if other == call => Act::FailsWithBomb,
            (_, "wait") => Act::Hangs,
            _ => Act::Returns,
        });
        let store = MemoryStore::new();
        let agent = Agent::start(&world, store.clone());
        agent.assign([task("x", "A"), task("y", "A")]);
        agent.run(1000);
        let status = agent.status("x");
        assert!(status.state.is_terminal(), "{call}: {status:?}");
        assert!(status.err.as_deref().is_some_and(|err| err.contains(BOMB)), "{call}: {status:?}");
        assert_eq!(agent.status("y").state, TaskState::Running);
        agent.close();
    }
}

#[test]
fn an_error_of_another_call_that_panics_when_it_is_shown_stops_nothing() {
    for call in ["update", "shutdown", "terminate", "remove", "close", "list", "reconcile"] {
        let world = World::new(move |_, _, other| match other {
            other if other == call => Act::FailsWithBomb,
            "shutdown" if call == "terminate" => Act::Fails("it does not obey"),
            "wait" => Act::Hangs,
            _ => Act::Returns,
        });
        let world = world.with_existing(&["orphan"]);
        let store = MemoryStore::new();
        let agent = Agent::start(&world, store.clone());
        agent.assign([task("x", "A"), task("y", "A")]);
        agent.run(1000);
        agent.assign([task("x", "B"), task("y", "A")]);
        agent.run(1000);
        agent.assign([shut_down("x", "B"), task("y", "A")]);
        agent.until("x ends", || agent.status("x").state.is_terminal());
        agent.assign([task("y", "A")]);
        agent.until("x is removed or cannot be", || {
            let tasks = agent.handle.tasks();
            let x = tasks.iter().find(|task| task.id() == "x");
            x.is_none_or(|task| {
                let error = task.removal_error.as_deref();
                call == "remove" && error.is_some_and(|error| error.contains(BOMB))
            })
        });
        assert_eq!(agent.status("y").state, TaskState::Running, "{call}");
        agent.close();
    }
}

#[test]
fn a_listener_that_panics_when_dropped_stops_nothing() {
    struct Sink(Bomb);
    impl StatusSink for Sink {
        fn changed(&self, _: &str, _: TaskStatus) {
            _ = &self.0;
        }
    }
    let (world, store) = (World::new(runs), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    let listener = agent.handle.listen(Sink(Bomb));
    agent.assign([task("x", "A")]);
    agent.run(100);
    drop(listener);
    agent.assign([task("x", "A"), task("y", "A")]);
    agent.run(100);
    assert_eq!(agent.status("y").state, TaskState::Running);
    assert!(agent.heard.states("y").contains(&TaskState::Running), "the others still hear");
    agent.close();
}

#[test]
fn logs_that_panic_when_dropped_stop_nothing() {
    let world = World::new(|id, _, call| match (id, call) {
        ("x", "logs") => Act::PanicsWhenDropped,
        (_, "wait") => Act::Hangs,
        _ => Act::Returns,
    });
    let store = MemoryStore::new();
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A"), task("y", "A")]);
    agent.run(100);
    agent.assign([task("y", "A")]);
    agent.until("x is removed", || store.get("x").is_none());
    assert_eq!(world.count("x/A remove"), 1);
    assert_eq!(agent.status("y").state, TaskState::Running);
    agent.close();
}

#[test]
fn a_controller_that_panics_when_dropped_after_its_logs_have_panicked_is_logged() {
    let logged = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&logged);
    with_subscriber(
        move |text| lines.lock().unwrap().push(text.to_owned()),
        || {
            let world = World::new(|_, _, call| match call {
                "logs" | "drop" => Act::Panics,
                _ => Act::Returns,
            });
            let agent = Agent::start(&world, MemoryStore::new());
            agent.assign([task("x", "A")]);
            agent.run(100);
            let err = agent.status("x").err.clone().unwrap_or_default();
            assert!(err.contains("logs panics as planned"), "{err}");
            agent.close();
        },
    );
    let logged = logged.lock().unwrap();
    let is_logged = |line: &String| {
        line.contains("controller panicked when dropped")
            && line.contains("a dropped controller panics as planned")
    };
    assert_eq!(logged.iter().filter(|line| is_logged(line)).count(), 1, "{logged:?}");
}

/// A subscriber panics at some changes of state, so that the driver itself panics.
fn escaping(times: usize, spawning: Spawning, then: impl Fn(&World, &MemoryStore<String>, &Agent)) {
    let left = Arc::new(AtomicUsize::new(times));
    let look = move |text: &str| {
        if text.contains("state changed") && text.contains("->") && !text.contains("NEW->") {
            let less = |left: usize| left.checked_sub(1);
            let panics = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
            assert!(!panics, "a subscriber panics as planned");
        }
    };
    with_subscriber(look, || {
        let (world, store) = (World::new(runs), MemoryStore::new());
        let agent = Agent::start_on(&world, store.clone(), |pool| Unreliable::new(pool, spawning));
        agent.assign([task("x", "A")]);
        agent.run(1000);
        then(&world, &store, &agent);
        agent.heard.assert_never_fell("x");
        agent.close();
    });
}

#[test]
fn a_panic_that_escapes_from_a_driver_ends_the_workload_and_fails_the_task() {
    for spawning in [Spawning::Runs, Spawning::Refuses, Spawning::Drops] {
        escaping(1, spawning, |world, store, agent| {
            let status = agent.status("x");
            assert!(status.state.is_terminal(), "{status:?}");
            let err = status.err.clone().unwrap_or_default();
            assert!(err.contains("a subscriber panics as planned"), "{err}");
            world.assert_called("x/A terminate returned");
            agent.assign([task("y", "A")]);
            agent.until("x is removed", || store.get("x").is_none());
            assert_eq!(agent.status("y").state, TaskState::Running);
        });
    }
}

#[test]
fn a_driver_from_which_panics_escape_again_and_again_ends_and_nothing_waits_for_it() {
    for spawning in [Spawning::Runs, Spawning::Refuses, Spawning::Drops] {
        escaping(usize::MAX, spawning, |world, store, agent| {
            let status = agent.status("x");
            assert!(status.state.is_terminal(), "{status:?}");
            let err = status.err.clone().unwrap_or_default();
            assert!(err.contains("a subscriber panics as planned"), "{err}");
            agent.wait("shut_down returns", agent.handle.shut_down()).unwrap();
            agent.assign([]);
            agent.until("x is removed", || store.get("x").is_none());
            assert!(world.calls().len() < 50, "{world:?}");
        });
    }
}

#[test]
fn a_watcher_whose_waker_panics_stops_neither_the_worker_nor_other_watchers() {
    struct Wakes(Arc<AtomicUsize>);
    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
            panic!("a waker panics as planned");
        }
    }
    let (world, store) = (World::new(runs), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    let wakes = Arc::new(AtomicUsize::new(0));
    let waker = Waker::from(Arc::new(Wakes(Arc::clone(&wakes))));
    let mut task_context = TaskContext::from_waker(&waker);
    let mut watchers = [agent.handle.changes(), agent.handle.changes()];
    for watcher in &mut watchers {
        while watcher.poll_next_unpin(&mut task_context).is_ready() {}
    }
    agent.assign([task("x", "A")]);
    agent.run(100);
    assert_eq!(wakes.load(Ordering::Relaxed), 2);
    assert_eq!(agent.status("x").state, TaskState::Running);
    agent.close();
}
