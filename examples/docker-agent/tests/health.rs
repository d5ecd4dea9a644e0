//! Health checks of containers on a real engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use docker_agent::definition::{DockerDefinition, HealthCheck};
use docker_agent::executor::DockerExecutor;
use onward::TaskState;
use support::engine::engine;
use support::life::{Life, exit_code, shell};

/// A container with a check that succeeds if this file is there.
fn checked(line: &str, file: &str, retries: u32) -> DockerDefinition {
    let mut definition = shell(line);
    let check = format!(
        r#"{{"test": ["CMD", "test", "-e", "{file}"], "interval": "500ms", "retries": {retries}}}"#
    );
    definition.healthcheck = Some(serde_json::from_str::<HealthCheck>(&check).unwrap());
    definition
}

#[tokio::test]
async fn a_container_runs_when_it_is_healthy() {
    let Some(engine) = engine("a_container_runs_when_it_is_healthy") else { return };
    let executor = DockerExecutor::new(engine, "health");
    let life = Life::begin(
        &executor,
        "healthy",
        checked("sleep 2; touch /tmp/ok; sleep 1000", "/tmp/ok", 200),
    );
    life.reaches(TaskState::Starting).await;
    life.reaches(TaskState::Running).await;
    life.remove().await;
}

#[tokio::test]
async fn a_container_that_is_unhealthy_before_it_was_healthy_is_stopped_and_has_failed() {
    let Some(engine) = engine("unhealthy before RUNNING") else { return };
    let executor = DockerExecutor::new(engine, "health");
    let life = Life::begin(&executor, "unhealthy", checked("trap '' TERM; sleep 1000", "/no", 2));
    let status = life.ends().await;
    assert_eq!((status.state, &*status.message), (TaskState::Failed, "starting"));
    let expected = "task: non-zero exit (137): dockerexec: unhealthy container";
    assert_eq!((status.err.as_deref(), exit_code(&status)), (Some(expected), Some(137)));
    life.remove().await;
}

#[tokio::test]
async fn a_container_that_becomes_unhealthy_is_stopped_and_has_failed() {
    let Some(engine) = engine("unhealthy after RUNNING") else { return };
    let executor = DockerExecutor::new(engine, "health");
    let line = "trap '' TERM; touch /tmp/ok; sleep 3; rm /tmp/ok; sleep 1000";
    let life = Life::begin(&executor, "becomes-unhealthy", checked(line, "/tmp/ok", 2));
    life.reaches(TaskState::Running).await;
    let status = life.ends().await;
    assert_eq!((status.state, &*status.message), (TaskState::Failed, "started"));
    let expected = "task: non-zero exit (137): dockerexec: unhealthy container";
    assert_eq!((status.err.as_deref(), exit_code(&status)), (Some(expected), Some(137)));
    life.remove().await;
}

#[tokio::test]
async fn a_container_that_exits_before_it_is_healthy_keeps_its_exit_code() {
    let Some(engine) = engine("exits before healthy") else { return };
    let executor = DockerExecutor::new(engine, "health");
    let life = Life::begin(&executor, "exits-early", checked("sleep 1; exit 5", "/no", 200));
    let status = life.ends().await;
    assert_eq!((status.state, &*status.message), (TaskState::Failed, "starting"));
    let expected = "task: non-zero exit (5)";
    assert_eq!((status.err.as_deref(), exit_code(&status)), (Some(expected), Some(5)));
    life.remove().await;

    let life = Life::begin(&executor, "completes-early", checked("sleep 1; exit 0", "/no", 200));
    let status = life.ends().await;
    assert_eq!((status.state, exit_code(&status)), (TaskState::Complete, Some(0)));
    life.remove().await;
}
