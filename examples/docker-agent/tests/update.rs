//! An update that the death of its agent has interrupted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use bollard::query_parameters::RenameContainerOptions;
use docker_agent::executor::DockerExecutor;
use docker_agent::name::container_name;
use onward::Assignment;
use onward::exec::{Controller as _, Executor as _};
use support::engine::engine;
use support::life::shell;

#[tokio::test]
async fn a_successor_whose_predecessor_is_gone_takes_its_place() {
    let Some(engine) = engine("a_successor_whose_predecessor_is_gone_takes_its_place") else {
        return;
    };
    let client = engine.client().await.unwrap().clone();
    let executor = DockerExecutor::new(engine, "update");
    let assignment = Assignment::new("interrupted", shell("exit 0"));
    executor.controller(&assignment).await.unwrap().prepare().await.unwrap();
    // The agent dies after it has removed the old container, and before it renames the new one.
    let name = container_name("update", "interrupted");
    let options = RenameContainerOptions { name: format!("{name}_successor") };
    client.rename_container(&name, options).await.unwrap();

    let mut next = executor.controller(&assignment).await.unwrap();
    next.start().await.unwrap();
    next.wait().await.unwrap();
    client.inspect_container(&name, None).await.expect("it has the name of the task's container");
    next.remove().await.unwrap();
    assert_eq!(executor.list().await.unwrap(), [""; 0]);
}
