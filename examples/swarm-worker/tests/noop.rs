//! Tasks of the runtime that runs nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a test fails by panicking
#![allow(missing_docs, dead_code)] // it uses a part of the support

#[path = "support/life.rs"]
mod life;

use life::Life;
use onward::TaskState;
use swarm_worker::dependencies::SwarmDependencies;
use swarm_worker::description::NodeSettings;
use swarm_worker::runtime::SwarmExecutor;
use swarm_worker::task::SwarmTask;
use swarm_worker::wire;

fn task(id: &str, image: &str) -> wire::Task {
    let container = wire::ContainerSpec { image: image.to_owned(), ..Default::default() };
    let runtime = wire::task_spec::Runtime::Container(Box::new(container));
    let service = wire::Annotations { name: "web".to_owned(), ..Default::default() };
    wire::Task {
        id: id.to_owned(),
        slot: 1,
        service_annotations: Some(service),
        desired_state: TaskState::Running.number(),
        spec: Some(wire::TaskSpec { runtime: Some(runtime), ..Default::default() }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_task_without_a_workload_runs_until_it_is_shut_down() {
    let executor = SwarmExecutor::noop(NodeSettings::default(), SwarmDependencies::new());
    let life = Life::begin(&executor, SwarmTask::from_wire(&task("t1", "any")).unwrap());
    life.until("running", |status| status.state == TaskState::Running).await;
    assert_eq!(life.shut_down().await.state, TaskState::Shutdown);
    life.remove().await;
    assert_eq!(executor.describe().await.unwrap().platform.unwrap().os, "linux");
}

#[tokio::test]
async fn a_malformed_task_is_rejected_beside_one_that_runs() {
    let executor = SwarmExecutor::noop(NodeSettings::default(), SwarmDependencies::new());
    let good = Life::begin(&executor, SwarmTask::from_wire(&task("t1", "any")).unwrap());
    let bad = Life::begin(&executor, SwarmTask::from_wire(&task("t2", "a b")).unwrap());
    let status = bad.ends().await;
    assert_eq!(status.state, TaskState::Rejected);
    assert!(status.err.unwrap().starts_with("image: \"a b\" is no image"));
    good.until("running", |status| status.state == TaskState::Running).await;
}
