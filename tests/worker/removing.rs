//! Removals: failures, restarts, successors.

use super::agent::{Agent, task};
use super::world::{Script, Trouble};
use onward::agent::worker::AssignmentChange;
use onward::lifecycle::TaskState;

fn running() -> Agent {
    let agent = Agent::new();
    agent.assign(vec![task("t", Script::service())]);
    agent.run(100);
    agent
}

#[test]
fn a_removal_is_stored_before_it_begins_and_continues_after_a_restart() {
    let agent = running();
    agent.world.lock().trouble = Some(Trouble::RemovalDelayed);
    agent.update(vec![AssignmentChange::Remove("t".into())]);
    agent.run(100);
    assert!(agent.world.stored("t").unwrap().record.removing);
    let agent = agent.restart();
    agent.world.lock().trouble = None;
    agent.run(100);
    assert!(agent.world.stored("t").is_none());
    assert!(agent.world.lock().workloads.is_empty());
    agent.check();
}

#[test]
fn a_removal_with_a_temporary_error_is_retried_until_it_succeeds() {
    let agent = running();
    agent.world.lock().trouble = Some(Trouble::RemovalDelayed);
    agent.assign(Vec::new());
    agent.run(10_000);
    let view = agent.view("t");
    assert!(view.record.removing && view.removal_error.is_none());
    assert!(view.snapshot.attempt > Some(2) && view.snapshot.next_attempt.is_some());
    agent.world.lock().trouble = None;
    agent.run(30_000);
    assert!(agent.handle.tasks().is_empty());
    agent.check();
}

#[test]
fn a_removal_is_retried_after_longer_and_longer_delays_up_to_the_maximum() {
    let agent = running();
    agent.world.lock().trouble = Some(Trouble::RemovalDelayed);
    agent.assign(Vec::new());
    let removals = || agent.world.calls("t").iter().filter(|call| **call == "remove").count();
    agent.run(60_000);
    // After 1, 2, 4, 8, 16, 30 s, each longer or shorter by up to 10 %.
    let at_first = removals();
    assert!((5..=7).contains(&at_first), "{at_first}");
    agent.run(3_600_000);
    let every_30_s = removals() - at_first;
    assert!((109..=134).contains(&every_30_s), "{every_30_s}");
    let view = agent.view("t");
    assert_eq!(view.snapshot.last_error.as_deref(), Some("it is stuck"));
    assert_eq!(view.removal_error, None);
    agent.check();
}

#[test]
fn a_removal_that_panics_has_failed_and_is_not_retried_by_time() {
    let agent = running();
    agent.world.lock().trouble = Some(Trouble::RemovalPanics);
    agent.assign(Vec::new());
    let removals = || agent.world.calls("t").iter().filter(|call| **call == "remove").count();
    agent.run(3_600_000);
    assert_eq!(removals(), 1);
    let error = agent.view("t").removal_error.unwrap();
    assert!(error.contains("it is broken"), "{error}");
    agent.world.lock().trouble = None;
    agent.assign(Vec::new());
    agent.run(100);
    assert!(agent.handle.tasks().is_empty());
    agent.check();
}

#[test]
fn a_failed_removal_keeps_its_record_and_is_retried_with_the_next_full_set() {
    let agent = running();
    agent.world.lock().trouble = Some(Trouble::RemovalFails);
    agent.assign(Vec::new());
    agent.run(10_000);
    assert_eq!(agent.view("t").removal_error.as_deref(), Some("it is stuck"));
    let removals = || agent.world.calls("t").iter().filter(|call| **call == "remove").count();
    assert_eq!(removals(), 1);
    agent.assign(vec![task("u", Script::service())]);
    agent.run(10_000);
    assert_eq!(removals(), 2);
    agent.world.lock().trouble = None;
    agent.assign(vec![task("u", Script::service())]);
    agent.run(100);
    assert_eq!((agent.state("t"), agent.state("u")), (None, Some(TaskState::Running)));
    assert!(agent.world.stored("t").is_none());
    agent.check();
}

#[test]
fn a_failed_removal_is_retried_after_a_restart() {
    let agent = running();
    agent.world.lock().trouble = Some(Trouble::RemovalFails);
    agent.assign(Vec::new());
    agent.run(100);
    agent.world.lock().trouble = None;
    let agent = agent.restart();
    agent.run(100);
    assert!(agent.world.stored("t").is_none());
    agent.check();
}

#[test]
fn a_task_that_is_assigned_during_its_removal_starts_when_the_removal_is_complete() {
    let agent = running();
    agent.world.lock().trouble = Some(Trouble::RemovalDelayed);
    agent.assign(Vec::new());
    agent.run(100);
    agent.assign(vec![task("t", Script::job(10, 4))]);
    agent.run(100);
    let stored = agent.world.stored("t").unwrap().record;
    assert_eq!(stored.next.as_ref().unwrap().assignment.definition, Script::job(10, 4));
    assert!(agent.view("t").record.removing);
    // The last message counts.
    agent.assign(vec![task("t", Script::job(10, 5))]);
    agent.world.lock().trouble = None;
    agent.run(30_000);
    assert_eq!(agent.state("t"), Some(TaskState::Failed));
    let told = agent.told.all();
    let code = told["t"].last().unwrap().container_status.as_ref().unwrap().exit_code;
    assert_eq!(code, Some(5));
    let stored = agent.world.stored("t").unwrap();
    assert!(!stored.record.removing && stored.record.next.is_none());
    agent.check();
}

#[test]
fn a_successor_that_is_removed_again_does_not_start() {
    let agent = running();
    agent.world.lock().trouble = Some(Trouble::RemovalDelayed);
    agent.assign(Vec::new());
    agent.assign(vec![task("t", Script::service())]);
    agent.assign(Vec::new());
    agent.world.lock().trouble = None;
    agent.run(30_000);
    assert!(agent.handle.tasks().is_empty());
    assert_eq!(agent.world.calls("t").iter().filter(|call| **call == "start").count(), 1);
    agent.check();
}

#[test]
fn a_successor_survives_a_restart() {
    let agent = running();
    agent.world.lock().trouble = Some(Trouble::RemovalDelayed);
    agent.assign(Vec::new());
    agent.assign(vec![task("t", Script::job(10, 0))]);
    let agent = agent.restart();
    agent.world.lock().trouble = None;
    // The reports now belong to the successor.
    agent.run(30_000);
    assert_eq!(agent.state("t"), Some(TaskState::Complete));
    agent.check();
}

#[test]
fn a_failed_task_is_removed_as_soon_as_the_executor_returns_a_controller() {
    let agent = running();
    agent.pool.crash();
    agent.world.lock().trouble = Some(Trouble::ExecutorRefuses);
    let agent = Agent::start(&agent.world, &agent.told, 3);
    agent.run(100);
    assert_eq!(agent.state("t"), Some(TaskState::Failed));
    agent.world.lock().trouble = Some(Trouble::ExecutorBusy);
    agent.assign(Vec::new());
    agent.run(60_000);
    // It may have a workload, so its record stays.
    assert!(agent.world.stored("t").unwrap().record.removing);
    assert_eq!(agent.world.lock().workloads.len(), 1);
    agent.world.lock().trouble = None;
    agent.run(60_000);
    assert!(agent.world.stored("t").is_none());
    assert!(agent.world.lock().workloads.is_empty());
    agent.check();
}

#[test]
fn a_task_that_the_executor_cannot_run_has_nothing_to_remove() {
    let agent = Agent::new();
    agent.assign(vec![task("t", Script { known: false, ..Script::service() })]);
    agent.run(100);
    agent.assign(Vec::new());
    agent.run(100);
    assert!(agent.handle.tasks().is_empty());
    assert!(agent.world.stored("t").is_none());
    agent.check();
}

#[test]
fn a_busy_executor_is_asked_for_a_removal_after_longer_and_longer_delays() {
    let agent = running();
    agent.pool.crash();
    agent.world.lock().trouble = Some(Trouble::ExecutorBusy);
    let agent = Agent::start(&agent.world, &agent.told, 3);
    agent.assign(Vec::new());
    agent.world.lock().controllers = 0;
    agent.run(60_000);
    // After 1, 2, 4, 8, 16, 30 s, each longer or shorter by up to 10 %.
    let asked = agent.world.lock().controllers;
    assert!((5..=7).contains(&asked), "{asked}");
    agent.check();
}
