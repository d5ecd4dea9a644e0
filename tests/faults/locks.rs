//! No code of the embedder runs under a lock of the library. (12)
//!
//! Otherwise these tests would deadlock, so each runs on a thread of its own.

use super::agent::within;
use super::world::{Act, World, runs};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use onward::agent::driver::Watch;
use onward::agent::policy::Backoff;
use onward::agent::reporter::ReporterHandle;
use onward::agent::runtime::SpawnError;
use onward::agent::{Driver, DriverHandle, Policy, Reporter, Runtime, StatusSink};
use onward::exec::Assignment;
use onward::lifecycle::{Task, TaskState, TaskStatus};
use onward::testing::{Delivery, Reply, ScriptedReporter, Turn, VirtualPool, VirtualTime};
use std::future::Future;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;
use time::UtcDateTime;
use tracing_subscriber::layer::{Layer, SubscriberExt};

/// Runs a function on a thread of its own, with a limit of 10 s.
#[track_caller]
fn assert_returns(what: &str, run: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        run();
        _ = sender.send(());
    });
    let result = receiver.recv_timeout(Duration::from_secs(10));
    assert!(result.is_ok(), "it waits for itself, or has panicked: {what}");
    thread.join().expect("it has not panicked");
}

/// A handle that the code of the embedder uses.
type Place<T> = Arc<Mutex<Option<T>>>;

fn ask(place: &Place<DriverHandle<String>>) {
    let handle = place.lock().unwrap().clone();
    if let Some(handle) = handle {
        _ = handle.status();
        _ = handle.snapshot();
        handle.set_policy(Policy::default());
    }
}

/// A whole life of a task: retries, deadlines, an update, the end, the removal.
fn whole_life(
    world: World,
    runtime: Arc<dyn Runtime>,
    pool: &VirtualPool,
    place: &Place<DriverHandle<String>>,
) {
    let assignment = Assignment::new("x", "A".to_owned());
    let policy = Policy::default().with_start_deadline(Duration::from_secs(60));
    let mut driver =
        Driver::new(Task::new(), assignment.clone(), world, runtime).with_policy(policy);
    let handle = driver.handle();
    *place.lock().unwrap() = Some(handle.clone());
    let tell = async {
        let seconds = |count| pool.sleep_until(pool.now() + Duration::from_secs(count));
        seconds(100).await;
        handle.update(assignment.clone().with_definition("B".to_owned())).unwrap();
        seconds(100).await;
        let end = assignment.with_definition("B".to_owned());
        handle.update(end.clone().with_desired_state(TaskState::Shutdown)).unwrap();
        assert!(handle.update(end).is_err());
        seconds(100).await;
        handle.remove();
    };
    within(pool, "the driver ends", futures::future::join(driver.run(), tell));
    *place.lock().unwrap() = None;
}

/// A world in which the first attempts fail.
fn eventful() -> World {
    let attempts = Mutex::new(0);
    World::new(move |_, _, call| {
        let mut attempts = attempts.lock().unwrap();
        *attempts += 1;
        match call {
            "prepare" | "start" if *attempts % 3 != 0 => Act::FailsForNow("not yet"),
            "shutdown" => Act::Hangs,
            call => runs("", "", call),
        }
    })
}

#[test]
fn a_tracing_subscriber_may_ask_the_handle_of_a_driver() {
    struct Asks(Place<DriverHandle<String>>);
    impl<S: tracing::Subscriber> Layer<S> for Asks {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            ask(&self.0);
        }
    }
    assert_returns("a subscriber asks the driver", || {
        let place = Place::default();
        let subscriber = tracing_subscriber::registry().with(Asks(Arc::clone(&place)));
        tracing::subscriber::with_default(subscriber, || {
            let world = eventful();
            let pool = VirtualPool::new(world.time().clone(), 1);
            whole_life(world, Arc::new(pool.clone()), &pool, &place);
        });
    });
}

#[test]
fn a_runtime_and_its_clocks_may_ask_the_handle_of_a_driver() {
    struct Asks(VirtualPool, Place<DriverHandle<String>>);
    impl Runtime for Asks {
        fn now(&self) -> Duration {
            ask(&self.1);
            self.0.now()
        }
        fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
            ask(&self.1);
            self.0.sleep_until(moment)
        }
        fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
            ask(&self.1);
            self.0.spawn(future)
        }
        fn utc_now(&self) -> UtcDateTime {
            ask(&self.1);
            self.0.utc_now()
        }
    }
    assert_returns("a runtime asks the driver", || {
        let world = eventful();
        let pool = VirtualPool::new(world.time().clone(), 1);
        let place = Place::default();
        let runtime = Arc::new(Asks(pool.clone(), Arc::clone(&place)));
        whole_life(world, runtime, &pool, &place);
    });
}

#[test]
fn a_waker_may_ask_the_handle_of_a_driver_when_it_is_cloned_used_and_dropped() {
    struct Asks(Place<DriverHandle<String>>);
    impl Wake for Asks {
        fn wake(self: Arc<Self>) {
            ask(&self.0);
        }
    }
    impl Drop for Asks {
        fn drop(&mut self) {
            ask(&self.0);
        }
    }
    assert_returns("a waker asks the driver", || {
        let world = World::new(runs);
        let pool = VirtualPool::new(world.time().clone(), 1);
        let assignment = Assignment::new("x", "A".to_owned());
        let driver = Driver::new(Task::new(), assignment.clone(), world, Arc::new(pool));
        let (mut driver, handle) = (Box::new(driver), Place::default());
        *handle.lock().unwrap() = Some(driver.handle());
        let asked = driver.handle();
        let mut watch = asked.watch();
        let mut run = Box::pin(driver.run());
        for _ in 0..3 {
            let waker = Waker::from(Arc::new(Asks(Arc::clone(&handle))));
            let mut context = Context::from_waker(&waker);
            assert!(run.as_mut().poll(&mut context).is_pending());
            while watch.poll_next_unpin(&mut context).is_ready() {}
        }
        asked.update(assignment.with_definition("B".to_owned())).unwrap();
        asked.close();
    });
}

#[test]
fn a_watch_that_is_kept_only_by_the_waker_of_another_can_be_dropped() {
    struct Holder(#[expect(dead_code, reason = "it is dropped")] Mutex<Watch<String, TaskStatus>>);
    impl Wake for Holder {
        fn wake(self: Arc<Self>) {}
    }
    assert_returns("the last waker drops a watch", || {
        let world = World::new(runs);
        let pool = VirtualPool::new(world.time().clone(), 1);
        let assignment = Assignment::new("x", "A".to_owned());
        let driver = Driver::new(Task::new(), assignment, world, Arc::new(pool));
        for moves in [false, true] {
            let mut first = driver.handle().watch();
            let holder = Holder(Mutex::new(driver.handle().watch()));
            let waker = Waker::from(Arc::new(holder));
            let mut context = Context::from_waker(&waker);
            assert!(first.poll_next_unpin(&mut context).is_ready());
            assert!(first.poll_next_unpin(&mut context).is_pending());
            drop(waker);
            if moves {
                // Another waker replaces the last one.
                let mut context = Context::from_waker(Waker::noop());
                assert!(first.poll_next_unpin(&mut context).is_pending());
            }
            drop(first);
        }
    });
}

#[test]
fn a_tracing_subscriber_may_ask_the_handle_of_a_reporter() {
    struct Asks(Place<ReporterHandle>);
    impl<S: tracing::Subscriber> Layer<S> for Asks {
        fn on_event(&self, _: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
            let handle = self.0.lock().unwrap().clone();
            if let Some(handle) = handle {
                _ = handle.pending();
                handle.changed("logged", TaskStatus::new(TaskState::Running));
            }
        }
    }
    assert_returns("a subscriber asks the reporter", || {
        let place = Place::default();
        let subscriber = tracing_subscriber::registry().with(Asks(Arc::clone(&place)));
        tracing::subscriber::with_default(subscriber, || {
            let pool = VirtualPool::new(VirtualTime::new(), 1);
            let upstream = ScriptedReporter::new(pool.time().clone());
            upstream.reply([Reply::Unreachable, Reply::Refused]);
            upstream.set_delivery("x", Delivery::Refused);
            upstream.set_delivery("y", Delivery::UnknownTask);
            let mut reporter =
                Reporter::new(upstream, Arc::new(pool.clone())).with_backoff(Backoff::default());
            *place.lock().unwrap() = Some(reporter.handle());
            for id in ["x", "y", "z"] {
                reporter.handle().changed(id, TaskStatus::new(TaskState::Running));
            }
            let until = Duration::from_secs(300);
            _ = within(&pool, "flush returns", reporter.flush(until));
            *place.lock().unwrap() = None;
        });
    });
}

/// A definition that uses its store when it is dropped.
struct Looks(Option<onward::agent::MemoryStore<Looks>>);

impl Drop for Looks {
    fn drop(&mut self) {
        if let Some(store) = &self.0 {
            _ = store.get("x");
        }
    }
}

#[test]
fn a_definition_may_look_at_the_store_in_memory_when_it_is_dropped() {
    use futures::executor::block_on;
    use onward::agent::store::{StoreChange, StoreFault, StoredTask, TaskRecord};
    use onward::agent::{MemoryStore, Store};
    assert_returns("a definition asks the store", || {
        let store = MemoryStore::new();
        let record = || {
            let definition = Looks(Some(store.clone()));
            Arc::new(TaskRecord::new(Assignment::new("x", definition)))
        };
        let replace = StoreChange::Replace(StoredTask::new(record(), None));
        let delete = || StoreChange::Delete { id: "x".into() };
        let store_it = |change| block_on(store.commit(&[change]));
        store_it(StoreChange::Record(record())).unwrap();
        store_it(StoreChange::Record(record())).unwrap();
        store_it(replace).unwrap();
        store_it(delete()).unwrap();
        store_it(StoreChange::Record(record())).unwrap();
        // The function with the faults is code of the embedder too.
        let (first, second) = (Looks(Some(store.clone())), Looks(Some(store.clone())));
        store.set_faults(move |_| {
            _ = &first;
            Some(StoreFault::Fails { written: 1 })
        });
        store_it(delete()).unwrap_err();
        let replacing = store.clone();
        store.set_faults(move |_| {
            _ = &second;
            replacing.set_faults(|_| None);
            None
        });
        store_it(StoreChange::Record(record())).unwrap();
        store_it(delete()).unwrap();
    });
}

#[test]
fn a_waker_may_look_at_virtual_time_when_it_is_cloned_replaced_and_dropped() {
    struct Asks(VirtualTime);
    impl Wake for Asks {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Asks {
        fn drop(&mut self) {
            _ = self.0.now();
        }
    }
    assert_returns("a waker asks the time", || {
        let time = VirtualTime::new();
        let mut sleep = Box::pin(time.sleep_until(Duration::from_secs(1), Turn::Timer));
        for _ in 0..3 {
            let waker = Waker::from(Arc::new(Asks(time.clone())));
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(sleep);
    });
}

#[test]
fn a_definition_may_use_the_store_in_a_file_when_it_is_read_from_it() {
    use futures::executor::block_on;
    use onward::agent::store::{StoreChange, TaskRecord};
    use onward::agent::{RedbStore, Store};
    use std::sync::OnceLock;

    #[derive(serde::Serialize)]
    struct Reads;
    static STORE: OnceLock<RedbStore<Reads>> = OnceLock::new();
    impl<'de> serde::Deserialize<'de> for Reads {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            <()>::deserialize(from)?;
            if let Some(store) = STORE.get() {
                // The work runs at once, on this thread.
                store.commit(&[]).now_or_never().unwrap().unwrap();
            }
            Ok(Self)
        }
    }
    assert_returns("a definition uses its store", || {
        let directory = tempfile::tempdir().unwrap();
        let here = |work: Box<dyn FnOnce() + Send>| work();
        let store = block_on(RedbStore::open(directory.path().join("tasks"), here)).unwrap();
        let record = TaskRecord::new(Assignment::new("x", Reads));
        block_on(store.commit(&[StoreChange::Record(record.into())])).unwrap();
        _ = STORE.set(store.clone());
        assert_eq!(block_on(store.load()).unwrap().len(), 1);
    });
}
