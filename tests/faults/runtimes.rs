//! A runtime that refuses or drops the futures of drivers, or panics. (6)

use super::agent::{Agent, task};
use super::place::{Spawning, Unreliable};
use super::world::{Act, World, runs};
use onward::agent::MemoryStore;
use onward::agent::worker::AssignmentChange;
use onward::lifecycle::TaskState;
use std::sync::Arc;

const ALL: [Spawning; 4] = [Spawning::Refuses, Spawning::Panics, Spawning::Drops, Spawning::Runs];

struct Place {
    world: World,
    store: MemoryStore<String>,
    runtime: Arc<Unreliable>,
    agent: Agent,
}

impl Place {
    fn new(spawning: Spawning, plan: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let world = World::new(move |_, _, call| plan(call));
        let (store, mut runtime) = (MemoryStore::new(), None);
        let agent = Agent::start_on(&world, store.clone(), |pool| {
            runtime.insert(Unreliable::new(pool, spawning)).clone()
        });
        let runtime = runtime.expect("the agent has a runtime");
        Self { world, store, runtime, agent }
    }
}

fn until_ended(call: &str) -> Act {
    runs("", "", call)
}

#[test]
fn close_returns_if_the_runtime_refuses_or_drops_futures() {
    for spawning in ALL {
        let place = Place::new(spawning, until_ended);
        place.agent.assign([task("x", "A"), task("y", "A")]);
        place.agent.close();
    }
}

#[test]
fn a_task_runs_and_is_removed_if_the_runtime_refuses_or_drops_its_future() {
    for spawning in ALL {
        let Place { world, store, agent, .. } = Place::new(spawning, until_ended);
        agent.assign([task("x", "A")]);
        agent.until("x runs", || agent.status("x").state == TaskState::Running);
        assert_eq!(agent.view("x").is_driven_by_worker, spawning != Spawning::Runs);
        agent.assign([]);
        agent.until("x is removed", || store.get("x").is_none());
        assert_eq!(world.count("x/A remove"), 1);
        assert_eq!(world.count("x/A start"), 1);
        agent.close();
    }
}

#[test]
fn shut_down_returns_if_the_runtime_drops_the_futures() {
    for spawning in [Spawning::Refuses, Spawning::Panics, Spawning::Drops] {
        let Place { agent, .. } = Place::new(spawning, until_ended);
        agent.assign([task("x", "A"), task("y", "A")]);
        agent.wait("shut_down returns", agent.handle.shut_down()).unwrap();
        assert_eq!(agent.status("y").state, TaskState::Shutdown);
    }
}

#[test]
fn a_future_that_is_aborted_in_any_operation_is_replaced() {
    for aborted in ["controller", "prepare", "start", "wait", "shutdown", "remove", "close"] {
        let Place { world, store, runtime, agent } =
            Place::new(Spawning::Runs, move |call| match call {
                "wait" => Act::Hangs,
                call if call == aborted => Act::Takes(100),
                _ => Act::Returns,
            });
        agent.assign([task("x", "A")]);
        agent.run(50);
        if ["shutdown", "remove", "close"].contains(&aborted) {
            let desired_state = TaskState::Shutdown;
            agent.update(AssignmentChange::DesiredState { id: "x".into(), desired_state });
            agent.run(20);
        }
        if ["remove", "close"].contains(&aborted) {
            agent.until("x is shut down", || agent.status("x").state.is_terminal());
            agent.assign([]);
            agent.run(20);
        }
        world.assert_called(&format!("x/A {aborted}"));
        runtime.abort();
        agent.run(1000);
        agent.heard.assert_never_fell("x");
        agent.assign([]);
        agent.until("x is removed", || store.get("x").is_none());
        agent.close();
    }
}

#[test]
fn a_task_that_begins_after_the_runtime_has_recovered_runs_on_it() {
    let Place { runtime, agent, .. } = Place::new(Spawning::Refuses, until_ended);
    agent.assign([task("x", "A")]);
    agent.run(100);
    runtime.set(Spawning::Runs);
    agent.assign([task("x", "A"), task("y", "A")]);
    agent.run(100);
    assert!(agent.view("x").is_driven_by_worker);
    assert!(!agent.view("y").is_driven_by_worker);
    assert_eq!(agent.status("y").state, TaskState::Running);
    agent.close();
}

#[test]
fn every_task_of_a_set_is_driven_if_each_spawn_panics() {
    let Place { agent, .. } = Place::new(Spawning::Panics, until_ended);
    agent.assign([task("x", "A"), task("y", "A"), task("z", "A")]);
    agent.run(100);
    for id in ["x", "y", "z"] {
        assert_eq!(agent.status(id).state, TaskState::Running, "{id}");
        assert!(agent.view(id).is_driven_by_worker, "{id}");
    }
    agent.close();
}
