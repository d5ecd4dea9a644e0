//! The container of a service with every option of `docker service create`, as a manager has sent it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::RemoveVolumeOptions;
use docker_agent::definition::{
    ContainerFile, Cpus, DockerDefinition, FileKind, LogDriver, Mount, Port, Ulimit,
};
use docker_agent::dependencies::Dependencies;
use docker_agent::executor::DockerExecutor;
use onward::TaskState;
use onward::exec::ControllerError;
use onward::lifecycle::Protocol;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use serde_json::{Value, json};
use support::engine::{IMAGE, engine};
use support::life::{Life, exit_code};

/// What a container of this agent cannot have of the recorded task, and why.
const NOT_THE_CONTAINERS: [(&str, &str); 7] = [
    ("/spec/resources/reservations/nano_cpus", "the manager looks for a node that has them"),
    ("/spec/resources/reservations/generic", "the same; those assigned are in the environment"),
    ("/spec/restart", "the manager makes another task; the container is never started again"),
    ("/spec/placement", "the manager looks for a node"),
    ("/service_annotations", "a template of a value uses the name; the labels are the service's"),
    ("/slot", "a template of a value uses it"),
    ("/node_id", "a template of a value uses it"),
];

/// Gives every secret and config some bytes.
struct Given;

impl Dependencies for Given {
    fn file(&self, _: &str, file: &ContainerFile) -> Result<Vec<u8>, ControllerError> {
        Ok(file.source.clone().into_bytes())
    }
}

/// A directory of the host whose mounts are shared, as the propagation `rslave` needs it.
struct SharedDir(tempfile::TempDir);

impl SharedDir {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        mount(c"data", dir.path(), c"tmpfs", MountFlags::empty(), c"size=1m").unwrap();
        mount_change(dir.path(), MountPropagationFlags::SHARED).unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SharedDir {
    fn drop(&mut self) {
        unmount(self.path(), UnmountFlags::DETACH).unwrap();
    }
}

fn mount_of(value: Value) -> Mount {
    serde_json::from_value(value).unwrap()
}

/// The recorded task, with its templates filled in: `{{.Node.ID}}`, `{{.Task.Slot}}` and
/// `{{.Service.Name}}`.
fn definition(data: &Path, volume: &str) -> DockerDefinition {
    let text = str::to_owned;
    let entry = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut task = DockerDefinition::new(IMAGE);
    task.labels = [entry("mine", "yes")].into();
    task.command = ["sh", "-c"].map(text).into();
    task.args = ["echo $A; sleep 100", "x"].map(text).into();
    task.env = [entry("A", "y9zp8x9dputj4y5uki1xe3m1u"), entry("EMPTY", "")].into();
    task.dir = Some(text("/tmp"));
    task.user = Some(text("1000:1000"));
    task.mounts = vec![
        mount_of(json!({
            "type": "bind", "source": data, "target": "/data", "read_only": true, "propagation": "rslave",
        })),
        // The recorded driver options are `o` alone, which the driver refuses: see the test below.
        mount_of(json!({
            "type": "volume", "source": volume, "target": "/v", "no_copy": true,
            "labels": {"x": "y"}, "driver": "local",
            "driver_options": {"o": "size=1m", "type": "tmpfs", "device": "tmpfs"},
        })),
        mount_of(json!({"type": "tmpfs", "target": "/t", "size": 1_048_576, "mode": 0o711})),
        mount_of(json!({"type": "volume", "target": "/anon"})),
    ];
    task.stop_grace = Duration::from_millis(7500);
    task.groups = vec![text("2000")];
    let file = |kind, source: &str, target: &str, uid, gid, mode| ContainerFile {
        kind,
        source: source.to_owned(),
        target: target.to_owned(),
        uid,
        gid,
        mode,
    };
    task.files = vec![
        file(FileKind::Secret, "nim28xxz5nb35ade2yi6ot1u1", "app.key", 1000, 2000, 0o400),
        file(FileKind::Config, "osgtjitj5qx659h1jwkvu0bxw", "/etc/app.conf", 0, 0, 0o640),
        file(FileKind::Config, "qcxy6k8zbktjlt417hi0l4ujp", "tmpl", 0, 0, 0o444),
    ];
    task.tty = true;
    task.hostname = Some(text("rich-2"));
    task.dns.servers = vec!["192.0.2.53".parse().unwrap()];
    task.dns.search = vec![text("a.example")];
    task.dns.options = vec![text("ndots:3")];
    let check = json!({
        "test": ["CMD-SHELL", "test -e /tmp/ok"],
        "interval": "2s", "timeout": "1s", "retries": 4, "start_period": "3s",
    });
    task.healthcheck = Some(serde_json::from_value(check).unwrap());
    task.hosts = vec![text("far.example:192.0.2.7")];
    task.read_only = true;
    task.stop_signal = Some(text("USR1"));
    task.init = Some(true);
    task.resources.pids = Some(77);
    task.sysctls = [entry("net.core.somaxconn", "1024")].into();
    task.capability_add = vec![text("CAP_NET_ADMIN")];
    task.capability_drop = vec![text("CAP_NET_RAW")];
    task.ulimits = vec![
        Ulimit { name: text("nofile"), soft: 100, hard: 200 },
        Ulimit { name: text("nproc"), soft: 50, hard: 50 },
    ];
    task.resources.cpus = Some(Cpus(1_500_000_000));
    task.resources.memory = Some(67_108_864);
    task.resources.memory_reservation = Some(33_554_432);
    task.resources.generic = [(text("gpu"), vec![text("1")])].into();
    let options = [entry("max-size", "1m")].into();
    task.log_driver = Some(LogDriver { name: text("json-file"), options });
    let dns = Port { protocol: Protocol::Udp, ..Port::new(53.try_into().unwrap()) };
    task.ports = vec![Port::new(80.try_into().unwrap()), dns];
    task
}

/// Each option of the recorded task, where the inspection has it, and its value there.
fn expected(task: &str, data: &Path, volume: &str) -> Vec<(&'static str, &'static str, Value)> {
    let labels =
        json!({"mine": "yes", "dev.onward.agent": "service-create", "dev.onward.task": task});
    let env = json!(["A=y9zp8x9dputj4y5uki1xe3m1u", "EMPTY=", "DOCKER_RESOURCE_GPU=1"]);
    let any_port = json!([{"HostIp": "", "HostPort": ""}]);
    let ports = json!({"80/tcp": any_port, "53/udp": any_port});
    let bind = json!({
        "Type": "bind", "Source": data, "Target": "/data", "ReadOnly": true,
        "BindOptions": {"Propagation": "rslave"},
    });
    let options = json!({"o": "size=1m", "type": "tmpfs", "device": "tmpfs"});
    let volume = json!({
        "Type": "volume", "Source": volume, "Target": "/v",
        "VolumeOptions": {
            "NoCopy": true, "Labels": {"x": "y"}, "DriverConfig": {"Name": "local", "Options": options},
        },
    });
    let tmpfs = json!({
        "Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1_048_576, "Mode": 457},
    });
    let anonymous = json!({"Type": "volume", "Target": "/anon", "VolumeOptions": {}});
    let check = json!({
        "Test": ["CMD-SHELL", "test -e /tmp/ok"], "Interval": 2_000_000_000_u64,
        "Timeout": 1_000_000_000, "StartPeriod": 3_000_000_000_u64, "Retries": 4,
    });
    let ulimits = json!([
        {"Name": "nofile", "Soft": 100, "Hard": 200}, {"Name": "nproc", "Soft": 50, "Hard": 50},
    ]);
    let log = json!({"Type": "json-file", "Config": {"max-size": "1m"}});
    vec![
        ("/spec/container/image", "/Config/Image", json!(IMAGE)),
        ("/spec/container/labels", "/Config/Labels", labels),
        ("/spec/container/command", "/Config/Entrypoint", json!(["sh", "-c"])),
        ("/spec/container/args", "/Config/Cmd", json!(["echo $A; sleep 100", "x"])),
        ("/spec/container/env", "/Config/Env", env.clone()),
        ("/assigned_generic_resources", "/Config/Env", env),
        ("/spec/container/dir", "/Config/WorkingDir", json!("/tmp")),
        ("/spec/container/user", "/Config/User", json!("1000:1000")),
        ("/spec/container/mounts/0", "/HostConfig/Mounts/0", bind),
        ("/spec/container/mounts/1", "/HostConfig/Mounts/1", volume),
        ("/spec/container/mounts/2", "/HostConfig/Mounts/2", tmpfs),
        ("/spec/container/mounts/3", "/HostConfig/Mounts/3", anonymous),
        // The engine counts in seconds.
        ("/spec/container/stop_grace_period", "/Config/StopTimeout", json!(8)),
        ("/spec/container/groups", "/HostConfig/GroupAdd", json!(["2000"])),
        ("/spec/container/secrets/0", "/HostConfig/Mounts/4/Target", json!("/run/secrets/app.key")),
        ("/spec/container/configs/0", "/HostConfig/Mounts/5/Target", json!("/etc/app.conf")),
        ("/spec/container/configs/1", "/HostConfig/Mounts/6/Target", json!("/tmpl")),
        ("/spec/container/tty", "/Config/Tty", json!(true)),
        ("/spec/container/hostname", "/Config/Hostname", json!("rich-2")),
        ("/spec/container/dns_config/nameservers", "/HostConfig/Dns", json!(["192.0.2.53"])),
        ("/spec/container/dns_config/search", "/HostConfig/DnsSearch", json!(["a.example"])),
        ("/spec/container/dns_config/options", "/HostConfig/DnsOptions", json!(["ndots:3"])),
        ("/spec/container/healthcheck", "/Config/Healthcheck", check),
        ("/spec/container/hosts", "/HostConfig/ExtraHosts", json!(["far.example:192.0.2.7"])),
        ("/spec/container/read_only", "/HostConfig/ReadonlyRootfs", json!(true)),
        ("/spec/container/stop_signal", "/Config/StopSignal", json!("USR1")),
        ("/spec/container/init", "/HostConfig/Init", json!(true)),
        ("/spec/container/pidsLimit", "/HostConfig/PidsLimit", json!(77)),
        ("/spec/container/sysctls", "/HostConfig/Sysctls", json!({"net.core.somaxconn": "1024"})),
        ("/spec/container/capability_add", "/HostConfig/CapAdd", json!(["CAP_NET_ADMIN"])),
        ("/spec/container/capability_drop", "/HostConfig/CapDrop", json!(["CAP_NET_RAW"])),
        ("/spec/container/ulimits", "/HostConfig/Ulimits", ulimits),
        ("/spec/resources/limits/nano_cpus", "/HostConfig/NanoCpus", json!(1_500_000_000)),
        ("/spec/resources/limits/memory_bytes", "/HostConfig/Memory", json!(67_108_864)),
        (
            "/spec/resources/reservations/memory_bytes",
            "/HostConfig/MemoryReservation",
            json!(33_554_432),
        ),
        ("/spec/restart", "/HostConfig/RestartPolicy/Name", json!("no")),
        ("/spec/log_driver", "/HostConfig/LogConfig", log.clone()),
        ("/log_driver", "/HostConfig/LogConfig", log),
        ("/endpoint/spec/ports", "/HostConfig/PortBindings", ports.clone()),
        ("/endpoint/ports", "/HostConfig/PortBindings", ports),
    ]
}

/// The paths of all values that have no parts.
fn leaves(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, part)| leaves(part, &format!("{path}/{name}")))
            .collect(),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(index, part)| leaves(part, &format!("{path}/{index}"))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![path.to_owned()],
    }
}

#[test]
fn every_option_of_the_recorded_task_is_compared_or_is_not_the_containers() {
    let recorded: Value = serde_json::from_str(include_str!("data/service_create.json")).unwrap();
    let compared: Vec<_> =
        expected("", Path::new(""), "").into_iter().map(|(option, ..)| option).collect();
    let known: Vec<_> =
        compared.iter().chain(NOT_THE_CONTAINERS.iter().map(|(option, _)| option)).collect();
    for option in &known {
        assert!(recorded.pointer(option).is_some(), "{option} is not in the recorded task");
    }
    let is_known = |leaf: &str| {
        known.iter().any(|option| {
            leaf.strip_prefix(**option).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let unknown: Vec<_> =
        leaves(&recorded, "").into_iter().filter(|leaf| !is_known(leaf)).collect();
    assert!(unknown.is_empty(), "not compared: {unknown:#?}");
}

#[tokio::test]
async fn a_container_has_every_option_of_the_recorded_task() {
    let Some(engine) = engine("a_container_has_every_option_of_the_recorded_task") else { return };
    let client = engine.client().await.unwrap().clone();
    let (memory, data) = (tempfile::tempdir_in("/dev/shm").unwrap(), SharedDir::new());
    let executor = DockerExecutor::builder(engine, "service-create")
        .with_dependencies(Given)
        .with_files(memory.path().join("files"))
        .build();
    let volume = format!("service-create-{}-vol-2", std::process::id());
    let life = Life::begin(&executor, "rich", definition(data.path(), &volume));

    // Nothing makes the file of the health check. So the container is stopped with its signal, USR1.
    let status = life.ends().await;
    assert_eq!((status.state, exit_code(&status)), (TaskState::Failed, Some(128 + 10)));
    let err = status.err.unwrap();
    assert!(err.contains("dockerexec: unhealthy container"), "{err}");

    let id = status.container_status.unwrap().container_id;
    let found = client.inspect_container(&id, None).await.unwrap();
    let found = serde_json::to_value(&found).unwrap();
    let differing: Vec<_> = expected(&life.id, data.path(), &volume)
        .into_iter()
        .filter(|(_, path, expected)| found.pointer(path) != Some(expected))
        .map(|(option, path, expected)| {
            format!("{option}: {path} is {:?}, not {expected}", found.pointer(path))
        })
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
    life.remove().await;
    client.remove_volume(&volume, None::<RemoveVolumeOptions>).await.unwrap();
}

#[tokio::test]
async fn the_volume_options_of_the_recorded_task_are_refused_in_the_engines_words() {
    let Some(engine) = engine("the volume options of the recorded task") else { return };
    let executor = DockerExecutor::new(engine, "service-create");
    let mut task = support::life::shell("exit 0");
    let volume = format!("service-create-{}-refused", std::process::id());
    task.mounts.push(mount_of(json!({
        "type": "volume", "source": volume, "target": "/v",
        "driver": "local", "driver_options": {"o": "size=1m"},
    })));
    let life = Life::begin(&executor, "refused-volume", task);
    let status = life.ends().await;
    assert_eq!(status.state, TaskState::Rejected, "{status:?}");
    let err = status.err.unwrap();
    assert!(err.contains("missing required option"), "{err}");
    life.remove().await;
}
