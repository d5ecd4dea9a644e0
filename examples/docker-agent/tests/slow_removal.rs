//! Containers that someone else removes, and whose removal does not end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::fs::File;
use std::path::PathBuf;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, ContainerStateStatusEnum};
use bollard::query_parameters::{CreateContainerOptions, RemoveContainerOptions};
use docker_agent::definition::DockerDefinition;
use docker_agent::executor::DockerExecutor;
use docker_agent::name::container_name;
use onward::exec::{Assignment, Controller as _, Executor as _};
use onward::{TaskState, TaskStatus};
use rustix::fs::{IFlags, ioctl_setflags};
use support::engine::{IMAGE, OwnEngine};
use support::life::{Life, shell};

/// A file of a container that the engine cannot remove.
struct Pin(PathBuf);

impl Pin {
    /// Begins to remove the container. The engine fails halfway, so the container keeps its name.
    async fn removal_of(own: &OwnEngine, client: &Docker, id: &str) -> Self {
        let pin = Self(own.dir().join("data/containers").join(id).join("pin"));
        ioctl_setflags(File::create(&pin.0).unwrap(), IFlags::IMMUTABLE).unwrap();
        client.remove_container(id, None).await.expect_err("it cannot be removed");
        let state = client.inspect_container(id, None).await.unwrap().state.unwrap();
        assert_eq!(state.status, Some(ContainerStateStatusEnum::DEAD));
        pin
    }

    /// Removes the container.
    async fn finish(self, client: &Docker, id: &str) {
        drop(self);
        let force = RemoveContainerOptions { force: true, ..Default::default() };
        client.remove_container(id, Some(force)).await.unwrap();
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        ioctl_setflags(File::open(&self.0).unwrap(), IFlags::empty()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_goes_before_its_start_is_no_success() {
    let test = "a_container_that_goes_before_its_start_is_no_success";
    let Some(own) = OwnEngine::start(test, &[]) else { return };
    let client = own.engine().client().await.unwrap().clone();
    let executor = DockerExecutor::new(own.engine(), "slow-removal");
    let assignment = Assignment::new("goes", shell("exit 0"));
    let mut controller = executor.controller(&assignment).await.unwrap();
    controller.prepare().await.unwrap();
    let found = client.inspect_container(&container_name("slow-removal", "goes"), None).await;
    let id = found.unwrap().id.unwrap();
    let pin = Pin::removal_of(&own, &client, &id).await;

    let refused = controller.prepare().await.unwrap_err();
    assert!(refused.is_temporary(), "{refused:#}");
    let refused = controller.start().await.unwrap_err();
    assert!(refused.is_temporary(), "{refused:#}");
    assert!(format!("{refused:#}").contains("marked for removal"), "{refused:#}");
    controller.wait().await.expect_err("it has never run");

    pin.finish(&client, &id).await;
    let gone = controller.start().await.unwrap_err();
    assert!(!gone.is_temporary(), "{gone:#}");
    assert!(gone.to_string().contains("it was removed by someone else"), "{gone:#}");
    controller.remove().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_for_a_name_whose_container_is_going() {
    let test = "a_task_waits_for_a_name_whose_container_is_going";
    let Some(own) = OwnEngine::start(test, &[]) else { return };
    let client = own.engine().client().await.unwrap().clone();
    let options = CreateContainerOptions { name: Some("wanted".to_owned()), ..Default::default() };
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        cmd: Some(vec!["true".to_owned()]),
        ..Default::default()
    };
    let id = client.create_container(Some(options), body).await.unwrap().id;
    let pin = Pin::removal_of(&own, &client, &id).await;

    let executor = DockerExecutor::new(own.engine(), "slow-removal");
    let container_name = Some("wanted".to_owned());
    let definition = DockerDefinition { container_name, ..shell("exit 0") };
    let life = Life::begin(&executor, "waits", definition);
    let in_use = |status: &TaskStatus| {
        status.err.as_deref().is_some_and(|err| err.contains("is already in use by container"))
    };
    let status = life.until("refused", in_use).await;
    assert_eq!(status.state, TaskState::Preparing);
    pin.finish(&client, &id).await;
    assert_eq!(life.ends().await.state, TaskState::Complete);
    life.remove().await;
}
