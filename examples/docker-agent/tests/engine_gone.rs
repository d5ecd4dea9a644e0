//! Engines that stop, crash and come back while tasks live on them.
//!
//! `ONWARD_GONE` is the number of seconds for which an engine is gone. Default: as long as the tasks
//! need to notice it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::time::Duration;

use docker_agent::executor::DockerExecutor;
use onward::{Assignment, TaskState, TaskStatus};
use support::engine::OwnEngine;
use support::life::{Life, exit_code, own_id, shell, when_set};
use tokio::time::sleep;

const LIVE_RESTORE: &[&str] = &["--live-restore"];

/// Ends with 4 when the engine stops it, and with 0 when the file is there.
const LINE: &str = "trap 'exit 4' TERM; touch /tmp/set; until [ -e /tmp/end ]; do sleep 0.2; done";

fn has_no_engine(status: &TaskStatus) -> bool {
    status.err.as_deref().is_some_and(|err| !err.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_outlives_an_engine_with_live_restore_in_every_state() {
    let Some(own) = OwnEngine::start("engine with live-restore", LIVE_RESTORE) else { return };
    let executor = DockerExecutor::new(own.engine(), "gone");
    let running = Life::begin(&executor, "running", when_set(shell(LINE)));
    let stopped = Life::begin(&executor, "stopped", when_set(shell(LINE)));
    let completes = Life::begin(&executor, "completes", when_set(shell(LINE)));
    let waits = when_set(shell("while :; do sleep 0.2; done"));
    let starting = Life::begin(&executor, "starting", when_set(waits));
    let ready = Assignment::new(own_id("ready"), when_set(shell(LINE)));
    let ready = Life::begin_assigned(&executor, ready.with_desired_state(TaskState::Ready));
    let removed = Life::begin(&executor, "removed", when_set(shell(LINE)));
    for life in [&running, &stopped, &completes, &removed] {
        life.reaches(TaskState::Running).await;
    }
    ready.reaches(TaskState::Ready).await;
    starting.reaches(TaskState::Starting).await;

    own.kill();
    let preparing = Life::begin(&executor, "preparing", when_set(shell(LINE)));
    preparing
        .until("without engine", |status| {
            status.state == TaskState::Preparing && has_no_engine(status)
        })
        .await;
    running
        .until("without engine", |status| {
            status.state == TaskState::Running && has_no_engine(status)
        })
        .await;
    stopped.update(|assignment| assignment.with_desired_state(TaskState::Shutdown));
    stopped.until("waiting for the engine", has_no_engine).await;
    starting.until("without engine", has_no_engine).await;
    let removing = tokio::spawn(removed.remove());
    let gone = std::env::var("ONWARD_GONE").ok().and_then(|seconds| seconds.parse().ok());
    sleep(Duration::from_secs(gone.unwrap_or(0))).await;

    own.start_again(LIVE_RESTORE);
    assert_eq!(ready.handle.status().state, TaskState::Ready);
    ready.update(|assignment| assignment.with_desired_state(TaskState::Running));
    ready.reaches(TaskState::Running).await;
    // Docker 20.10 does not check the health of the containers that it finds again.
    assert_eq!(starting.handle.status().state, TaskState::Starting);
    preparing.reaches(TaskState::Running).await;
    assert_eq!(stopped.ends().await.state, TaskState::Shutdown);
    running.reaches(TaskState::Running).await;
    let id = completes.handle.status().container_status.unwrap().container_id;
    own.exec(&id, "touch /tmp/end");
    let status = completes.ends().await;
    assert_eq!((status.state, exit_code(&status)), (TaskState::Complete, Some(0)));
    assert_eq!(running.handle.status().state, TaskState::Running);
    removing.await.unwrap();
    for life in [running, stopped, completes, starting, ready, preparing] {
        life.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_ends_with_its_own_code_when_its_engine_stops_it() {
    let Some(own) = OwnEngine::start("engine without live-restore", &[]) else { return };
    let executor = DockerExecutor::new(own.engine(), "gone");
    let life = Life::begin(&executor, "stopped-by-engine", when_set(shell(LINE)));
    life.reaches(TaskState::Running).await;
    own.stop();
    own.start_again(&[]);
    let status = life.ends().await;
    assert_eq!((status.state, exit_code(&status)), (TaskState::Failed, Some(4)));
    assert_eq!(status.err.as_deref(), Some("task: non-zero exit (4)"));

    // An engine that was killed kills its containers when it comes back.
    let killed = Life::begin(&executor, "killed-by-engine", when_set(shell(LINE)));
    killed.reaches(TaskState::Running).await;
    own.kill();
    own.start_again(&[]);
    let status = killed.ends().await;
    assert_eq!(status.state, TaskState::Failed, "{status:?}");
    assert!(matches!(exit_code(&status), Some(4 | 137)), "{status:?}");
    life.remove().await;
    killed.remove().await;
}
