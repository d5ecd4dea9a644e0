//! Tests that the types of an agent survive serialization to JSON.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking

use onward::agent::driver::{DefinitionStatus, DriverExit};
use onward::agent::reporter::{ReportError, StatusUpdate};
use onward::agent::worker::{AssignmentChange, TaskView};
use onward::agent::{
    AssignedTask, MemoryStore, Policy, Reporter, Runtime, StatusReporter, StatusSink, Worker,
    WorkerHandle,
};
use onward::exec::{Assignment, ControllerError};
use onward::lifecycle::{ContainerStatus, TaskState, TaskStatus, stored_status};
use onward::testing::strategy::task_status;
use onward::testing::{Behavior, Call, Script, ScriptedExecutor, VirtualPool, VirtualTime};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The JSON of a value. Asserts that it can be deserialized again.
#[track_caller]
fn json_of<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> Value {
    let json = serde_json::to_value(value).unwrap();
    assert_eq!(&serde_json::from_value::<T>(json.clone()).unwrap(), value, "{json}");
    json
}

fn assigned() -> AssignedTask<String> {
    let policy = Policy::default()
        .with_controller_deadline(Duration::from_secs(1))
        .with_update_deadline(Duration::from_secs(2))
        .with_remove_deadline(Duration::from_secs(3))
        .with_shutdown_before_removal(true);
    let assignment = Assignment::new("web.1", "alpine:3".to_owned()).with_service_id("web");
    let status = TaskStatus::new(TaskState::Running);
    AssignedTask::new(assignment).with_policy(policy).with_status(status)
}

#[test]
fn an_assigned_task_can_be_deserialized_again() {
    let json = json_of(&assigned());
    assert_eq!(json["policy"]["remove_deadline_ms"], json!(3_000));
    assert_eq!(json["policy"]["shutdown_before_removal"], json!(true));
    json_of(&AssignedTask::new(Assignment::new("web.1", "alpine:3".to_owned())));
}

#[test]
fn every_assignment_change_can_be_deserialized_again() {
    json_of(&AssignmentChange::Update(assigned()));
    json_of(&AssignmentChange::<String>::Remove("web.1".into()));
    let (id, desired_state) = ("web.1".into(), TaskState::Shutdown);
    let json = json_of(&AssignmentChange::<String>::DesiredState { id, desired_state });
    assert_eq!(json["DesiredState"]["desired_state"], json!("shutdown"));
}

#[test]
fn every_driver_exit_can_be_deserialized_again() {
    json_of(&DriverExit::Removed);
    json_of(&DriverExit::RemovalFailed { error: "it is stuck".into() });
    json_of(&DriverExit::Closed);
}

/// A connection that collects its reports.
struct Keeps(Arc<Mutex<Vec<StatusUpdate>>>);

impl StatusReporter for Keeps {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        self.0.lock().unwrap().extend_from_slice(updates);
        Ok(())
    }
}

#[test]
fn a_status_update_can_be_deserialized_again() {
    let pool = VirtualPool::new(VirtualTime::new(), 1);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let mut reporter = Reporter::new(Keeps(Arc::clone(&kept)), Arc::new(pool.clone()));
    let mut status = TaskStatus::new(TaskState::Failed);
    status.err = Some("no luck".into());
    reporter.handle().changed("web.1", status);
    pool.run_until(reporter.flush(Duration::from_secs(1))).unwrap().unwrap();
    let json = json_of(&kept.lock().unwrap()[0]);
    assert_eq!((&json["id"], &json["status"]["State"]), (&json!("web.1"), &json!("failed")));
}

/// The only task of a worker, after this many seconds.
fn view_after(seconds: u64, script: Script) -> TaskView<()> {
    let pool = VirtualPool::new(VirtualTime::new(), 1);
    let executor = ScriptedExecutor::new(move |_| script.clone());
    let opened = Worker::open(executor, MemoryStore::new(), Arc::new(pool.clone()));
    let mut worker = pool.run_until(opened).unwrap().unwrap();
    let handle: WorkerHandle<()> = worker.handle();
    pool.spawn(Box::pin(async move { worker.run().await })).unwrap();
    pool.run_until(async {
        handle.assign([Assignment::new("t", ())]).await.unwrap();
        pool.sleep_until(Duration::from_secs(seconds)).await;
    });
    handle.tasks().remove(0)
}

fn can_be_read_again(view: &TaskView<()>) {
    json_of(view);
    json_of(&view.snapshot);
}

#[test]
fn a_task_view_and_its_snapshot_can_be_deserialized_again() {
    let ended = view_after(1, Script::new());
    assert_eq!(ended.snapshot.status.state, TaskState::Complete);
    assert_eq!(ended.snapshot.definition, DefinitionStatus::Applied);
    assert!(!ended.snapshot.history.is_empty());
    can_be_read_again(&ended);

    let busy = Behavior::fails(ControllerError::new("busy").temporary());
    let waits = view_after(1, Script::new().with(Call::Prepare, [busy]));
    assert!(waits.snapshot.next_attempt.is_some(), "{waits:?}");
    can_be_read_again(&waits);
}

#[test]
fn every_definition_status_can_be_deserialized_again() {
    for status in [
        DefinitionStatus::Pending,
        DefinitionStatus::Applied,
        DefinitionStatus::Outdated,
        DefinitionStatus::Refused("not that".into()),
    ] {
        json_of(&status);
    }
}

#[test]
fn an_exit_code_of_0_and_an_unknown_one_are_deserialized_unchanged() {
    for exit_code in [None, Some(0), Some(3)] {
        let mut status = TaskStatus::new(TaskState::Failed);
        let container_id = "web.1".into();
        status.container_status = Some(ContainerStatus { container_id, pid: None, exit_code });
        json_of(&assigned().with_status(status));
    }
}

proptest! {
    #[test]
    fn a_stored_status_is_read_again_as_it_was(status in task_status()) {
        let json = stored_status::serialize(&status, serde_json::value::Serializer).unwrap();
        let read = stored_status::deserialize(&json).unwrap();
        prop_assert_eq!(&read, &status, "{}", json);
    }
}
