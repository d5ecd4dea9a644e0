//! After a failed commit, each answer agrees with the store. (2, 14)

use super::agent::{Agent, SlowStore, shut_down, task};
use super::place::fail_commits;
use super::world::{World, runs};
use onward::agent::worker::AssignmentChange;
use onward::agent::{AssignError, MemoryStore, Policy};
use onward::lifecycle::TaskState;

/// Runs x and y, lets the commit of a message fail, written or not, and assigns the full set again.
/// Returns the agent after a crash.
fn refused_and_assigned_again(
    is_written: bool,
    message: AssignmentChange<String>,
) -> (World, MemoryStore<String>, Agent) {
    let (world, store) = (World::new(runs), MemoryStore::new());
    let agent = Agent::start(&world, store.clone());
    agent.assign([task("x", "A"), task("y", "A")]);
    agent.run(1000);
    fail_commits(&store, is_written);
    let refused = agent.try_update(message);
    assert!(matches!(refused, Err(AssignError::Store(_))), "{refused:?}");
    store.set_faults(|_| None);
    agent.assign([task("x", "A"), task("y", "A")]);
    let agent = agent.crash(&world, store.clone());
    agent.run(20_000);
    (world, store, agent)
}

/// The message has no effect, whether it was written or not.
fn assert_forgotten(message: &AssignmentChange<String>, forbidden: &[&str]) {
    for is_written in [true, false] {
        let (world, store, agent) = refused_and_assigned_again(is_written, message.clone());
        let calls = world.calls_after("crash");
        for call in forbidden {
            assert!(!calls.contains(&(*call).to_owned()), "written: {is_written}, {calls:?}");
        }
        let record = store.get("x").expect("x is assigned").record;
        assert!(!record.removing && record.policy.is_none(), "written: {is_written}, {record:?}");
        assert_eq!(record.assignment.desired_state, TaskState::Running);
        assert_eq!(record.assignment.definition, "A");
        assert_eq!(agent.status("x").state, TaskState::Running);
    }
}

#[test]
fn a_refused_removal_is_not_done_after_a_restart() {
    assert_forgotten(&AssignmentChange::Remove("x".into()), &["x/A remove"]);
}

#[test]
fn a_refused_shutdown_is_not_done_after_a_restart() {
    let desired_state = TaskState::Shutdown;
    let change = AssignmentChange::DesiredState { id: "x".into(), desired_state };
    assert_forgotten(&change, &["x/A shutdown"]);
    assert_forgotten(&AssignmentChange::Update(shut_down("x", "A")), &["x/A shutdown"]);
}

#[test]
fn a_refused_definition_is_not_offered_after_a_restart() {
    assert_forgotten(&AssignmentChange::Update(task("x", "B")), &["x/B update", "x/B controller"]);
}

#[test]
fn a_refused_policy_is_not_in_force_after_a_restart() {
    let task = task("x", "A").with_policy(Policy::default().with_shutdown_grace(None));
    assert_forgotten(&AssignmentChange::Update(task), &[]);
}

#[test]
fn a_refused_task_that_is_not_in_the_next_full_set_is_not_started_after_a_restart() {
    for is_written in [true, false] {
        let (world, store) = (World::new(runs), MemoryStore::new());
        let agent = Agent::start(&world, store.clone());
        agent.assign([]);
        fail_commits(&store, is_written);
        let refused = agent.try_assign([task("x", "A")]);
        assert!(matches!(refused, Err(AssignError::Store(_))), "{refused:?}");
        store.set_faults(|_| None);
        agent.assign([]);
        let agent = agent.crash(&world, store.clone());
        agent.run(1000);
        assert!(store.get("x").is_none(), "written: {is_written}");
        world.assert_not_called("x/A start");
        assert_eq!(agent.handle.tasks().len(), 0);
    }
}

#[test]
fn a_refused_task_is_not_started_after_a_restart_if_another_message_is_answered_next() {
    for is_written in [true, false] {
        let (world, store) = (World::new(runs), MemoryStore::new());
        let agent = Agent::start(&world, store.clone());
        agent.assign([]);
        fail_commits(&store, is_written);
        assert!(agent.try_assign([task("x", "A")]).is_err());
        store.set_faults(|_| None);
        agent.update(AssignmentChange::Update(task("y", "A")));
        let agent = agent.crash(&world, store.clone());
        agent.run(1000);
        world.assert_not_called("x/A start");
        world.assert_called("y/A start");
        agent.heard.assert_never_fell("y");
    }
}

#[test]
fn messages_whose_futures_were_dropped_share_commits() {
    let world = World::new(runs);
    let store = SlowStore::new(&world);
    let agent = Agent::start(&world, store.clone());
    agent.assign([]);
    store.set_delay(u64::MAX / 2);
    for round in 0..500 {
        let tasks = (0..20).map(|index| task(&format!("t{index}"), &round.to_string()));
        assert!(agent.try_for(1000, agent.handle.assign(tasks)).is_none());
    }
    let before = store.commits();
    store.set_delay(0);
    agent.run(5000);
    let commits = store.commits() - before;
    assert!(commits < 20, "{commits} commits for 500 sets that nobody waits for");
    let updates = world.calls().iter().filter(|call| call.ends_with("update")).count();
    assert!(updates <= 20, "{updates} updates of 20 tasks");
    assert_eq!(agent.view("t0").record.assignment.definition, "499");
}
