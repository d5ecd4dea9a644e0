//! Definitions that panic when they are compared, cloned or dropped. (10)

use super::agent::within;
use onward::agent::AssignError;
use onward::agent::store::{StoreCall, StoreFault};
use onward::agent::worker::AssignmentChange;
use onward::agent::worker::RefusedTask;
use onward::agent::{AssignedTask, MemoryStore, Worker, WorkerHandle};
use onward::exec::Assignment;
use onward::lifecycle::TaskState;
use onward::testing::{Behavior, Call, Script, ScriptedExecutor, VirtualPool, VirtualTime};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const NOTHING: u8 = 0;
const COMPARES: u8 = 1;
const CLONES: u8 = 2;
const DROPS: u8 = 3;

/// A definition, and its functions that panic.
#[derive(Debug)]
struct Touchy {
    name: &'static str,
    panics: Arc<AtomicU8>,
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        let panics = self.panics.load(Ordering::Relaxed) == COMPARES;
        assert!(!panics, "a comparison panics as planned");
        self.name == other.name
    }
}

impl Clone for Touchy {
    fn clone(&self) -> Self {
        let panics = self.panics.load(Ordering::Relaxed) == CLONES;
        assert!(!panics, "a clone panics as planned");
        Self { name: self.name, panics: Arc::clone(&self.panics) }
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        let panics = self.panics.load(Ordering::Relaxed) == DROPS;
        assert!(!panics || std::thread::panicking(), "a drop panics as planned");
    }
}

struct Place {
    panics: Arc<AtomicU8>,
    pool: VirtualPool,
    store: MemoryStore<Touchy>,
    handle: WorkerHandle<Touchy>,
}

type Answer = Result<Vec<RefusedTask>, AssignError>;

impl Place {
    fn new() -> Self {
        let pool = VirtualPool::new(VirtualTime::new(), 1);
        let script = |_: &Assignment<Touchy>| Script::new().with(Call::Wait, [Behavior::hangs()]);
        let (executor, store) = (ScriptedExecutor::new(script), MemoryStore::new());
        let opened = Worker::open(executor, store.clone(), Arc::new(pool.clone()));
        let mut worker = within(&pool, "the worker opens", opened).unwrap();
        let handle = worker.handle();
        onward::agent::Runtime::spawn(&pool, Box::pin(async move { worker.run().await })).unwrap();
        Self { panics: Arc::default(), pool, store, handle }
    }

    fn set(&self, panics: u8) {
        self.panics.store(panics, Ordering::Relaxed);
    }

    fn task(&self, id: &str, name: &'static str) -> AssignedTask<Touchy> {
        let definition = Touchy { name, panics: Arc::clone(&self.panics) };
        Assignment::new(id, definition).into()
    }

    #[track_caller]
    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        within(&self.pool, "the message is answered", future)
    }

    #[track_caller]
    fn assign<const N: usize>(&self, tasks: [AssignedTask<Touchy>; N]) {
        assert_eq!(self.wait(self.handle.assign(tasks)).unwrap(), []);
        self.settle();
    }

    fn settle(&self) {
        let until = self.pool.time().now() + std::time::Duration::from_secs(1);
        let sleep = self.pool.time().sleep_until(until, onward::testing::Turn::Timer);
        self.pool.run_until(sleep).unwrap();
    }

    #[track_caller]
    fn assert_all_works(&self) {
        self.assign([self.task("x", "C"), self.task("new", "A")]);
        let running = |id: &str, name| (id.to_owned(), name, TaskState::Running);
        assert_eq!(self.tasks(), [running("new", "A"), running("x", "C")]);
        self.handle.close();
        self.wait(self.handle.until(|_| false)).unwrap_err();
    }

    #[track_caller]
    fn assert_refused(answer: &Answer, text: &str) {
        let error = answer.as_ref().expect_err("it is refused").to_string();
        assert!(error.contains(text), "{error}");
    }

    /// The ids of the tasks, with their definitions and their states.
    fn tasks(&self) -> Vec<(String, &'static str, TaskState)> {
        let all = self.handle.tasks().into_iter();
        all.map(|task| {
            let assignment = &task.record.assignment;
            (task.id().to_owned(), assignment.definition.name, task.snapshot.status.state)
        })
        .collect()
    }
}

#[test]
fn a_set_whose_comparison_panics_is_answered_with_the_text_and_has_no_effect() {
    let place = Place::new();
    place.assign([place.task("x", "A"), place.task("y", "A")]);
    let before = place.tasks();
    place.set(COMPARES);
    // z is new, and is drafted before x is compared.
    let set = [place.task("a", "A"), place.task("x", "B")];
    Place::assert_refused(&place.wait(place.handle.assign(set)), "a comparison panics as planned");
    place.set(NOTHING);
    place.settle();
    assert_eq!(place.tasks(), before);
    assert!(place.store.get("a").is_none());
    place.assign([place.task("x", "B")]);
    assert_eq!(place.tasks(), [("x".to_owned(), "B", TaskState::Running)]);
    place.handle.close();
    place.wait(place.handle.until(|_| false)).unwrap_err();
}

#[test]
fn a_change_whose_clone_panics_is_answered_with_the_text_and_has_no_effect() {
    let place = Place::new();
    place.assign([place.task("x", "A"), place.task("y", "A")]);
    let before = place.tasks();
    place.set(CLONES);
    let desired_state = TaskState::Shutdown;
    let changes = [
        AssignmentChange::Update(place.task("z", "A")),
        AssignmentChange::DesiredState { id: "x".into(), desired_state },
    ];
    let answer = place.wait(place.handle.update(changes));
    Place::assert_refused(&answer, "a clone panics as planned");
    Place::assert_refused(
        &place.wait(place.handle.shut_down()).map(|()| Vec::new()),
        "a clone panics as planned",
    );
    place.set(NOTHING);
    place.settle();
    assert_eq!(place.tasks(), before);
    place.wait(place.handle.shut_down()).unwrap();
    assert!(place.tasks().iter().all(|task| task.2 == TaskState::Shutdown));
}

#[test]
fn a_message_that_panics_does_not_affect_other_messages_of_its_commit() {
    let place = Place::new();
    place.assign([place.task("x", "A")]);
    place.set(COMPARES);
    let update = |task| place.handle.update([AssignmentChange::Update(task)]);
    let all = futures::future::join3(
        update(place.task("y", "A")),
        place.handle.update([
            AssignmentChange::Remove("y".into()),
            AssignmentChange::Update(place.task("x", "B")),
        ]),
        update(place.task("z", "A")),
    );
    let (first, second, third) = place.wait(all);
    assert_eq!((first.unwrap(), third.unwrap()), (vec![], vec![]));
    Place::assert_refused(&second, "a comparison panics as planned");
    place.set(NOTHING);
    place.settle();
    let names = place.tasks().into_iter().map(|task| (task.0, task.1)).collect::<Vec<_>>();
    let name = |id: &str| (id.to_owned(), "A");
    assert_eq!(names, [name("x"), name("y"), name("z")]);
}

#[test]
fn a_task_continues_if_its_definitions_panic_when_the_driver_compares_them() {
    let pool = VirtualPool::new(VirtualTime::new(), 1);
    let panics: Arc<AtomicU8> = Arc::default();
    let definition = |name| Touchy { name, panics: Arc::clone(&panics) };
    let script = |_: &Assignment<Touchy>| Script::new().with(Call::Wait, [Behavior::hangs()]);
    let executor = ScriptedExecutor::new(script);
    let assignment = Assignment::new("x", definition("A"));
    let task = onward::lifecycle::Task::new();
    let mut driver = onward::agent::Driver::new(task, assignment, executor, Arc::new(pool.clone()));
    let handle = driver.handle();
    assert!(pool.run_until(driver.run()).is_none());
    panics.store(COMPARES, Ordering::Relaxed);
    handle.update(Assignment::new("x", definition("B"))).unwrap();
    assert!(pool.run_until(driver.run()).is_none());
    assert_eq!(handle.status().state, TaskState::Running);
    let shown = handle.snapshot().definition;
    assert_eq!(shown, onward::agent::driver::DefinitionStatus::Applied);
    handle.remove();
    assert!(pool.run_until(driver.run()).is_some());
}

#[test]
fn a_definition_that_panics_when_a_failed_message_is_dropped_stops_nothing() {
    let place = Place::new();
    place.assign([place.task("x", "A")]);
    let update = |id, name| place.handle.update([AssignmentChange::Update(place.task(id, name))]);
    place.store.set_faults(|call| {
        let is_commit = matches!(call, StoreCall::Commit(_));
        is_commit.then_some(StoreFault::Fails { written: 0 })
    });
    place.set(DROPS);
    let answer = place.wait(update("z", "A"));
    assert!(matches!(answer, Err(AssignError::Store(_))), "{answer:?}");
    place.settle();
    place.store.set_faults(|_| None);
    place.set(NOTHING);
    place.assert_all_works();
}

#[test]
fn a_definition_that_panics_when_it_is_replaced_or_removed_stops_nothing() {
    let place = Place::new();
    place.assign([place.task("x", "A"), place.task("y", "A"), place.task("z", "A")]);
    place.set(DROPS);
    let changes = [
        AssignmentChange::Update(place.task("x", "B")),
        AssignmentChange::Remove("y".into()),
        AssignmentChange::DesiredState { id: "z".into(), desired_state: TaskState::Shutdown },
    ];
    // The store in memory drops the old definitions too, so it may have failed.
    _ = place.wait(place.handle.update(changes));
    place.settle();
    place.set(NOTHING);
    place.settle();
    let shown: Vec<_> = place.tasks().into_iter().map(|task| (task.0, task.1)).collect();
    assert!(shown.contains(&("x".to_owned(), "B")), "{shown:?}");
    place.assert_all_works();
}
