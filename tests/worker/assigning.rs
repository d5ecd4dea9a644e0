//! Assignments and their effect.

use super::agent::{Agent, stopped, task};
use super::world::{Script, Trouble};
use onward::agent::driver::DefinitionStatus;
use onward::agent::policy::Backoff;
use onward::agent::worker::AssignmentChange;
use onward::agent::{AssignedTask, Policy};
use onward::exec::Assignment;
use onward::lifecycle::{TaskState, TaskStatus};
use serde_json::json;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn labelled(label: u32) -> AssignedTask<Script> {
    task("t", Script { label, ..Script::service() })
}

#[test]
fn a_task_is_taken_to_its_end_and_every_status_is_reported() {
    let agent = Agent::new();
    agent.assign(vec![task("job", Script::job(50, 3)), task("web", Script::service())]);
    agent.run(1_000);
    assert_eq!(agent.state("job"), Some(TaskState::Failed));
    assert_eq!(agent.state("web"), Some(TaskState::Running));
    let told = agent.told.all();
    let last = told["job"].last().unwrap();
    assert_eq!(last.container_status.as_ref().unwrap().exit_code, Some(3));
    agent.assign(vec![task("job", Script::job(50, 3)), stopped("web", Script::service())]);
    agent.run(1_000);
    assert_eq!(agent.state("web"), Some(TaskState::Shutdown));
    agent.check();
}

#[test]
fn accepted_is_reported_once() {
    let agent = Agent::new();
    let waits = Assignment::new("web", Script::service()).with_desired_state(TaskState::Accepted);
    agent.assign(vec![waits.into()]);
    agent.run(1_000);
    assert_eq!(agent.told.states("web"), [TaskState::Accepted]);
    agent.assign(vec![task("web", Script::service())]);
    agent.run(1_000);
    let told = agent.told.states("web");
    assert_eq!(told.iter().filter(|state| **state == TaskState::Accepted).count(), 1, "{told:?}");
    agent.check();
}

#[test]
fn a_task_that_is_not_in_a_full_set_is_removed_and_its_record_deleted() {
    let agent = Agent::new();
    agent.assign(vec![task("a", Script::service()), task("b", Script::service())]);
    agent.run(100);
    agent.assign(vec![task("b", Script::service())]);
    agent.run(100);
    assert_eq!(agent.state("a"), None);
    assert!(agent.world.stored("a").is_none());
    assert_eq!(agent.world.lock().workloads.keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(agent.state("b"), Some(TaskState::Running));
    agent.check();
}

#[test]
fn an_update_changes_only_the_tasks_in_it() {
    let agent = Agent::new();
    agent.assign(vec![task("a", Script::service()), task("b", Script::service())]);
    agent.update(vec![
        AssignmentChange::Update(task("c", Script::service())),
        AssignmentChange::Update(stopped("a", Script::service())),
        AssignmentChange::Remove("never heard of".into()),
    ]);
    agent.run(100);
    assert_eq!(agent.state("a"), Some(TaskState::Shutdown));
    assert_eq!(agent.state("b"), Some(TaskState::Running));
    assert_eq!(agent.state("c"), Some(TaskState::Running));
    agent.update(vec![AssignmentChange::Remove("b".into())]);
    agent.run(100);
    assert_eq!(agent.state("b"), None);
    assert_eq!(agent.state("c"), Some(TaskState::Running));
    agent.check();
}

#[test]
fn a_message_with_an_id_twice_is_refused_and_changes_nothing() {
    let agent = Agent::new();
    agent.assign(vec![labelled(1)]);
    let twice = vec![labelled(2), task("u", Script::service()), labelled(3)];
    let error = agent.try_assign(twice).unwrap_err();
    assert_eq!(error.to_string(), "two tasks have the id `t`: each task needs an id of its own");
    agent.run(100);
    assert_eq!((agent.state("t"), agent.state("u")), (Some(TaskState::Running), None));
    assert_eq!(agent.view("t").record.assignment.definition.label, 1);
    let both = [AssignmentChange::Remove("t".into()), AssignmentChange::Update(labelled(1))];
    let both = agent.pool.run_until(agent.handle.update(both)).unwrap();
    assert!(both.unwrap_err().to_string().contains("`t`"));
    agent.check();
}

#[test]
fn an_invalid_policy_is_refused_when_its_task_is_deserialized() {
    let task = |jitter: f64| {
        let assignment =
            json!({ "id": "t", "version": 1, "desired_state": "running", "definition": "d" });
        json!({ "assignment": assignment, "policy": { "retry_jitter": jitter } })
    };
    let read = |jitter| serde_json::from_value::<AssignedTask<String>>(task(jitter));
    assert!(read(0.5).is_ok(), "{:?}", read(0.5));
    let error = read(7.0).unwrap_err().to_string();
    assert_eq!(error, "retry_jitter is 7: expected a number from 0 to 1");
}

#[test]
fn a_lower_desired_state_is_refused_and_the_other_tasks_are_accepted() {
    let agent = Agent::new();
    agent.assign(vec![stopped("t", Script::service())]);
    let refused = agent.try_assign(vec![labelled(5), task("u", Script::service())]).unwrap();
    let refused: Vec<_> = refused.iter().map(ToString::to_string).collect();
    let lower =
        "the desired state running is lower than shutdown: expected the same or a higher one";
    assert_eq!(refused, [format!("task `t`: {lower}")]);
    agent.run(100);
    assert_eq!(agent.view("t").record.assignment.definition.label, 0);
    assert_eq!(agent.state("t"), Some(TaskState::Shutdown));
    assert_eq!(agent.state("u"), Some(TaskState::Running));
}

#[test]
fn a_definition_has_changed_if_it_is_unequal() {
    let agent = Agent::new();
    let updates = || agent.world.calls("t").iter().filter(|call| **call == "update").count();
    let stored = || {
        let record = agent.world.stored("t").unwrap().record;
        (record.assignment.definition.label, record.applied.as_ref().unwrap().definition.label)
    };
    agent.assign(vec![labelled(1)]);
    agent.run(100);
    let commits = agent.world.count_commits(|_| true);
    agent.assign(vec![labelled(1)]);
    agent.run(100);
    assert_eq!((updates(), stored(), commits.load(Ordering::Relaxed)), (0, (1, 1), 0));
    // The controller has accepted the definition, and that is stored.
    agent.assign(vec![labelled(2)]);
    agent.run(100);
    assert_eq!((updates(), stored()), (1, (2, 2)));
    agent.assign(vec![labelled(3)]);
    agent.run(100);
    assert_eq!((updates(), stored()), (2, (3, 3)));
    agent.assign(vec![stopped("t", Script { label: 3, ..Script::service() })]);
    agent.run(100);
    // A task that has ended gets no update, so its controller has the old definition.
    agent.assign(vec![stopped("t", Script { label: 4, ..Script::service() })]);
    agent.run(100);
    assert_eq!((updates(), stored()), (2, (4, 3)));
    agent.check();
}

#[test]
fn a_new_policy_of_a_task_is_used_at_once() {
    let agent = Agent::new();
    let flaky = || task("t", Script { tries: 3, ..Script::service() });
    let patient = |millis| {
        let retry = Duration::from_millis(millis);
        Policy::default().with_backoff(Backoff::new(retry, retry).with_jitter(0.0).unwrap())
    };
    agent.assign(vec![flaky().with_policy(patient(200))]);
    agent.run(390);
    assert_eq!(agent.world.calls("t"), ["prepare", "prepare"]);
    agent.assign(vec![flaky().with_policy(patient(2_000))]);
    agent.run(2_000);
    assert_eq!(agent.world.calls("t"), ["prepare", "prepare", "prepare"]);
    agent.run(300);
    assert_eq!(agent.state("t"), Some(TaskState::Running));
    // Without its own policy, it has the policy of the worker again.
    assert_eq!(agent.view("t").record.policy, Some(patient(2_000).into()));
    agent.assign(vec![flaky()]);
    assert_eq!(agent.view("t").record.policy, None);
    agent.check();
}

#[test]
fn a_status_that_comes_with_a_task_counts_only_where_nothing_is_stored() {
    let agent = Agent::new();
    let mut running = TaskStatus::new(TaskState::Running);
    running.message = "started".into();
    agent.world.lock().workloads.insert(
        "t".into(),
        super::world::Workload { started: Some(Duration::ZERO), ..Default::default() },
    );
    agent.assign(vec![labelled(1).with_status(running.clone())]);
    agent.run(100);
    assert_eq!(agent.world.calls("t"), ["wait"]);
    assert_eq!(agent.told.states("t")[0], TaskState::Running);
    // Whoever took it there may have gone before the answer.
    assert_eq!(agent.told.last()["t"].container_status.as_ref().unwrap().pid, Some(7));
    assert!(agent.world.stored("t").unwrap().status.is_some());
    let failed = TaskStatus::new(TaskState::Failed);
    agent.assign(vec![labelled(1).with_status(failed)]);
    agent.run(100);
    assert_eq!(agent.state("t"), Some(TaskState::Running));
    agent.check();
}

#[test]
fn a_task_without_a_controller_is_rejected_and_other_tasks_continue() {
    let agent = Agent::new();
    let unknown = || task("t", Script { known: false, ..Script::service() });
    agent.assign(vec![unknown(), task("u", Script::service())]);
    agent.run(100);
    assert_eq!(agent.told.states("t"), [TaskState::Rejected]);
    assert_eq!(agent.told.last()["t"].err.as_deref(), Some("unknown kind of task"));
    assert_eq!(agent.world.stored("t").unwrap().status.unwrap().state, TaskState::Rejected);
    assert_eq!(agent.state("u"), Some(TaskState::Running));
    assert_eq!(agent.view("t").snapshot.status.state, TaskState::Rejected);
    let definition = |id| agent.view(id).snapshot.definition;
    assert_eq!(definition("t"), DefinitionStatus::Pending);
    assert_eq!(definition("u"), DefinitionStatus::Applied);
    // The state stays, even with a controller.
    agent.assign(vec![labelled(0), task("u", Script::service())]);
    agent.run(100);
    assert_eq!(definition("t"), DefinitionStatus::Applied);
    assert_eq!(agent.state("t"), Some(TaskState::Rejected));
    assert_eq!(agent.world.calls("t"), [""; 0]);
    agent.check();
}

#[test]
fn a_task_without_a_controller_gets_one_when_it_is_assigned_again() {
    let agent = Agent::new();
    let definition = || agent.view("t").snapshot.definition;
    agent.world.lock().trouble = Some(Trouble::ExecutorRefuses);
    agent.assign(vec![labelled(1)]);
    agent.run(60_000);
    assert_eq!(definition(), DefinitionStatus::Pending);
    agent.world.lock().trouble = None;
    agent.run(60_000);
    assert_eq!(definition(), DefinitionStatus::Pending);
    agent.assign(vec![labelled(1)]);
    agent.run(100);
    assert_eq!(definition(), DefinitionStatus::Applied);
    assert_eq!(agent.state("t"), Some(TaskState::Rejected));
    agent.check();
}

#[test]
fn an_executor_that_is_busy_is_asked_again_until_it_has_a_controller() {
    let agent = Agent::new();
    agent.world.lock().trouble = Some(Trouble::ExecutorBusy);
    agent.assign(vec![labelled(1)]);
    agent.run(60_000);
    assert_eq!(agent.state("t"), Some(TaskState::Assigned));
    assert_eq!(agent.view("t").snapshot.status.err.as_deref(), Some("busy"));
    agent.world.lock().trouble = None;
    agent.run(60_000);
    assert_eq!(agent.state("t"), Some(TaskState::Running));
    agent.check();
}

#[test]
fn an_executor_that_panics_has_failed_for_that_task() {
    let agent = Agent::new();
    agent.world.lock().trouble = Some(Trouble::ExecutorPanics);
    agent.assign(vec![labelled(1)]);
    agent.run(100);
    assert_eq!(agent.told.last()["t"].err.as_deref(), Some("the executor panicked: out of cheese"));
    agent.world.lock().trouble = None;
    agent.assign(vec![labelled(1), task("u", Script::service())]);
    agent.run(100);
    assert_eq!(agent.state("u"), Some(TaskState::Running));
    assert_eq!(agent.state("t"), Some(TaskState::Rejected));
}

#[test]
fn another_definition_reaches_a_task_that_still_waits_for_its_controller() {
    let agent = Agent::new();
    agent.assign(vec![task("t", Script { known: false, ..Script::service() })]);
    agent.run(10);
    let AssignedTask { assignment, .. } = labelled(2);
    let shut_down = AssignedTask::new(assignment).with_desired_state(TaskState::Shutdown);
    agent.assign(vec![shut_down]);
    agent.run(10);
    assert_eq!(agent.view("t").snapshot.desired_state, TaskState::Shutdown);
    assert_eq!(agent.state("t"), Some(TaskState::Rejected));
    agent.check();
}

#[test]
fn thousands_of_tasks_come_and_go() {
    let agent = Agent::new();
    let ids: Vec<_> = (0..5_000).map(|number| format!("{number:04}")).collect();
    agent.assign(ids.iter().map(|id| task(id, Script::service())).collect());
    agent.run(1_000);
    let states: Vec<_> = ids.iter().map(|id| agent.told.last()[id].state).take(100).collect();
    assert_eq!(states, [TaskState::Running; 100]);
    assert_eq!(agent.told.last().len(), 5_000);
    agent.assign(Vec::new());
    agent.run(1_000);
    assert_eq!((agent.handle.tasks().len(), agent.world.lock().workloads.len()), (0, 0));
    agent.check();
}
