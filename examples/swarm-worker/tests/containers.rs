//! Tasks of a manager's messages as containers of a real engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

#[path = "support/life.rs"]
mod life;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Command;

use docker_agent::engine::Engine;
use life::Life;
use onward::TaskState;
use onward::agent::AssignedTask;
use onward::lifecycle::PublishMode;
use serde_json::{Value, json};
use swarm_worker::dependencies::SwarmDependencies;
use swarm_worker::description::{NodeSettings, parse_generic_resources};
use swarm_worker::runtime::SwarmExecutor;
use swarm_worker::status;
use swarm_worker::task::SwarmTask;
use swarm_worker::wire;
use swarm_worker::wire::task_spec::Runtime;
use tempfile::TempDir;

const SECRET: &str = "a throw-away secret";

/// An executor on the engine in `DOCKER_HOST`, as one node.
struct Node {
    image: &'static str,
    id: String,
    files: TempDir,
    dependencies: SwarmDependencies,
    executor: SwarmExecutor,
}

impl Node {
    /// Without `DOCKER_HOST` the test is reported as skipped.
    async fn start(test: &str) -> Option<Self> {
        if std::env::var_os("DOCKER_HOST").is_none_or(|host| host.is_empty()) {
            // Past the test harness, which shows the output of a failed test only.
            let told =
                format!("skipped: {test} (DOCKER_HOST is not set; run it with .ci/docker run)\n");
            std::io::stderr().write_all(told.as_bytes()).unwrap();
            return None;
        }
        // The engines of `.ci/docker` and of `.ci/swarm` have one of them.
        let client = Engine::from_env();
        let own = client.client().await.unwrap().inspect_image("onward-test/busybox:1").await;
        let image = if own.is_ok() { "onward-test/busybox:1" } else { "bb:1" };
        let (dependencies, files) =
            (SwarmDependencies::new(), tempfile::tempdir_in("/dev/shm").unwrap());
        let id = format!("node{test}{}", std::process::id());
        let executor = executor(&id, &files, &dependencies);
        Some(Self { image, id, files, dependencies, executor })
    }

    /// The node after a restart of the worker: it knows no secret.
    fn restart(&mut self) {
        self.dependencies = SwarmDependencies::new();
        self.executor = executor(&self.id, &self.files, &self.dependencies);
    }

    /// A task that runs a line of the shell.
    fn task(&self, id: &str, line: &str) -> wire::Task {
        let container = wire::ContainerSpec {
            image: self.image.to_owned(),
            args: ["sh", "-c", line].map(str::to_owned).into(),
            stop_grace_period: Some(prost_types::Duration { seconds: 2, nanos: 0 }),
            init: Some(true),
            ..wire::ContainerSpec::default()
        };
        let spec = wire::TaskSpec {
            runtime: Some(Runtime::Container(Box::new(container))),
            ..wire::TaskSpec::default()
        };
        let service = wire::Annotations { name: "web".to_owned(), ..wire::Annotations::default() };
        wire::Task {
            id: id.to_owned(),
            service_id: "service1".to_owned(),
            slot: 3,
            node_id: self.id.clone(),
            service_annotations: Some(service),
            desired_state: 512,
            spec: Some(spec),
            ..wire::Task::default()
        }
    }

    fn begin(&self, task: &wire::Task) -> Life {
        self.dependencies.update_task(task);
        Life::begin(&self.executor, assigned(task))
    }
}

fn executor(id: &str, files: &TempDir, dependencies: &SwarmDependencies) -> SwarmExecutor {
    let settings = NodeSettings {
        hostname: Some("worker-1".to_owned()),
        labels: BTreeMap::from([("disk".to_owned(), "ssd".to_owned())]),
        generic_resources: parse_generic_resources(&["gpu=GPU-1".to_owned()]).unwrap(),
    };
    let files = files.path().join("files");
    SwarmExecutor::docker(Engine::from_env(), id, files, settings, dependencies.clone())
}

fn assigned(task: &wire::Task) -> AssignedTask<SwarmTask> {
    SwarmTask::from_wire(task).unwrap()
}

fn spec(task: &mut wire::Task) -> &mut wire::ContainerSpec {
    match task.spec.as_mut().and_then(|spec| spec.runtime.as_mut()) {
        Some(Runtime::Container(container)) => container,
        other => panic!("{other:?}"),
    }
}

fn secret(id: &str, data: &str) -> wire::Secret {
    let spec = wire::SecretSpec { data: data.into(), ..wire::SecretSpec::default() };
    wire::Secret { id: id.to_owned(), spec: Some(spec), ..wire::Secret::default() }
}

fn secret_reference(id: &str, name: &str, uid: &str, mode: u32) -> wire::SecretReference {
    let (uid, gid) = (uid.to_owned(), uid.to_owned());
    let target = wire::FileTarget { name: name.to_owned(), uid, gid, mode };
    wire::SecretReference {
        secret_id: id.to_owned(),
        secret_name: "sec".to_owned(),
        target: Some(wire::secret_reference::Target::File(target)),
    }
}

fn config(id: &str, data: &str, templating: &str) -> wire::Config {
    let templating = wire::Driver { name: templating.to_owned(), ..wire::Driver::default() };
    let spec = wire::ConfigSpec {
        data: data.into(),
        templating: Some(templating),
        ..wire::ConfigSpec::default()
    };
    wire::Config { id: id.to_owned(), spec: Some(spec), ..wire::Config::default() }
}

fn config_reference(id: &str, name: &str) -> wire::ConfigReference {
    let target = wire::FileTarget { name: name.to_owned(), mode: 0o444, ..Default::default() };
    wire::ConfigReference {
        config_id: id.to_owned(),
        config_name: "conf".to_owned(),
        target: Some(wire::config_reference::Target::File(target)),
    }
}

fn docker(arguments: &[&str]) -> String {
    let done = Command::new("docker").args(arguments).output().unwrap();
    assert!(done.status.success(), "docker {arguments:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

fn exec(container: &str, user: &str, line: &str) -> String {
    docker(&["exec", "--user", user, container, "/bin/sh", "-c", line])
}

fn inspect(container: &str) -> Value {
    let found: Value = serde_json::from_str(&docker(&["inspect", container])).unwrap();
    found[0].clone()
}

fn map<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, String> {
    entries.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn list<const N: usize>(items: [&str; N]) -> Vec<String> {
    items.map(str::to_owned).into()
}

/// A task with the options that a service can have.
fn rich(node: &Node) -> wire::Task {
    let mut task = node.task("richtask", "echo $A; sleep 1000");
    let seconds = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let options = spec(&mut task);
    options.command = list(["sh", "-c"]);
    options.args = list(["echo $A; touch /t/ok; sleep 1000", "x"]);
    options.labels = map([("mine", "yes")]);
    options.env = list(["A={{.Node.Hostname}}", "EMPTY=", "S={{.Task.Slot}}"]);
    "/tmp".clone_into(&mut options.dir);
    "1000:1000".clone_into(&mut options.user);
    options.groups = list(["2000"]);
    "{{.Service.Name}}-{{.Task.Slot}}".clone_into(&mut options.hostname);
    options.hosts = list(["192.0.2.7 far.example near"]);
    options.dns_config = Some(wire::container_spec::DnsConfig {
        nameservers: list(["192.0.2.53"]),
        search: list(["a.example"]),
        options: list(["ndots:3"]),
    });
    options.healthcheck = Some(wire::HealthConfig {
        test: list(["CMD-SHELL", "test -e /t/ok"]),
        interval: seconds(1),
        timeout: seconds(60),
        retries: 100,
        start_period: seconds(60),
        start_interval: None,
    });
    "USR1".clone_into(&mut options.stop_signal);
    options.stop_grace_period = Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 });
    options.tty = true;
    options.open_stdin = true;
    options.read_only = true;
    options.capability_add = list(["CAP_NET_ADMIN"]);
    options.capability_drop = list(["CAP_NET_RAW"]);
    options.sysctls = map([("net.ipv4.ip_unprivileged_port_start", "1024")]);
    options.oom_score_adj = 100;
    options.pids_limit = 77;
    let ulimit =
        |name: &str, soft, hard| wire::container_spec::Ulimit { name: name.to_owned(), soft, hard };
    options.ulimits = vec![ulimit("nofile", 100, 200), ulimit("nproc", 50, 50)];
    options.privileges =
        Some(wire::Privileges { no_new_privileges: true, ..wire::Privileges::default() });
    options.mounts = mounts();
    options.secrets = vec![
        secret_reference("s1", "app.key", "1000", 0o400),
        secret_reference("s1", "/other.key", "7", 0o440),
    ];
    options.configs = vec![config_reference("c1", "/etc/app.conf")];
    let task_spec = task.spec.as_mut().unwrap();
    let limits =
        wire::Resources { nano_cpus: 1_500_000_000, memory_bytes: 64 << 20, generic: Vec::new() };
    task_spec.resources = Some(wire::ResourceRequirements {
        limits: Some(limits),
        swap_bytes: Some(0),
        ..wire::ResourceRequirements::default()
    });
    task.log_driver =
        Some(wire::Driver { name: "json-file".to_owned(), options: map([("max-size", "1m")]) });
    let gpu = wire::NamedGenericResource { kind: "gpu".to_owned(), value: "GPU-1".to_owned() };
    task.assigned_generic_resources = vec![wire::GenericResource {
        resource: Some(wire::generic_resource::Resource::NamedResourceSpec(gpu)),
    }];
    let port = |protocol, target_port, published_port| wire::PortConfig {
        name: "p".to_owned(),
        protocol,
        target_port,
        published_port,
        publish_mode: 1,
    };
    let ports = vec![port(0, 80, 18_081), port(1, 53, 0)];
    task.endpoint = Some(wire::Endpoint { ports, ..wire::Endpoint::default() });
    task
}

fn mounts() -> Vec<wire::Mount> {
    let mount = |kind, source: &str, target: &str| wire::Mount {
        r#type: kind,
        source: source.to_owned(),
        target: target.to_owned(),
        ..wire::Mount::default()
    };
    let bind_options =
        wire::mount::BindOptions { propagation: 1, ..wire::mount::BindOptions::default() };
    let volume_options = wire::mount::VolumeOptions {
        nocopy: true,
        labels: map([("task", "{{.Task.ID}}")]),
        ..wire::mount::VolumeOptions::default()
    };
    let tmpfs_options = wire::mount::TmpfsOptions {
        size_bytes: 1 << 20,
        mode: 0o1777,
        ..wire::mount::TmpfsOptions::default()
    };
    vec![
        wire::Mount {
            readonly: true,
            bind_options: Some(bind_options),
            ..mount(0, "/etc/hostname", "/data")
        },
        wire::Mount {
            volume_options: Some(volume_options),
            ..mount(1, "rich-{{.Task.Slot}}", "/v")
        },
        wire::Mount { tmpfs_options: Some(tmpfs_options), ..mount(2, "", "/t") },
        mount(1, "", "/anon"),
    ]
}

/// The parts of the inspection that the message decides, by their paths.
fn expected(node: &Node) -> Vec<(&'static str, Value)> {
    vec![
        ("/Name", json!("/web.3.richtask")),
        ("/Config/Image", json!(node.image)),
        ("/Config/Entrypoint", json!(["sh", "-c"])),
        ("/Config/Cmd", json!(["echo $A; touch /t/ok; sleep 1000", "x"])),
        ("/Config/WorkingDir", json!("/tmp")),
        ("/Config/User", json!("1000:1000")),
        ("/Config/Hostname", json!("web-3")),
        ("/Config/StopSignal", json!("USR1")),
        ("/Config/StopTimeout", json!(2)),
        ("/Config/Tty", json!(true)),
        ("/Config/OpenStdin", json!(true)),
        ("/Config/Labels/mine", json!("yes")),
        ("/Config/Labels/com.docker.swarm.task", json!("")),
        ("/Config/Labels/com.docker.swarm.task.id", json!("richtask")),
        ("/Config/Labels/com.docker.swarm.task.name", json!("web.3.richtask")),
        ("/Config/Labels/com.docker.swarm.node.id", json!(node.id)),
        ("/Config/Labels/com.docker.swarm.service.id", json!("service1")),
        ("/Config/Labels/com.docker.swarm.service.name", json!("web")),
        (
            "/Config/Healthcheck",
            json!({
                "Test": ["CMD-SHELL", "test -e /t/ok"], "Interval": 1_000_000_000_u64,
                "Timeout": 60_000_000_000_u64, "StartPeriod": 60_000_000_000_u64, "Retries": 100,
            }),
        ),
        ("/HostConfig/GroupAdd", json!(["2000"])),
        ("/HostConfig/ExtraHosts", json!(["far.example:192.0.2.7", "near:192.0.2.7"])),
        ("/HostConfig/Dns", json!(["192.0.2.53"])),
        ("/HostConfig/DnsSearch", json!(["a.example"])),
        ("/HostConfig/DnsOptions", json!(["ndots:3"])),
        ("/HostConfig/Init", json!(true)),
        ("/HostConfig/ReadonlyRootfs", json!(true)),
        ("/HostConfig/CapAdd", json!(["CAP_NET_ADMIN"])),
        ("/HostConfig/CapDrop", json!(["CAP_NET_RAW"])),
        ("/HostConfig/Sysctls", json!({"net.ipv4.ip_unprivileged_port_start": "1024"})),
        ("/HostConfig/OomScoreAdj", json!(100)),
        ("/HostConfig/PidsLimit", json!(77)),
        ("/HostConfig/NanoCpus", json!(1_500_000_000)),
        ("/HostConfig/Memory", json!(64 << 20)),
        ("/HostConfig/MemorySwap", json!(64 << 20)),
        ("/HostConfig/SecurityOpt", json!(["no-new-privileges"])),
        ("/HostConfig/NetworkMode", json!("default")),
        ("/HostConfig/RestartPolicy/Name", json!("no")),
        (
            "/HostConfig/Ulimits",
            json!([
                {"Name": "nofile", "Soft": 100, "Hard": 200},
                {"Name": "nproc", "Soft": 50, "Hard": 50},
            ]),
        ),
        ("/HostConfig/LogConfig", json!({"Type": "json-file", "Config": {"max-size": "1m"}})),
        ("/HostConfig/PortBindings/80~1tcp", json!([{"HostIp": "", "HostPort": "18081"}])),
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
                "Type": "volume", "Source": "rich-3", "Target": "/v",
                "VolumeOptions": {"NoCopy": true, "Labels": {"task": "richtask"}},
            }),
        ),
        (
            "/HostConfig/Mounts/2",
            json!({
                "Type": "tmpfs", "Target": "/t",
                "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1777},
            }),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_option_of_a_service_reaches_its_container() {
    let Some(node) = Node::start("options").await else { return };
    node.dependencies.update_secret(secret("s1", SECRET));
    let template = "{{.Service.Name}} {{env \"S\"}} {{secret \"app.key\"}}\n";
    node.dependencies.update_config(config("c1", template, "golang"));
    let life = node.begin(&rich(&node));
    let status = life.runs().await;
    let id = status.container_status.unwrap().container_id;
    let found = inspect(&id);
    let differing: Vec<_> = expected(&node)
        .into_iter()
        .filter(|(path, expected)| found.pointer(path) != Some(expected))
        .map(|(path, expected)| format!("{path}: {expected} is {:?}", found.pointer(path)))
        .collect();
    assert!(differing.is_empty(), "{differing:#?}");
    for variable in ["A=worker-1", "EMPTY=", "S=3", "DOCKER_RESOURCE_GPU=GPU-1"] {
        let env = found.pointer("/Config/Env").unwrap().as_array().unwrap();
        assert!(env.contains(&json!(variable)), "{variable}: {env:?}");
    }

    // Two references to one secret have a mode and an owner each.
    for (user, file, mode) in
        [("1000", "/run/secrets/app.key", "1000 1000 400"), ("7:7", "/other.key", "7 7 440")]
    {
        let seen = exec(&id, user, &format!("cat {file}; stat -c ' %u %g %a' {file}"));
        assert_eq!(seen, format!("{SECRET} {mode}\n"));
    }
    let seen = exec(&id, "0", "cat /etc/app.conf; stat -c %a /etc/app.conf");
    assert_eq!(seen, format!("web 3 {SECRET}\n444\n"));
    assert!(!found.to_string().contains(SECRET), "the engine knows the secret");

    // The numbers of the published ports are reported.
    let status = life.until("published", |status| !status.port_status.is_empty()).await;
    let ports = &status.port_status.ports;
    assert!(ports.iter().all(|port| port.publish_mode == PublishMode::Host && port.name == "p"));
    let numbers: Vec<_> =
        ports.iter().map(|port| (port.target_port, port.published_port)).collect();
    assert_eq!(numbers.len(), 2, "{ports:?}");
    assert!(numbers.contains(&(80, 18_081)), "{ports:?}");

    // A running task has no exit code on the wire.
    let sent = status::to_wire(&life.status());
    let Some(wire::task_status::RuntimeStatus::Container(container)) = sent.runtime_status else {
        panic!("no container")
    };
    assert_eq!((container.container_id, container.exit_code), (id, 0));
    assert!(container.pid > 0);

    let ended = life.shut_down().await;
    assert_eq!(ended.state, TaskState::Shutdown);
    life.remove().await;
    docker(&["volume", "rm", "rich-3"]);
    assert!(!node.files.path().join("files").exists(), "a secret or its directory is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_has_the_privileges_and_labels_of_its_service() {
    use wire::privileges::{AppArmorOpts, SeLinuxContext, SeccompOpts};
    let Some(node) = Node::start("privileges").await else { return };
    let mut task = node.task("allowed", "sleep 1000");
    let options = spec(&mut task);
    options.capability_add = list(["CAP_CHOWN"]);
    options.capability_drop = list(["ALL"]);
    options.labels = map([("empty", ""), ("odd =\u{e4}\"\\", " =\n{{.Node.ID}}"), ("", "no key")]);
    let level = "s0:c1,c2".to_owned();
    options.privileges = Some(wire::Privileges {
        credential_spec: None,
        selinux_context: Some(SeLinuxContext { level, ..SeLinuxContext::default() }),
        seccomp: Some(SeccompOpts {
            mode: 2,
            profile: br#"{"defaultAction":"SCMP_ACT_ALLOW"}"#.to_vec(),
        }),
        apparmor: Some(AppArmorOpts { mode: 1 }),
        no_new_privileges: true,
    });
    let life = node.begin(&task);
    let id = life.runs().await.container_status.unwrap().container_id;
    let found = inspect(&id);
    let expected = [
        "no-new-privileges",
        "seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}",
        "apparmor=unconfined",
        "label=level:s0:c1,c2",
    ];
    assert_eq!(found.pointer("/HostConfig/SecurityOpt"), Some(&json!(expected)));
    let labels = found.pointer("/Config/Labels").unwrap();
    for (key, value) in [("empty", ""), ("odd =\u{e4}\"\\", " =\n{{.Node.ID}}"), ("", "no key")] {
        assert_eq!(labels[key], json!(value), "{labels}");
    }
    let seen = exec(
        &id,
        "0",
        "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/1/status | tr -s '\\t\\n' '  '",
    );
    assert_eq!(seen.trim(), "CapEff: 0000000000000001 NoNewPrivs: 1 Seccomp: 2");
    life.shut_down().await;
    life.remove().await;

    let mut task = node.task("malformed", "sleep 1000");
    spec(&mut task).privileges = Some(wire::Privileges {
        seccomp: Some(SeccompOpts { mode: 2, profile: b"nonsense".to_vec() }),
        ..wire::Privileges::default()
    });
    let life = node.begin(&task);
    let status = life.until("ended", |status| status.state.is_terminal()).await;
    assert_eq!(status.state, TaskState::Failed, "{status:?}");
    assert!(status.err.as_ref().unwrap().contains("seccomp"), "{status:?}");
    life.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_in_use_fails_its_task() {
    let Some(node) = Node::start("ports").await else { return };
    let task = |id: &str| {
        let mut task = node.task(id, "sleep 1000");
        let port = wire::PortConfig {
            target_port: 80,
            published_port: 18_083,
            publish_mode: wire::port_config::PublishMode::Host.into(),
            ..wire::PortConfig::default()
        };
        task.endpoint = Some(wire::Endpoint { ports: vec![port], ..wire::Endpoint::default() });
        node.begin(&task)
    };
    let first = task("first");
    first.runs().await;
    let second = task("second");
    let status = second.until("ended", |status| status.state.is_terminal()).await;
    assert_eq!(status.state, TaskState::Failed, "{status:?}");
    assert!(status.err.as_ref().unwrap().contains("port is already allocated"), "{status:?}");
    second.remove().await;
    first.shut_down().await;
    first.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_for_its_secret_after_a_restart_too() {
    let Some(mut node) = Node::start("waits").await else { return };
    let mut task = node.task("waits", "cp /run/secrets/key /tmp/seen; sleep 1000");
    spec(&mut task).secrets = vec![secret_reference("s1", "key", "0", 0o400)];
    let life = node.begin(&task);
    life.until("preparing", |status| status.state == TaskState::Preparing).await;
    node.dependencies.update_secret(secret("s2", "another"));
    life.abandon().await;

    node.restart();
    task.status = Some(wire::TaskStatus { state: 320, ..wire::TaskStatus::default() });
    let life = node.begin(&task);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let status = life.status();
    assert_eq!((status.state, status.err), (TaskState::Preparing, None));
    node.dependencies.update_secret(secret("s1", SECRET));
    let id = life.runs().await.container_status.unwrap().container_id;
    let line = "until [ -s /tmp/seen ]; do sleep 0.1; done; cat /tmp/seen";
    assert_eq!(exec(&id, "0", line), SECRET);

    // One that runs goes on without it.
    let before = life.status().container_status;
    life.abandon().await;
    node.restart();
    task.status = Some(wire::TaskStatus { state: 512, ..wire::TaskStatus::default() });
    let life = node.begin(&task);
    assert_eq!(life.runs().await.container_status, before);
    life.shut_down().await;
    life.remove().await;
}

/// A change that makes a task one that cannot run.
type Change<'a> = &'a dyn Fn(&mut wire::Task);

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_cannot_run_is_rejected_with_its_reason() {
    let Some(node) = Node::start("rejected").await else { return };
    let overlay = |task: &mut wire::Task| {
        let annotations =
            wire::Annotations { name: "backend".to_owned(), ..wire::Annotations::default() };
        let network_spec =
            wire::NetworkSpec { annotations: Some(annotations), ..wire::NetworkSpec::default() };
        let driver = wire::Driver { name: "overlay".to_owned(), ..wire::Driver::default() };
        let network = wire::Network {
            spec: Some(network_spec),
            driver_state: Some(driver),
            ..wire::Network::default()
        };
        task.networks = vec![wire::NetworkAttachment {
            network: Some(network),
            ..wire::NetworkAttachment::default()
        }];
    };
    let cases: [(&str, Change<'_>); 6] = [
        ("the network \"backend\" needs the driver overlay", &overlay),
        ("localhost:1/none:1 cannot be pulled", &|task| {
            spec(task).image = "localhost:1/none:1".to_owned();
        }),
        ("/nonexistent", &|task| {
            let source = "/nonexistent".to_owned();
            let mount = wire::Mount { source, target: "/data".to_owned(), ..Default::default() };
            spec(task).mounts = vec![mount];
        }),
        ("hostname: template, line 1", &|task| spec(task).hostname = "{{.X}}".to_owned()),
        ("isolation: 7 is not known", &|task| spec(task).isolation = 7),
        ("config a.conf: template, line 1", &|task| {
            node.dependencies.update_config(config("bad", "{{.X}}", "golang"));
            spec(task).configs = vec![config_reference("bad", "a.conf")];
        }),
    ];
    for (at, (reason, change)) in cases.into_iter().enumerate() {
        let mut task = node.task(&format!("rejected{at}"), "sleep 1000");
        change(&mut task);
        let life = node.begin(&task);
        let status = life.ends().await;
        assert_eq!(status.state, TaskState::Rejected, "{reason}: {status:?}");
        let err = status.err.unwrap();
        assert!(err.contains(reason), "{reason}: {err}");
        life.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_ends_with_its_exit_code_and_a_missing_command_fails() {
    let Some(node) = Node::start("ends").await else { return };
    let life = node.begin(&node.task("seven", "exit 7"));
    let status = life.ends().await;
    assert_eq!(status.state, TaskState::Failed);
    let sent = status::to_wire(&status);
    assert_eq!(sent.err, "task: non-zero exit (7)");
    let Some(wire::task_status::RuntimeStatus::Container(container)) = sent.runtime_status else {
        panic!("no container")
    };
    assert_eq!(container.exit_code, 7);
    life.remove().await;

    let mut missing = node.task("missing", "");
    spec(&mut missing).args = list(["/nonexistent"]);
    spec(&mut missing).init = None;
    let life = node.begin(&missing);
    let status = life.ends().await;
    assert_eq!(status.state, TaskState::Failed);
    assert!(status.err.unwrap().contains("starting container failed"));
    life.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_of_the_node_is_made_for_its_tasks_and_removed_with_them() {
    let Some(node) = Node::start("network").await else { return };
    let annotations =
        wire::Annotations { name: "swarm-own".to_owned(), ..wire::Annotations::default() };
    let config =
        wire::IpamConfig { subnet: "10.98.0.0/24".to_owned(), ..wire::IpamConfig::default() };
    let network_spec = wire::NetworkSpec {
        annotations: Some(annotations),
        internal: true,
        ipam: Some(wire::IpamOptions { driver: None, configs: vec![config] }),
        ..wire::NetworkSpec::default()
    };
    let driver = wire::Driver { name: "bridge".to_owned(), ..wire::Driver::default() };
    let network = wire::Network {
        spec: Some(network_spec),
        driver_state: Some(driver),
        ..wire::Network::default()
    };
    let mut task = node.task("connected", "sleep 1000");
    task.networks = vec![wire::NetworkAttachment {
        network: Some(network),
        aliases: list(["db"]),
        ..wire::NetworkAttachment::default()
    }];
    let life = node.begin(&task);
    let status = life.runs().await;
    let id = status.container_status.unwrap().container_id;
    let found = inspect(&id);
    let address = found.pointer("/NetworkSettings/Networks/swarm-own/IPAddress").unwrap();
    assert!(address.as_str().unwrap().starts_with("10.98.0."), "{address}");
    for name in ["web", "db"] {
        assert!(exec(&id, "0", &format!("nslookup {name}")).contains("10.98.0."));
    }
    life.remove().await;
    assert!(!docker(&["network", "ls"]).contains("swarm-own"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_described_as_its_engine() {
    let Some(node) = Node::start("described").await else { return };
    let described = node.executor.describe().await.unwrap();
    assert_eq!(described.hostname, "worker-1");
    assert_eq!(described.platform.unwrap().os, "linux");
    let engine = described.engine.unwrap();
    assert!(!engine.engine_version.is_empty());
    assert_eq!(engine.labels.get("disk").map(String::as_str), Some("ssd"));
    let has = |kind, name| {
        engine.plugins.iter().any(|plugin| plugin.r#type == kind && plugin.name == name)
    };
    assert!(has("Network", "bridge") && has("Volume", "local") && has("Log", "json-file"));
    assert!(!has("Network", "overlay"));
    let resources = described.resources.unwrap();
    assert!(resources.nano_cpus >= 1_000_000_000 && resources.memory_bytes > 1 << 20);
    assert_eq!(resources.generic.len(), 1);
}
