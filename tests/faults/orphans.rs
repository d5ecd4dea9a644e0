//! Orphans delay only tasks with their own id. (5, 7)

use super::agent::{Agent, SlowStore, shut_down, task, within};
use super::world::{Act, World, runs};
use futures::future::join;
use onward::agent::worker::AssignmentChange;
use onward::agent::{AssignedTask, MemoryStore, Worker};
use onward::lifecycle::TaskState;
use onward::testing::VirtualPool;
use std::sync::Arc;

/// x is listed while the commit of its assignment is in flight.
fn assigned_while_it_is_listed(message: impl FnOnce(&Agent)) -> World {
    let world = World::new(|_, _, call| match call {
        "list" => Act::Takes(50),
        "reconcile" => Act::Takes(1000),
        call => runs("", "", call),
    })
    .with_existing(&["x"]);
    let store = SlowStore::new(&world);
    store.set_delay(100);
    let agent = Agent::start(&world, store);
    agent.assign([]);
    agent.run(1);
    message(&agent);
    agent.until("x runs", || agent.status("x").state == TaskState::Running);
    agent.run(5000);
    world
}

fn assert_apart(world: &World) {
    let begun = world.position("x/ reconcile");
    let done = world.position("x/ reconcile returned");
    let controller = world.position("x/A controller").expect("x has a controller");
    let is_apart = begun.is_none_or(|_| done.is_some_and(|done| done < controller));
    assert!(is_apart, "reconcile runs beside the controller of its id: {world:?}");
}

#[test]
fn no_reconcile_runs_beside_a_task_of_its_id_that_is_being_stored() {
    assert_apart(&assigned_while_it_is_listed(|agent| agent.assign([task("x", "A")])));
}

#[test]
fn no_reconcile_runs_beside_a_task_of_its_id_that_an_update_assigns() {
    assert_apart(&assigned_while_it_is_listed(|agent| {
        agent.update(AssignmentChange::Update(task("x", "A")));
    }));
}

#[test]
fn no_reconcile_runs_beside_a_task_of_its_id_that_waits_for_a_commit() {
    assert_apart(&assigned_while_it_is_listed(|agent| {
        let first = agent.handle.update([AssignmentChange::Update(task("y", "A"))]);
        let second = agent.handle.update([AssignmentChange::Update(task("x", "A"))]);
        let (first, second) = agent.wait("both are answered", futures::future::join(first, second));
        assert!(first.is_ok() && second.is_ok());
    }));
}

/// y runs, and `reconcile` of x follows the plan.
fn beside_an_orphan(list: Act, reconcile: Act) -> (World, Agent) {
    let world = World::new(move |_, _, call| match call {
        "list" => list,
        "reconcile" => reconcile,
        call => runs("", "", call),
    })
    .with_existing(&["x"]);
    let agent = Agent::start(&world, MemoryStore::new());
    agent.assign([task("y", "A")]);
    agent.run(100);
    (world, agent)
}

fn assert_nothing_waits(list: Act, reconcile: Act) {
    let (world, agent) = beside_an_orphan(list, reconcile);
    agent.update(AssignmentChange::Update(task("x", "A")));
    agent.update(AssignmentChange::Update(task("y", "B")));
    agent.update(AssignmentChange::Update(task("z", "A")));
    agent.run(1000);
    world.assert_called("y/B update returned");
    world.assert_called("z/A start returned");
    agent.update(AssignmentChange::Remove("y".into()));
    agent.until("y is removed", || agent.handle.tasks().iter().all(|task| task.id() != "y"));
    agent.wait("shut_down returns", agent.handle.shut_down()).unwrap();
    agent.close();
}

#[test]
fn a_reconcile_that_hangs_delays_no_other_task() {
    assert_nothing_waits(Act::Returns, Act::Hangs);
}

#[test]
fn a_reconcile_that_fails_or_panics_delays_nothing() {
    assert_nothing_waits(Act::Returns, Act::Fails("it is stuck"));
    assert_nothing_waits(Act::Returns, Act::Panics);
    assert_nothing_waits(Act::Returns, Act::PanicsWhenDropped);
}

#[test]
fn a_list_that_hangs_fails_or_panics_delays_nothing() {
    for list in [Act::Hangs, Act::Fails("not now"), Act::Panics, Act::PanicsWhenDropped] {
        assert_nothing_waits(list, Act::Returns);
    }
}

#[test]
fn a_task_whose_id_is_being_reconciled_can_be_shut_down_and_removed() {
    let (world, agent) = beside_an_orphan(Act::Returns, Act::Hangs);
    world.assert_called("x/ reconcile");
    agent.update(AssignmentChange::Update(task("x", "A")));
    agent.run(1000);
    world.assert_not_called("x/A controller");
    agent.update(AssignmentChange::Update(shut_down("x", "A")));
    agent.until("x is shut down", || agent.status("x").state.is_terminal());
    agent.update(AssignmentChange::Remove("x".into()));
    agent.until("x is removed", || agent.handle.tasks().iter().all(|task| task.id() != "x"));
    agent.close();
}

#[test]
fn a_worker_is_dropped_while_calls_that_panic_when_dropped_are_in_flight() {
    for hanging in ["list", "reconcile"] {
        let plan = move |_: &str, _: &str, call: &str| {
            if call == hanging { Act::PanicsWhenDropped } else { Act::Returns }
        };
        let world = World::new(plan).with_existing(&["x"]);
        let pool = VirtualPool::new(world.time().clone(), 1);
        let opened = Worker::open(world.clone(), MemoryStore::new(), Arc::new(pool.clone()));
        let mut worker = within(&pool, "the worker opens", opened).unwrap();
        let handle = worker.handle();
        let nothing: [AssignedTask<String>; 0] = [];
        assert!(pool.run_until(join(worker.run(), handle.assign(nothing))).is_none());
        let begun = if hanging == "list" { "/ list" } else { "x/ reconcile" };
        world.assert_called(begun);
        drop(worker);
        assert!(pool.run_until(handle.until(|_| false)).is_some_and(|until| until.is_err()));
    }
}
