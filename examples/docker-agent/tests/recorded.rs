//! Lives of tasks that a real engine's own worker has reported, lived again by this agent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use docker_agent::definition::{
    BindMount, ContainerFile, Cpus, DockerDefinition, FileKind, HealthCheck, Mount, Port,
    PullPolicy, TmpfsMount,
};
use docker_agent::dependencies::Dependencies;
use docker_agent::executor::DockerExecutor;
use futures::future::join_all;
use onward::exec::{Assignment, ControllerError};
use onward::lifecycle::{ContainerStatus, PortConfig};
use onward::{TaskState, TaskStatus};
use serde::Deserialize;
use serde_json::{Value, json};
use support::engine::{IMAGE, engine};
use support::life::{Life, PATIENCE, own_id};
use tokio::time::{sleep, timeout};

/// A task of the recording.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Recorded {
    about: String,
    spec: TaskSpec,
    life: Vec<Moment>,
}

/// A status, and the state that the manager desired when it was recorded.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Moment {
    desired_state: TaskState,
    status: TaskStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaskSpec {
    container_spec: ContainerSpec,
    #[serde(default)]
    resources: Resources,
}

/// The options that the recorded tasks have.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ContainerSpec {
    image: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: Vec<String>,
    init: Option<bool>,
    stop_grace_period: Option<u64>,
    healthcheck: Option<Check>,
    #[serde(default)]
    mounts: Vec<Bind>,
    #[serde(default)]
    secrets: Vec<Secret>,
    #[serde(default)]
    configs: Vec<Config>,
    /// Empty in all of them.
    #[serde(default, rename = "DNSConfig")]
    _dns: BTreeMap<String, Value>,
    /// The default in all of them.
    #[serde(rename = "Isolation")]
    _isolation: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Check {
    test: Vec<String>,
    interval: u64,
    timeout: Option<u64>,
    retries: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Bind {
    #[serde(rename = "Type")]
    _type: String,
    source: String,
    target: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    file: File,
    #[serde(rename = "SecretID")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    file: File,
    #[serde(rename = "ConfigID")]
    id: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "UID")]
    uid: String,
    #[serde(rename = "GID")]
    gid: String,
    #[serde(rename = "Mode")]
    mode: u32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Resources {
    limits: Amounts,
    reservations: Amounts,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Amounts {
    #[serde(rename = "MemoryBytes")]
    memory: Option<i64>,
    /// A reservation of processors is for the manager that looks for a node.
    #[serde(rename = "NanoCPUs")]
    cpus: Option<i64>,
}

impl File {
    fn in_container(self, kind: FileKind, source: String) -> ContainerFile {
        let (uid, gid) = (self.uid.parse().unwrap(), self.gid.parse().unwrap());
        ContainerFile { kind, source, target: self.name, uid, gid, mode: self.mode }
    }
}

/// The same container for this agent.
fn definition(spec: TaskSpec, ports: &[PortConfig]) -> DockerDefinition {
    let TaskSpec { container_spec: spec, resources } = spec;
    let image = if spec.image == "bb:1" { IMAGE.to_owned() } else { spec.image };
    let mut definition = DockerDefinition::new(image);
    // The private engine of a test reaches no registry, so a pull would be tried again and again.
    definition.pull = PullPolicy::Never;
    definition.labels = spec.labels;
    definition.command = spec.command;
    definition.args = spec.args;
    let env = spec.env.iter().map(|entry| entry.split_once('=').unwrap());
    definition.env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    definition.init = spec.init;
    if let Some(grace) = spec.stop_grace_period {
        definition.stop_grace = Duration::from_nanos(grace);
    }
    definition.healthcheck = spec.healthcheck.map(|check| HealthCheck {
        test: check.test,
        interval: Some(Duration::from_nanos(check.interval)),
        timeout: check.timeout.map(Duration::from_nanos),
        retries: Some(check.retries),
        start_period: None,
        start_interval: None,
    });
    for Bind { source, target, .. } in spec.mounts {
        let bind = json!({"source": source, "target": target});
        definition.mounts.push(Mount::Bind(serde_json::from_value::<BindMount>(bind).unwrap()));
    }
    // The recorded image had this directory.
    if definition.args.iter().any(|arg| arg == "/www") {
        let tmpfs = json!({"target": "/www"});
        definition.mounts.push(Mount::Tmpfs(serde_json::from_value::<TmpfsMount>(tmpfs).unwrap()));
    }
    let secrets = spec.secrets.into_iter();
    let configs = spec.configs.into_iter();
    definition.files = secrets
        .map(|secret| secret.file.in_container(FileKind::Secret, secret.id))
        .chain(configs.map(|config| config.file.in_container(FileKind::Config, config.id)))
        .collect();
    definition.resources.memory = resources.limits.memory;
    definition.resources.cpus = resources.limits.cpus.map(Cpus);
    definition.resources.memory_reservation = resources.reservations.memory;
    // A port is listed for IPv4 and for IPv6.
    let mut ports = ports.to_vec();
    ports.dedup();
    definition.ports = ports
        .into_iter()
        .map(|port| Port {
            protocol: port.protocol,
            published: port.published_port.try_into().ok(),
            ..Port::new(port.target_port.try_into().unwrap())
        })
        .collect();
    definition
}

/// Gives every secret and config the same bytes.
struct Given;

impl Dependencies for Given {
    fn file(&self, _: &str, _: &ContainerFile) -> Result<Vec<u8>, ControllerError> {
        Ok(b"a throw-away secret\n".to_vec())
    }
}

/// A status without the values that are new in every life: the time, the container's id, the process.
fn without_ids(mut status: TaskStatus) -> TaskStatus {
    status.timestamp = None;
    status.container_status = status
        .container_status
        .filter(|container| !container.is_empty())
        .map(|container| ContainerStatus {
            container_id: "id".to_owned(),
            pid: container.pid.map(|_| 1),
            ..container
        });
    status
}

/// Whether a status is the recorded one. The error may have more words, for example the reason of an
/// exit code.
fn is_recorded(status: &TaskStatus, recorded: &TaskStatus) -> bool {
    let (mut status, mut recorded) = (without_ids(status.clone()), without_ids(recorded.clone()));
    // While the container runs there is none. The recorded engine writes 0, and -1 when it is asked to
    // stop.
    if recorded.state < TaskState::Complete
        && let Some(container) = &mut recorded.container_status
    {
        container.exit_code = None;
    }
    let same_error = match (status.err.take(), recorded.err.take()) {
        (Some(err), Some(recorded)) => err.contains(&*recorded),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    same_error && status == recorded
}

/// Lives the life of a recorded task. Each recorded status must be reported, in their order.
async fn live(executor: &DockerExecutor, recorded: Recorded) {
    let Recorded { about, spec, life: moments } = recorded;
    let ports = moments.iter().map(|moment| &moment.status.port_status.ports);
    let ports = ports.max_by_key(|ports| ports.len()).unwrap().clone();
    let definition = definition(spec, &ports);
    let is_for_task = |moment: &Moment| {
        // A manager lets an ended task go, and asks a running one to end after its last recorded status.
        moment.desired_state <= TaskState::Complete || moment.status.state == TaskState::Shutdown
    };
    let desired = moments.first().filter(|moment| is_for_task(moment));
    let desired = desired.map_or(TaskState::Running, |moment| moment.desired_state);
    let assignment = Assignment::new(own_id("recorded"), definition).with_desired_state(desired);
    let life = Life::begin_assigned(executor, assignment);
    let mut reached = 0;
    for moment in moments {
        if is_for_task(&moment) {
            life.update(|assignment| assignment.with_desired_state(moment.desired_state));
        }
        let reported = async {
            loop {
                let trail = life.trail();
                let mut later = trail.iter().skip(reached);
                if let Some(more) = later.position(|status| is_recorded(status, &moment.status)) {
                    return reached + more;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        reached = timeout(PATIENCE, reported).await.unwrap_or_else(|_| {
            panic!(
                "{about}: {:#?} is not reported after {reached}: {:#?}",
                moment.status,
                life.trail()
            )
        });
    }
    life.remove().await;
}

#[tokio::test]
async fn each_recorded_life_of_a_task_is_the_same_here() {
    let Some(engine) = engine("each_recorded_life_of_a_task_is_the_same_here") else { return };
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let executor = DockerExecutor::builder(engine, "recorded")
        .with_dependencies(Given)
        .with_files(memory.path().join("files"))
        .with_port_doubles(true)
        .build();
    let lines = include_str!("data/lives.jsonl").lines();
    let tasks = lines.map(|line| serde_json::from_str(line).unwrap());
    join_all(tasks.map(|task| live(&executor, task))).await;
}
