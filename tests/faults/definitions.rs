//! The applied definition is kept until the controller has another one. (1, 4, 8, 14)

use super::agent::{Agent, SlowStore, shut_down, task};
use super::world::{Act, World, runs};
use onward::agent::MemoryStore;
use onward::agent::worker::AssignmentChange;
use onward::lifecycle::TaskState;

/// A workload that does not end by itself, and ignores `shutdown`.
fn stubborn(_: &str, _: &str, call: &str) -> Act {
    match call {
        "wait" | "shutdown" | "terminate" => Act::Hangs,
        _ => Act::Returns,
    }
}

/// As `stubborn`. The executor refuses B, and `terminate` returns a temporary error.
fn stubborn_and_without_b(id: &str, definition: &str, call: &str) -> Act {
    match (definition, call) {
        ("B", "controller") => Act::Fails("unknown kind of task"),
        (_, "terminate") => Act::FailsForNow("busy"),
        _ => stubborn(id, definition, call),
    }
}

fn applied(store: &MemoryStore<String>, id: &str) -> Option<String> {
    let applied = store.get(id).expect("the task is stored").record.applied.clone();
    applied.map(|applied| applied.definition.clone())
}

fn wanted(store: &MemoryStore<String>, id: &str) -> String {
    store.get(id).expect("the task is stored").record.assignment.definition.clone()
}

/// Runs x with A, and then calls a function.
fn running(world: &World, store: &MemoryStore<String>, then: impl FnOnce(&Agent)) -> Agent {
    let agent = Agent::start(world, store.clone());
    agent.assign([task("x", "A")]);
    agent.run(1000);
    assert_eq!(agent.status("x").state, TaskState::Running);
    then(&agent);
    agent.run(1000);
    agent
}

#[test]
fn a_definition_that_comes_with_a_shutdown_is_not_stored_as_applied() {
    let (world, store) = (World::new(stubborn), MemoryStore::new());
    let _agent = running(&world, &store, |agent| agent.assign([shut_down("x", "B")]));
    world.assert_not_called("x/B update");
    assert_eq!(applied(&store, "x").as_deref(), Some("A"));
    assert_eq!(wanted(&store, "x"), "B");
}

#[test]
fn a_definition_that_comes_after_a_shutdown_is_not_stored_as_applied() {
    let (world, store) = (World::new(stubborn), MemoryStore::new());
    let _agent = running(&world, &store, |agent| {
        agent.assign([shut_down("x", "A")]);
        agent.run(1000);
        agent.update(AssignmentChange::Update(shut_down("x", "B")));
    });
    world.assert_not_called("x/B update");
    assert_eq!(applied(&store, "x").as_deref(), Some("A"));
}

#[test]
fn a_definition_that_comes_during_an_update_and_with_a_shutdown_is_not_stored_as_applied() {
    let plan = |id: &str, definition: &str, call: &str| match call {
        "update" => Act::Hangs,
        _ => stubborn(id, definition, call),
    };
    let (world, store) = (World::new(plan), MemoryStore::new());
    let _agent = running(&world, &store, |agent| {
        agent.assign([task("x", "B")]);
        agent.run(1000);
        agent.assign([shut_down("x", "C")]);
    });
    world.assert_called("x/B update");
    world.assert_not_called("x/C update");
    assert_eq!(applied(&store, "x").as_deref(), Some("A"));
}

#[test]
fn a_successor_does_not_change_the_applied_definition_of_the_removed_task() {
    let plan = |id: &str, definition: &str, call: &str| match call {
        "remove" => Act::Hangs,
        _ => stubborn(id, definition, call),
    };
    let (world, store) = (World::new(plan), MemoryStore::new());
    let _agent = running(&world, &store, |agent| {
        agent.assign([]);
        agent.assign([task("x", "B")]);
    });
    assert_eq!(applied(&store, "x").as_deref(), Some("A"));
    assert_eq!(wanted(&store, "x"), "A");
}

#[test]
fn a_workload_is_ended_and_removed_by_a_controller_of_its_own_definition_after_a_crash() {
    let (world, store) = (World::new(stubborn_and_without_b), MemoryStore::new());
    let agent = running(&world, &store, |agent| agent.assign([shut_down("x", "B")]));
    let agent = agent.crash(&world, store.clone());
    agent.run(1000);
    agent.assign([]);
    agent.until("x is removed", || store.get("x").is_none());
    let calls = world.calls_after("crash");
    let first = calls.iter().find(|call| call.ends_with("controller"));
    assert_eq!(first.map(String::as_str), Some("x/A controller"));
    assert!(calls.contains(&"x/A remove".into()), "{calls:?}");
    assert!(!calls.iter().any(|call| call.starts_with("x/B")), "{calls:?}");
    agent.heard.assert_never_fell("x");
}

#[test]
fn a_workload_is_ended_by_a_controller_of_its_own_definition_after_a_close() {
    let (world, store) = (World::new(stubborn_and_without_b), MemoryStore::new());
    let agent = running(&world, &store, |agent| agent.assign([shut_down("x", "B")]));
    agent.close();
    let agent = agent.crash(&world, store.clone());
    agent.run(20_000);
    let calls = world.calls_after("crash");
    assert!(calls.contains(&"x/A terminate".into()), "{calls:?}");
    assert!(!agent.status("x").state.is_terminal(), "A may still run");
}

/// B is assigned and applied. C is assigned before that is stored.
fn change_twice_while_the_store_is_slow(
    plan: impl Fn(&str, &str, &str) -> Act + Send + Sync + 'static,
) -> (World, SlowStore, Agent) {
    let world = World::new(plan);
    let store = SlowStore::new(&world);
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A")]);
    agent.run(1000);
    store.set_delay(100);
    let first = agent.handle.assign([task("x", "B")]);
    let second = async {
        let time = world.time();
        let later = time.now() + std::time::Duration::from_millis(50);
        time.sleep_until(later, onward::testing::Turn::Script).await;
        agent.handle.assign([task("x", "C")]).await
    };
    let both = futures::future::join(first, second);
    let (first, second) = agent.wait("both sets are answered", both);
    assert!(first.is_ok() && second.is_ok(), "{first:?}, {second:?}");
    agent.run(5000);
    (world, store, agent)
}

#[test]
fn the_accepted_definition_is_stored_as_applied_while_the_next_update_hangs() {
    let (world, store, _) = change_twice_while_the_store_is_slow(|id, definition, call| {
        if (definition, call) == ("C", "update") { Act::Hangs } else { runs(id, definition, call) }
    });
    world.assert_called("x/B update returned");
    assert_eq!(applied(&store.inner, "x").as_deref(), Some("B"));
}

#[test]
fn the_accepted_definition_is_stored_as_applied_if_the_next_one_is_refused() {
    let (world, store, agent) =
        change_twice_while_the_store_is_slow(|id, definition, call| match (definition, call) {
            ("C", "update") => Act::Fails("C is not possible"),
            _ => runs(id, definition, call),
        });
    world.assert_called("x/B update returned");
    assert_eq!(applied(&store.inner, "x").as_deref(), Some("B"));
    let agent = agent.crash(&world, store.clone());
    agent.run(5000);
    let calls = world.calls_after("crash");
    assert!(calls.contains(&"x/B controller".into()), "{calls:?}");
    assert!(!calls.contains(&"x/A controller".into()), "{calls:?}");
}

#[test]
fn the_last_of_two_accepted_definitions_is_stored_as_applied() {
    let (_, store, _) = change_twice_while_the_store_is_slow(runs);
    assert_eq!(applied(&store.inner, "x").as_deref(), Some("C"));
}

#[test]
fn a_new_definition_of_an_ended_task_does_not_change_the_applied_one() {
    let plan = |_: &str, definition: &str, call: &str| match (definition, call) {
        ("B", "controller") => Act::Fails("unknown kind of task"),
        _ => Act::Returns,
    };
    let (world, store) = (World::new(plan), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A")]);
    agent.run(1000);
    agent.assign([task("x", "B")]);
    agent.run(1000);
    assert_eq!(applied(&store, "x").as_deref(), Some("A"));
    let agent = agent.crash(&world, store.clone());
    agent.run(1000);
    agent.assign([]);
    agent.until("x is removed", || store.get("x").is_none());
    world.assert_called("x/A remove");
}

#[test]
fn a_new_definition_of_a_failed_task_does_not_change_the_applied_one() {
    let plan = |_: &str, definition: &str, call: &str| match (definition, call) {
        ("B", "controller") => Act::Fails("unknown kind of task"),
        (_, "start") => Act::Fails("no port is free"),
        _ => Act::Returns,
    };
    let (world, store) = (World::new(plan), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A")]);
    agent.run(1000);
    agent.assign([task("x", "B")]);
    agent.run(1000);
    let agent = agent.crash(&world, store.clone());
    agent.assign([]);
    agent.until("x is removed", || store.get("x").is_none());
    assert!(world.calls_after("crash").contains(&"x/A remove".into()), "{world:?}");
}

#[test]
fn an_end_that_is_not_stored_does_not_let_another_definition_watch_the_workload() {
    let plan = |_: &str, _: &str, call: &str| {
        if call == "wait" { Act::Takes(500) } else { Act::Returns }
    };
    let (world, store) = (World::new(plan), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A")]);
    agent.run(100);
    super::place::fail_statuses(&store);
    agent.run(1000);
    assert_eq!(agent.status("x").state, TaskState::Complete);
    _ = agent.try_for(50, agent.handle.assign([task("x", "B")]));
    store.set_faults(|_| None);
    let agent = agent.crash(&world, store);
    agent.run(1000);
    let calls = world.calls_after("crash");
    let b = calls.iter().position(|call| call == "x/B wait");
    let offered = calls.iter().position(|call| call == "x/B update");
    assert!(b.is_none() || offered < b && offered.is_some(), "{calls:?}");
}

#[test]
fn every_unequal_definition_is_offered_even_one_that_was_applied_before() {
    let (world, store) = (World::new(runs), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    for definition in ["A", "B", "A", "C", "A"] {
        agent.assign([task("x", definition)]);
        agent.run(1000);
        assert_eq!(applied(&store, "x").as_deref(), Some(definition));
    }
    assert_eq!(world.count("x/A update returned"), 2);
}
