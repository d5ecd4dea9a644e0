//! A panic of the embedder's code fails its task and affects no other. (10)

use super::agent::{Agent, shut_down, task};
use super::world::{Act, World};
use onward::agent::MemoryStore;
use onward::agent::driver::DefinitionStatus;
use onward::agent::worker::AssignmentChange;
use onward::lifecycle::{TaskState, TaskStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The task x panics in some calls; y runs beside it.
fn start(
    plan: impl Fn(&str) -> Act + Send + Sync + 'static,
) -> (World, MemoryStore<String>, Agent) {
    let world = World::new(move |id, _, call| match (id, call) {
        ("x", call) => plan(call),
        (_, "wait") => Act::Hangs,
        _ => Act::Returns,
    });
    let store = MemoryStore::new();
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A"), task("y", "A")]);
    agent.run(1000);
    (world, store, agent)
}

/// y still runs, both can be removed, and the agent can be closed.
fn assert_all_else_works(world: &World, store: &MemoryStore<String>, agent: &Agent) {
    assert_eq!(agent.status("y").state, TaskState::Running);
    agent.assign([]);
    agent.until("y is removed", || store.get("y").is_none());
    agent.until("x is removed or cannot be", || {
        let tasks = agent.handle.tasks();
        // The executor that panics is asked again, because it may have a workload of x.
        tasks.iter().all(|task| task.removal_error.is_some() || task.snapshot.last_error.is_some())
    });
    agent.heard.assert_never_fell("x");
    world.assert_called("y/A remove returned");
    agent.close();
}

#[test]
fn a_task_whose_operation_panics_has_failed_with_the_text() {
    for call in ["controller", "logs", "prepare", "start", "wait"] {
        let (world, store, agent) = start(move |other| match other {
            other if other == call => Act::Panics,
            "wait" => Act::Hangs,
            _ => Act::Returns,
        });
        let status = agent.status("x");
        assert!(status.state.is_terminal(), "{call}: {status:?}");
        let text = format!("{call} panics as planned");
        assert!(
            status.err.as_deref().is_some_and(|error| error.contains(&text)),
            "{call}: {status:?}"
        );
        assert_all_else_works(&world, &store, &agent);
    }
}

#[test]
fn a_panic_of_inspect_close_or_remove_is_contained() {
    for call in ["inspect", "close", "remove"] {
        let (world, store, agent) = start(move |other| match other {
            other if other == call => Act::Panics,
            _ => Act::Returns,
        });
        assert_eq!(agent.status("x").state, TaskState::Complete, "{call}");
        assert_all_else_works(&world, &store, &agent);
    }
}

#[test]
fn a_definition_whose_update_panics_is_refused_with_the_text() {
    let (world, store, agent) = start(|call| match call {
        "update" => Act::Panics,
        "wait" => Act::Hangs,
        _ => Act::Returns,
    });
    agent.update(AssignmentChange::Update(task("x", "B")));
    agent.run(1000);
    world.assert_called("x/B update");
    let view = agent.view("x");
    let DefinitionStatus::Refused(reason) = &view.snapshot.definition else { panic!("{view:?}") };
    assert!(reason.contains("update panics as planned"), "{reason}");
    assert_eq!(view.snapshot.status.state, TaskState::Running);
    assert_all_else_works(&world, &store, &agent);
}

#[test]
fn a_task_whose_interrupted_operation_panics_when_dropped_ends() {
    for call in ["prepare", "start", "wait"] {
        let (world, store, agent) =
            start(move |other| if other == call { Act::PanicsWhenDropped } else { Act::Returns });
        agent.assign([shut_down("x", "A"), task("y", "A")]);
        agent.until("x ends", || agent.status("x").state.is_terminal());
        assert_all_else_works(&world, &store, &agent);
    }
}

#[test]
fn a_late_operation_that_panics_when_dropped_does_not_stop_its_task() {
    for call in ["shutdown", "terminate"] {
        let (world, store, agent) = start(move |other| match other {
            "wait" => Act::Hangs,
            other if other == call => Act::PanicsWhenDropped,
            "shutdown" => Act::Fails("it does not obey"),
            _ => Act::Returns,
        });
        agent.assign([shut_down("x", "A"), task("y", "A")]);
        agent.run(20_000);
        assert_all_else_works(&world, &store, &agent);
    }
}

#[test]
fn a_controller_that_panics_when_dropped_is_removed_once_and_forgotten() {
    let (world, store, agent) = start(|call| match call {
        "drop" => Act::Panics,
        "wait" => Act::Hangs,
        _ => Act::Returns,
    });
    agent.assign([task("y", "A")]);
    agent.until("x is forgotten", || store.get("x").is_none());
    agent.assign([task("x", "B"), task("y", "A")]);
    agent.until("the next x runs", || agent.status("x").state == TaskState::Running);
    assert_eq!(world.count("x/A remove"), 1);
    assert_eq!(agent.status("y").state, TaskState::Running);
    agent.close();
}

#[test]
fn a_listener_that_panics_is_called_again_and_stops_nothing() {
    let world = World::new(super::world::runs);
    let (store, calls) = (MemoryStore::new(), Arc::new(AtomicUsize::new(0)));
    let agent = Agent::start(&world, store.clone());
    let counted = Arc::clone(&calls);
    agent
        .handle
        .listen(move |_: &str, _: TaskStatus| {
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("a listener panics as planned");
        })
        .forever();
    agent.assign([task("x", "A"), task("y", "A")]);
    agent.until("both run", || {
        ["x", "y"].iter().all(|id| agent.status(id).state == TaskState::Running)
    });
    agent.run(100);
    assert_eq!(calls.load(Ordering::Relaxed), agent.heard.all().len());
    agent.assign([]);
    agent.until("both are removed", || agent.handle.tasks().is_empty());
    agent.close();
}
