//! Containers and networks of others, which no agent touches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, NetworkCreateRequest};
use bollard::query_parameters::CreateContainerOptions;
use docker_agent::definition::{DockerDefinition, Network};
use docker_agent::executor::DockerExecutor;
use docker_agent::labels;
use docker_agent::name::container_name;
use onward::exec::{Assignment, Controller as _, Executor as _};
use support::engine::{IMAGE, engine};
use support::life::{own_id, shell};

/// Makes a container that this agent has not made.
async fn make(client: &Docker, name: &str, labels: &[(&str, &str)]) -> String {
    let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
    let body = ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        cmd: Some(vec!["true".to_owned()]),
        labels: Some(labels.collect::<HashMap<_, _>>()),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
    client.create_container(Some(options), body).await.unwrap().id
}

fn with_networks(networks: &[&str]) -> DockerDefinition {
    let networks = networks.iter().map(|name| Network::new(*name)).collect();
    DockerDefinition { networks, ..shell("exit 0") }
}

#[tokio::test]
async fn a_stray_is_removed_and_nothing_of_others() {
    let Some(engine) = engine("a_stray_is_removed_and_nothing_of_others") else { return };
    let client = engine.client().await.unwrap().clone();
    let agent = own_id("reconcile");
    let [own, other, foreign] = ["own", "other", "foreign"].map(|of| format!("{agent}-{of}"));
    let network = NetworkCreateRequest { name: foreign.clone(), ..Default::default() };
    client.create_network(network).await.unwrap();

    // The same task of this agent, of another agent, and of containers that nearly look like it.
    let executor = DockerExecutor::new(engine.clone(), &*agent);
    let other_agent = format!("{agent}2");
    let others = DockerExecutor::new(engine, &*other_agent);
    for (executor, networks) in [(&executor, [&*own, &*foreign]), (&others, [&*other, &*foreign])] {
        let assignment = Assignment::new("task", with_networks(&networks));
        executor.controller(&assignment).await.unwrap().prepare().await.unwrap();
    }
    let own_name = container_name(&agent, "task");
    let kept = [
        container_name(&other_agent, "task"),
        make(&client, &format!("{own_name}2"), &[]).await,
        make(&client, &format!("{agent}-task"), &[(labels::TASK, "task")]).await,
        make(&client, &format!("{agent}-nearly"), &[(labels::AGENT, &other_agent)]).await,
    ];

    assert_eq!(executor.list().await.unwrap(), ["task"]);
    executor.reconcile("task").await.unwrap();
    executor.reconcile("task2").await.unwrap();
    assert_eq!(executor.list().await.unwrap(), [""; 0]);
    client.inspect_container(&own_name, None).await.expect_err("the stray is removed");
    client.inspect_network(&own, None).await.expect_err("its network is removed");
    for container in &kept {
        client.inspect_container(container, None).await.expect("it is not touched");
    }
    for network in [&other, &foreign] {
        client.inspect_network(network, None).await.expect("it is not touched");
    }

    others.reconcile("task").await.unwrap();
    for container in kept.iter().skip(1) {
        client.remove_container(container, None).await.unwrap();
    }
    client.inspect_network(&other, None).await.expect_err("it went with its last container");
    client.remove_network(&foreign).await.unwrap();
}
