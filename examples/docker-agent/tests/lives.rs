//! Lives of containers on a real engine, each with its exact status.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use docker_agent::definition::{BindMount, DockerDefinition, Mount, Port, PullPolicy};
use docker_agent::executor::DockerExecutor;
use onward::{TaskState, TaskStatus};
use support::engine::{IMAGE, engine};
use support::life::{Life, exit_code, shell, when_set};

/// The last task's error.
fn err(status: &TaskStatus) -> &str {
    status.err.as_deref().unwrap_or_default()
}

/// Runs a task to its end, and removes it.
async fn end(test: &str, definition: DockerDefinition) -> Option<TaskStatus> {
    let executor = DockerExecutor::new(engine(test)?, "lives");
    let life = Life::begin(&executor, test, definition);
    let status = life.ends().await;
    life.remove().await;
    Some(status)
}

#[tokio::test]
async fn a_container_that_exits_with_0_is_complete() {
    let Some(status) = end("exits-with-0", shell("exit 0")).await else { return };
    assert_eq!(
        (status.state, &*status.message, err(&status)),
        (TaskState::Complete, "finished", "")
    );
    assert_eq!(exit_code(&status), Some(0));
    assert!(!status.container_status.unwrap().container_id.is_empty());
}

#[tokio::test]
async fn a_container_that_exits_with_7_has_failed_with_7() {
    let Some(status) = end("exits-with-7", shell("exit 7")).await else { return };
    assert_eq!((status.state, &*status.message), (TaskState::Failed, "started"));
    assert_eq!((err(&status), exit_code(&status)), ("task: non-zero exit (7)", Some(7)));
}

#[tokio::test]
async fn a_container_out_of_memory_has_failed_with_137_and_the_reason() {
    let mut definition = shell("x=$(head -c 60000000 /dev/zero | tr '\\0' a); echo ${#x}");
    definition.resources.memory = Some(16 << 20);
    definition.resources.memory_swap = Some(16 << 20);
    let Some(status) = end("out-of-memory", definition).await else { return };
    assert_eq!((status.state, exit_code(&status)), (TaskState::Failed, Some(137)));
    // One container in six is not known to the engine as out of memory, if eight run out of it at once.
    let known = "task: non-zero exit (137): out of memory: the kernel has killed it at its limit of 16.0 MiB";
    let perhaps = "task: non-zero exit (137): killed, perhaps out of memory: the engine does not know why, and its limit is 16.0 MiB";
    assert!([known, perhaps].contains(&err(&status)), "{status:?}");
}

#[tokio::test]
async fn a_container_that_a_signal_ends_has_failed_with_128_and_the_signal() {
    let Some(status) = end("signal", shell("kill -SEGV $$")).await else { return };
    assert_eq!((status.state, exit_code(&status)), (TaskState::Failed, Some(139)));
    assert_eq!(err(&status), "task: non-zero exit (139)");
}

#[tokio::test]
async fn an_image_that_is_not_there_and_may_not_be_pulled_is_rejected() {
    let mut definition = DockerDefinition::new("nosuch/image:9");
    definition.pull = PullPolicy::Never;
    let Some(status) = end("image-missing", definition).await else { return };
    assert_eq!((status.state, &*status.message), (TaskState::Rejected, "preparing"));
    assert!(err(&status).contains("No such image: nosuch/image:9"), "{status:?}");
}

#[tokio::test]
async fn a_command_that_is_missing_has_failed_with_127() {
    let definition = DockerDefinition::new(IMAGE).with_args(["/does/not/exist"]);
    let Some(status) = end("command-missing", definition).await else { return };
    assert_eq!((status.state, &*status.message), (TaskState::Failed, "starting"));
    assert_eq!(exit_code(&status), Some(127));
    assert!(
        err(&status).starts_with("starting container failed: failed to create shim task"),
        "{status:?}"
    );
    assert!(err(&status).contains("stat /does/not/exist: no such file or directory"), "{status:?}");
}

#[tokio::test]
async fn a_command_that_is_not_executable_has_failed_with_126() {
    let definition = DockerDefinition::new(IMAGE).with_args(["/etc/passwd"]);
    let Some(status) = end("command-not-executable", definition).await else { return };
    assert_eq!((status.state, exit_code(&status)), (TaskState::Failed, Some(126)));
    assert!(err(&status).contains("permission denied"), "{status:?}");
}

#[tokio::test]
async fn a_mount_without_its_source_is_rejected() {
    let mut definition = shell("exit 0");
    let bind = r#"{"source": "/no/such/dir", "target": "/x"}"#;
    definition.mounts.push(Mount::Bind(serde_json::from_str::<BindMount>(bind).unwrap()));
    let Some(status) = end("bad-mount", definition).await else { return };
    assert_eq!((status.state, &*status.message), (TaskState::Rejected, "preparing"));
    let recorded =
        "invalid mount config for type \"bind\": bind source path does not exist: /no/such/dir";
    assert!(err(&status).contains(recorded), "{status:?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_tried_again_until_it_is_free() {
    let Some(engine) = engine("port-taken") else { return };
    let executor = DockerExecutor::new(engine, "lives");
    let mut definition = shell("sleep 1000");
    let published = Some(18181.try_into().unwrap());
    definition.ports.push(Port { published, ..Port::new(80.try_into().unwrap()) });
    let first = Life::begin(&executor, "port-first", definition.clone());
    let status = first.reaches(TaskState::Running).await;
    let ports: Vec<_> = status.port_status.ports.iter().map(|port| port.published_port).collect();
    assert_eq!(ports, [18181]);

    let second = Life::begin(&executor, "port-second", definition);
    let is_refused = |status: &TaskStatus| {
        status.state == TaskState::Starting && err(status).contains("port is already allocated")
    };
    let refused = second.until("refused", is_refused).await;
    assert_eq!(exit_code(&refused), None, "it has not run");
    first.remove().await;
    second.reaches(TaskState::Running).await;
    second.remove().await;
}

#[tokio::test]
async fn a_container_that_ignores_its_stop_signal_is_killed_after_its_grace() {
    let Some(engine) = engine("ignores-term") else { return };
    let executor = DockerExecutor::new(engine, "lives");
    let definition = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    let life = Life::begin(&executor, "ignores-term", definition);
    life.reaches(TaskState::Running).await;
    let status = life.shut_down().await;
    assert_eq!((status.state, &*status.message), (TaskState::Shutdown, "shutdown"));
    assert_eq!(exit_code(&status), Some(137));
    life.remove().await;
}

#[tokio::test]
async fn a_container_gets_the_stop_signal_of_its_definition() {
    let Some(engine) = engine("stop-signal") else { return };
    let executor = DockerExecutor::new(engine, "lives");
    // Healthy when the trap is set.
    let line = "trap 'exit 3' USR1; touch /tmp/set; while :; do sleep 1000 & wait; done";
    let mut definition = when_set(shell(line));
    definition.stop_signal = Some("USR1".to_owned());
    let life = Life::begin(&executor, "stop-signal", definition);
    life.reaches(TaskState::Running).await;
    let status = life.shut_down().await;
    assert_eq!((status.state, exit_code(&status)), (TaskState::Shutdown, Some(3)));
    life.remove().await;
}

#[tokio::test]
async fn a_container_that_someone_else_removes_has_failed() {
    let Some(engine) = engine("removed-by-someone") else { return };
    let executor = DockerExecutor::new(engine.clone(), "lives");
    let life = Life::begin(&executor, "removed-by-someone", shell("sleep 1000"));
    let id = life.reaches(TaskState::Running).await.container_status.unwrap().container_id;
    let force =
        bollard::query_parameters::RemoveContainerOptions { force: true, ..Default::default() };
    engine.client().await.unwrap().remove_container(&id, Some(force)).await.unwrap();
    let status = life.reaches(TaskState::Failed).await;
    assert_eq!((status.state, &*status.message), (TaskState::Failed, "started"));
    // The container is killed first, and its end may be seen or not.
    let seen =
        ["task: non-zero exit (137)", "the container is gone: it was removed by someone else"];
    assert!(seen.contains(&err(&status)), "{status:?}");
    life.remove().await;
}
