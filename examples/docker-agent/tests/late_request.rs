//! Requests and events that come late, or never.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::time::Duration;

use docker_agent::executor::DockerExecutor;
use onward::exec::{Controller as _, Executor as _};
use onward::{Assignment, TaskState};
use support::engine::{engine, exec};
use support::life::{Life, PATIENCE, exit_code, shell};
use support::proxy::Proxy;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_created_late_is_removed_with_its_task() {
    let test = "a_container_that_is_created_late_is_removed_with_its_task";
    let Some(real) = engine(test) else { return };
    let Some(socket) = real.host().strip_prefix("unix://") else { return };
    let proxy = Proxy::start(socket.into(), "/containers/create");
    let executor = DockerExecutor::new(proxy.engine(), "late");
    let assignment = Assignment::new("late", shell("exit 0"));
    let mut controller = executor.controller(&assignment).await.unwrap();
    tokio::select! {
        prepared = controller.prepare() => panic!("it was not held: {prepared:?}"),
        held = timeout(PATIENCE, proxy.held.acquire()) => held.unwrap().unwrap().forget(),
    }
    // The operation was dropped, and its request is on its way.
    let removing = async {
        let mut removing = std::pin::pin!(controller.remove());
        // It waits for the request, or has ended before it.
        let early = timeout(Duration::from_millis(500), &mut removing).await;
        proxy.released.add_permits(1);
        match early {
            Ok(removed) => removed,
            Err(_) => removing.await,
        }
    };
    timeout(PATIENCE, removing).await.expect("the task is not removed").unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let left = DockerExecutor::new(real, "late").list().await.unwrap();
    assert_eq!(left, [""; 0], "a container was created after its task was removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_container_is_found_without_its_event() {
    let test = "the_end_of_a_container_is_found_without_its_event";
    let Some(real) = engine(test) else { return };
    let Some(socket) = real.host().strip_prefix("unix://") else { return };
    let proxy = Proxy::start(socket.into(), "/events");
    let executor = DockerExecutor::new(proxy.engine(), "no-events");
    let line = "until [ -e /tmp/end ]; do sleep 0.1; done; exit 6";
    let life = Life::begin(&executor, "no-events", shell(line));
    let id = life.reaches(TaskState::Running).await.container_status.unwrap().container_id;
    exec(&id, "touch /tmp/end", "");
    let status = life.ends().await;
    assert_eq!((status.state, exit_code(&status)), (TaskState::Failed, Some(6)));
    assert!(proxy.held.available_permits() > 0, "the events are not held back");
    life.remove().await;
}
