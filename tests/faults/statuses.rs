//! The state of a task never falls, and its last status is stored before it is reported. (3, 14)

use super::agent::{Agent, Heard, task};
use super::place::{Spawning, Unreliable, fail_statuses};
use super::world::{Act, World, runs};
use onward::agent::store::{StoreCall, StoreChange, StoreFault};
use onward::agent::{AssignedTask, MemoryStore, StatusSink};
use onward::lifecycle::{TaskState, TaskStatus};
use std::sync::{Arc, Mutex};

/// The empty set of tasks.
const NOTHING: [AssignedTask<String>; 0] = [];

/// The end of x is not stored, and its removal fails. It is then removed again.
fn removed_again_while_its_end_waits(
    plan: impl Fn(&str, &str, &str) -> Act + Send + Sync + 'static,
) -> (Agent, MemoryStore<String>) {
    let (world, store) = (World::new(plan), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A")]);
    agent.run(100);
    fail_statuses(&store);
    agent.run(600);
    assert_eq!(agent.status("x").state, TaskState::Complete);
    assert_ne!(store.get("x").unwrap().status.unwrap().state, TaskState::Complete);
    for _ in 0..2 {
        _ = agent.try_for(50, agent.handle.assign(NOTHING));
        agent.run(50);
        assert_eq!(agent.status("x").state, TaskState::Complete, "the state of x fell");
    }
    store.set_faults(|_| None);
    agent.run(100_000);
    agent.assign([]);
    agent.run(100_000);
    agent.heard.assert_never_fell("x");
    assert!(agent.heard.states("x").contains(&TaskState::Complete), "{:?}", agent.heard);
    (agent, store)
}

fn ends_soon(call: &str) -> Act {
    if call == "wait" { Act::Takes(500) } else { Act::Returns }
}

#[test]
fn a_task_whose_removal_failed_continues_from_its_newest_status() {
    let (agent, store) = removed_again_while_its_end_waits(|_, _, call| match call {
        "remove" => Act::Fails("stuck"),
        call => ends_soon(call),
    });
    assert_eq!(store.get("x").unwrap().status.unwrap().state, TaskState::Complete);
    assert_eq!(agent.view("x").removal_error.as_deref(), Some("stuck"));
}

#[test]
fn a_task_whose_removal_panicked_continues_from_its_newest_status() {
    let (_, store) = removed_again_while_its_end_waits(|_, _, call| match call {
        "remove" => Act::Panics,
        call => ends_soon(call),
    });
    assert_eq!(store.get("x").unwrap().status.unwrap().state, TaskState::Complete);
}

#[test]
fn a_task_whose_future_was_dropped_continues_from_its_newest_status() {
    let world = World::new(|_, _, call| match call {
        "start" => Act::Takes(100),
        call => runs("", "", call),
    });
    let (store, mut runtime) = (MemoryStore::new(), None);
    let agent = Agent::start_on(&world, store.clone(), |pool| {
        runtime.insert(Unreliable::new(pool, Spawning::Runs)).clone()
    });
    agent.assign([task("x", "A")]);
    agent.run(50);
    fail_statuses(&store);
    agent.run(100);
    assert_eq!(agent.status("x").state, TaskState::Running);
    runtime.expect("the agent has a runtime").abort();
    for _ in 0..50 {
        agent.run(1);
        assert_eq!(agent.status("x").state, TaskState::Running, "the state of x fell");
    }
    store.set_faults(|_| None);
    agent.run(100_000);
    agent.heard.assert_never_fell("x");
    assert_eq!(store.get("x").unwrap().status.unwrap().state, TaskState::Running);
    assert_eq!(world.count("x/A start"), 1);
}

/// Compares every reported status with the stored one.
struct Stored(MemoryStore<String>, Heard, Arc<Mutex<Vec<String>>>);

impl StatusSink for Stored {
    fn changed(&self, id: &str, status: TaskStatus) {
        let stored = self.0.get(id).and_then(|task| task.status);
        if stored.as_deref() != Some(&status) {
            let line = format!("{id} {} reported, {stored:?} stored", status.state);
            self.2.lock().unwrap().push(line);
        }
        self.1.changed(id, status);
    }
}

#[test]
fn a_last_status_is_stored_before_it_is_reported_and_before_its_record_is_deleted() {
    // The status and the removal come during a commit, so they are in the next one together.
    let (world, store) = (World::new(|_, _, call| ends_soon(call)), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    let (heard, wrong) = (Heard::default(), Arc::default());
    agent.handle.listen(Stored(store.clone(), heard.clone(), Arc::clone(&wrong))).forever();
    agent.assign([task("x", "A")]);
    agent.run(100);
    store.set_faults(|call| {
        matches!(call, StoreCall::Commit(_)).then_some(StoreFault::Fails { written: 0 })
    });
    agent.run(600);
    _ = agent.try_for(50, agent.handle.assign(NOTHING));
    store.set_faults(|_| None);
    agent.run(100_000);
    agent.assign([]);
    agent.until("x is removed", || store.get("x").is_none());
    assert_eq!(*wrong.lock().unwrap(), Vec::<String>::new());
    assert!(heard.states("x").contains(&TaskState::Complete), "{heard:?}");
    heard.assert_never_fell("x");
}

/// x is assigned again while the deletion of the old task fails, and the agent crashes after this
/// many milliseconds. Returns the statuses before and after the crash.
fn assigned_again_while_its_deletion_fails(written: usize, millis: u64) -> Vec<Option<TaskState>> {
    let (world, store) = (World::new(|_, _, call| ends_soon(call)), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A")]);
    agent.run(1000);
    store.set_faults(move |call| match call {
        StoreCall::Commit(changes) => {
            let is_deletion = |change: &_| matches!(change, StoreChange::Delete { .. });
            changes.iter().any(is_deletion).then_some(StoreFault::Fails { written })
        }
        _ => None,
    });
    _ = agent.try_for(500, agent.handle.assign(NOTHING));
    agent.run(100);
    _ = agent.try_for(500, agent.handle.assign([task("x", "A")]));
    store.set_faults(|_| None);
    agent.assign([task("x", "A")]);
    agent.run(millis);
    let mut heard = agent.heard.all();
    let agent = agent.crash(&world, store.clone());
    agent.run(100_000);
    assert_eq!(agent.status("x").state, TaskState::Complete);
    heard.extend(agent.heard.all());
    heard.into_iter().map(|(_, state)| state).collect()
}

#[test]
fn an_id_that_is_assigned_again_after_a_failed_deletion_never_falls_without_a_removal() {
    for written in [0, usize::MAX] {
        for millis in [0, 1, 10, 100, 400, 600, 5000] {
            let heard = assigned_again_while_its_deletion_fails(written, millis);
            // A removal is none. The next task may have any state.
            let mut lives = heard.split(Option::is_none);
            assert!(lives.all(<[_]>::is_sorted), "written: {written}, after {millis}: {heard:?}");
            assert!(heard.contains(&None), "the first x was removed: {heard:?}");
        }
    }
}
