//! Orphans: `list` and `reconcile`.

use super::agent::{Agent, task};
use super::world::{Script, Trouble, Workload};
use onward::agent::worker::AssignmentChange;
use onward::lifecycle::TaskState;

fn with(orphans: &[&str]) -> Agent {
    let agent = Agent::new();
    for orphan in orphans {
        agent.world.lock().workloads.insert((*orphan).into(), Workload::default());
    }
    agent
}

fn reconciled(agent: &Agent) -> Vec<String> {
    let inner = agent.world.lock();
    let reconciled = inner.calls.iter().filter(|(_, call)| *call == "reconcile");
    reconciled.map(|(id, _)| id.clone()).collect()
}

#[test]
fn an_orphan_is_reconciled_after_the_first_full_set() {
    let agent = with(&["left", "mine"]);
    agent.update(vec![AssignmentChange::Update(task("u", Script::service()))]);
    agent.run(100);
    // It may still be assigned.
    assert_eq!(reconciled(&agent), [""; 0]);
    agent.assign(vec![task("mine", Script::service()), task("u", Script::service())]);
    agent.run(100);
    assert_eq!(reconciled(&agent), ["left"]);
    assert_eq!(agent.state("mine"), Some(TaskState::Running));
    agent.world.lock().workloads.insert("later".into(), Workload::default());
    agent.assign(vec![task("u", Script::service())]);
    agent.run(100);
    // `list` is called once.
    assert_eq!(reconciled(&agent), ["left"]);
    agent.check();
}

#[test]
fn a_failed_reconcile_is_retried_with_the_next_full_set() {
    let agent = with(&["left"]);
    agent.world.lock().trouble = Some(Trouble::ReconcileFails("left"));
    agent.assign(Vec::new());
    agent.run(100);
    assert_eq!(reconciled(&agent), [""; 0]);
    agent.world.lock().trouble = None;
    agent.assign(Vec::new());
    agent.run(100);
    assert_eq!(reconciled(&agent), ["left"]);
    agent.check();
}

#[test]
fn a_task_waits_for_the_reconcile_of_its_id_and_other_tasks_do_not() {
    let agent = with(&["left"]);
    agent.world.lock().trouble = Some(Trouble::ReconcileHangs);
    agent.assign(Vec::new());
    agent.run(100);
    agent.assign(vec![task("left", Script::service()), task("other", Script::service())]);
    agent.run(60_000);
    assert_eq!(agent.state("left"), Some(TaskState::Assigned));
    assert_eq!((agent.world.calls("left"), reconciled(&agent)), (vec![], vec![]));
    assert_eq!(agent.state("other"), Some(TaskState::Running));
    agent.world.lock().trouble = None;
    agent.run(2_000);
    assert_eq!(agent.world.calls("left"), ["reconcile", "prepare", "start", "wait"]);
    assert_eq!(agent.state("left"), Some(TaskState::Running));
    agent.check();
}

#[test]
fn of_two_orphans_only_the_one_whose_reconcile_failed_is_reconciled_again() {
    let agent = with(&["easy", "stuck"]);
    agent.world.lock().trouble = Some(Trouble::ReconcileFails("stuck"));
    agent.assign(Vec::new());
    agent.run(100);
    assert_eq!(reconciled(&agent), ["easy"]);
    agent.world.lock().trouble = None;
    agent.assign(Vec::new());
    agent.run(100);
    assert_eq!(reconciled(&agent), ["easy", "stuck"]);
    // The other order: the last `reconcile` fails.
    let agent = with(&["also easy", "stuck", "zero"]);
    agent.world.lock().trouble = Some(Trouble::ReconcileFails("also easy"));
    agent.assign(Vec::new());
    agent.run(100);
    agent.world.lock().trouble = None;
    agent.assign(Vec::new());
    agent.run(100);
    assert_eq!(agent.world.lock().workloads.len(), 0);
    agent.check();
}

#[test]
fn a_workload_of_a_task_that_is_being_removed_is_no_orphan() {
    let agent = with(&[]);
    agent.assign(vec![task("t", Script::service())]);
    agent.run(100);
    agent.world.lock().trouble = Some(Trouble::RemovalDelayed);
    agent.assign(Vec::new());
    let agent = agent.restart();
    agent.assign(Vec::new());
    agent.run(100);
    assert_eq!(reconciled(&agent), [""; 0]);
    agent.check();
}
