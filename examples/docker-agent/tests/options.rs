//! A container with every option, compared with the engine's inspection of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use bollard::query_parameters::RemoveVolumeOptions;
use docker_agent::definition::{ContainerFile, DockerDefinition};
use docker_agent::dependencies::Dependencies;
use docker_agent::executor::DockerExecutor;
use onward::TaskState;
use onward::exec::ControllerError;
use onward::lifecycle::Protocol;
use serde_json::{Value, json};
use support::engine::engine;
use support::life::Life;

const SECRET: &str = "a throw-away secret";

/// Gives each file bytes of its own.
struct Given;

impl Dependencies for Given {
    fn file(&self, _: &str, file: &ContainerFile) -> Result<Vec<u8>, ControllerError> {
        Ok(format!("{SECRET} {}", file.source).into_bytes())
    }
}

fn definition() -> DockerDefinition {
    let mut every: DockerDefinition =
        toml::from_str(include_str!("../src/definition/every.toml")).unwrap();
    // An engine of version 20.10 has all options but this one.
    every.healthcheck.as_mut().unwrap().start_interval = None;
    every
}

/// The parts of the inspection that the definition decides, by their paths.
fn expected(agent: &str, task: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("/Name", json!("/every.option")),
        ("/Config/Image", json!("onward-test/busybox:1")),
        ("/Config/Entrypoint", json!(["sh", "-c"])),
        ("/Config/Cmd", json!(["echo $A; sleep 1000", "x"])),
        ("/Config/Env", json!(["A=1", "EMPTY=", "DOCKER_RESOURCE_GPU=a,b", "PATH"])),
        ("/Config/WorkingDir", json!("/tmp")),
        ("/Config/User", json!("1000:1000")),
        ("/HostConfig/GroupAdd", json!(["2000"])),
        ("/Config/Hostname", json!("host")),
        ("/Config/Domainname", json!("example")),
        ("/HostConfig/ExtraHosts", json!(["far.example:192.0.2.7"])),
        ("/HostConfig/Dns", json!(["192.0.2.53"])),
        ("/HostConfig/DnsSearch", json!(["a.example"])),
        ("/HostConfig/DnsOptions", json!(["ndots:3"])),
        ("/Config/StopSignal", json!("USR1")),
        ("/Config/StopTimeout", json!(8)),
        ("/HostConfig/Init", json!(true)),
        ("/Config/Tty", json!(true)),
        ("/Config/OpenStdin", json!(true)),
        ("/HostConfig/ReadonlyRootfs", json!(true)),
        ("/HostConfig/CapAdd", json!(["CAP_NET_ADMIN"])),
        ("/HostConfig/CapDrop", json!(["CAP_NET_RAW"])),
        ("/HostConfig/Sysctls", json!({"net.ipv4.ip_unprivileged_port_start": "1024"})),
        ("/HostConfig/OomScoreAdj", json!(100)),
        (
            "/Config/Labels",
            json!({"mine": "yes", "dev.onward.agent": agent, "dev.onward.task": task}),
        ),
        ("/HostConfig/Privileged", json!(false)),
        ("/HostConfig/SecurityOpt", json!(["no-new-privileges", "seccomp=unconfined"])),
        ("/HostConfig/RestartPolicy/Name", json!("no")),
        ("/HostConfig/AutoRemove", json!(false)),
        ("/HostConfig/LogConfig", json!({"Type": "json-file", "Config": {"max-size": "1m"}})),
        ("/HostConfig/NanoCpus", json!(1_500_000_000)),
        ("/HostConfig/Memory", json!(64 << 20)),
        ("/HostConfig/MemoryReservation", json!(32 << 20)),
        ("/HostConfig/MemorySwap", json!(128 << 20)),
        ("/HostConfig/MemorySwappiness", json!(10)),
        ("/HostConfig/PidsLimit", json!(77)),
        (
            "/HostConfig/Ulimits",
            json!([
                {"Name": "nofile", "Soft": 100, "Hard": 200},
                {"Name": "nproc", "Soft": 50, "Hard": 50},
            ]),
        ),
        ("/Config/Healthcheck/Test", json!(["CMD-SHELL", "test -d /tmp"])),
        ("/Config/Healthcheck/Interval", json!(2_000_000_000_u64)),
        ("/Config/Healthcheck/Timeout", json!(1_000_000_000)),
        ("/Config/Healthcheck/Retries", json!(4)),
        ("/Config/Healthcheck/StartPeriod", json!(3_000_000_000_u64)),
        (
            "/HostConfig/PortBindings",
            json!({
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}],
                "53/udp": [{"HostIp": "", "HostPort": ""}],
            }),
        ),
        ("/HostConfig/NetworkMode", json!("every-option-1")),
        (
            "/HostConfig/Mounts/0",
            json!({
                "Type": "bind", "Source": "/etc/hostname", "Target": "/data", "ReadOnly": true,
                "BindOptions": {"Propagation": "private"},
            }),
        ),
        (
            "/HostConfig/Mounts/1",
            json!({
                "Type": "volume", "Source": "every-option", "Target": "/v",
                "VolumeOptions": {
                    "NoCopy": true,
                    "Labels": {"x": "y"},
                    "DriverConfig": {
                        "Name": "local",
                        "Options": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
                    },
                },
            }),
        ),
        ("/HostConfig/Mounts/2", json!({"Type": "volume", "Target": "/anon", "VolumeOptions": {}})),
        (
            "/HostConfig/Mounts/3",
            json!({
                "Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o711},
            }),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_has_every_option_of_its_definition_and_nothing_is_left_of_it() {
    let Some(engine) = engine("a container with every option") else { return };
    let client = engine.client().await.unwrap().clone();
    let memory = tempfile::tempdir_in("/dev/shm").unwrap();
    let executor = DockerExecutor::builder(engine, "options")
        .with_dependencies(Given)
        .with_files(memory.path().join("files"))
        .build();
    let life = Life::begin(&executor, "every-option", definition());
    let status = life.reaches(TaskState::Running).await;
    let id = status.container_status.unwrap().container_id;
    let ports = status.port_status.ports.iter();
    let ports: Vec<_> = ports.map(|port| (&*port.name, port.protocol, port.target_port)).collect();
    assert_eq!(ports, [("", Protocol::Udp, 53), ("http", Protocol::Tcp, 80)]);

    let inspection = client.inspect_container(&id, None).await.unwrap();
    let found = serde_json::to_value(&inspection).unwrap();
    let differing: Vec<_> = expected("options", &life.id)
        .into_iter()
        .filter(|(path, expected)| found.pointer(path) != Some(expected))
        .map(|(path, expected)| format!("{path}: {expected} is {:?}", found.pointer(path)))
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
    let networks = inspection.network_settings.unwrap().networks.unwrap();
    for (name, alias) in [("every-option-1", "first"), ("every-option-2", "second")] {
        let aliases = networks[name].aliases.clone().unwrap();
        assert!(aliases.contains(&alias.to_owned()), "{aliases:?}");
    }
    let address = networks["every-option-1"].ip_address.clone().unwrap();
    assert!(address.starts_with("10.97.0."), "{address} is not in the subnet");

    // The secret and the config, seen from the container.
    let seen = support::engine::exec(
        &id,
        "cd /run/secrets; cat app.key; stat -c ' %u %g %a' app.key; grep -c /run/secrets/app.key.*tmpfs /proc/mounts; stat -c '%u %g %a' /etc/app.conf",
        "1000",
    );
    assert_eq!(seen, format!("{SECRET} key 1000 2000 400\n1\n0 0 640\n"));
    assert!(!found.to_string().contains(SECRET), "the engine knows the secret");

    let anonymous = inspection
        .mounts
        .unwrap()
        .into_iter()
        .find(|mount| mount.destination.as_deref() == Some("/anon"));
    let anonymous = anonymous.unwrap().name.unwrap();
    client.inspect_volume(&anonymous).await.unwrap();
    life.remove().await;
    client.inspect_volume(&anonymous).await.expect_err("a volume without a name is removed");
    client.inspect_volume("every-option").await.expect("a volume with a name is kept");
    client.remove_volume("every-option", None::<RemoveVolumeOptions>).await.unwrap();
    for network in ["every-option-1", "every-option-2"] {
        client.inspect_network(network, None).await.expect_err("the network is removed");
    }
    assert!(!memory.path().join("files").exists(), "a secret is left");
}
