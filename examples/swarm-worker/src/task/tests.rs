use std::path::Path;

use agent_kit::Definition as _;
use docker_agent::definition::{
    AppArmor, BindMount, ContainerFile, Cpus, FileKind, HealthCheck, Isolation, LogDriver, Mount,
    Network, Port, Propagation, Resources, Seccomp, Subnet, TmpfsMount, Ulimit, VolumeMount,
};
use onward::lifecycle::Protocol;
use prost::Message as _;

use super::*;
use crate::wire::assignment::Item;

/// The tasks of a recorded message of assignments.
fn recorded(name: &str) -> Vec<wire::Task> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let message = wire::AssignmentsMessage::decode(&*std::fs::read(path).unwrap()).unwrap();
    let items = message.changes.into_iter().filter_map(|change| change.assignment?.item);
    let tasks =
        items.filter_map(|item| if let Item::Task(task) = item { Some(*task) } else { None });
    tasks.collect()
}

/// The first task of the service with every option.
fn rich() -> wire::Task {
    recorded("07-assignments-incremental-rich.bin").remove(0)
}

fn read(task: &wire::Task) -> SwarmTask {
    SwarmTask::from_wire(task).unwrap().assignment.definition.clone()
}

fn container(task: &wire::Task) -> DockerDefinition {
    match read(task).workload {
        Workload::Container(container) => *container,
        Workload::Refused(reason) => panic!("{reason}"),
    }
}

fn refusal(task: &wire::Task) -> String {
    match read(task).workload {
        Workload::Container(container) => panic!("{container:?}"),
        Workload::Refused(reason) => reason,
    }
}

fn spec(task: &mut wire::Task) -> &mut wire::ContainerSpec {
    match task.spec.as_mut().and_then(|spec| spec.runtime.as_mut()) {
        Some(Runtime::Container(container)) => container,
        other => panic!("{other:?}"),
    }
}

fn map<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, String> {
    entries.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn list<const N: usize>(items: [&str; N]) -> Vec<String> {
    items.map(str::to_owned).into()
}

#[allow(clippy::unnecessary_wraps)] // its callers set options
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

const NAME: &str = "rich.2.8jwawvt7ugdu4wycwy0plpe4e";

#[test]
fn every_option_of_a_real_service_is_in_its_definition() {
    let mut expected = DockerDefinition::new("bb:1").with_args(["echo $A; sleep 100", "x"]);
    expected.container_name = text(NAME);
    expected.command = list(["sh", "-c"]);
    expected.env = map([("A", "{{.Node.ID}}"), ("EMPTY", "")]);
    expected.dir = text("/tmp");
    expected.user = text("1000:1000");
    expected.groups = list(["2000"]);
    expected.hostname = text("{{.Service.Name}}-{{.Task.Slot}}");
    expected.hosts = list(["far.example:192.0.2.7"]);
    expected.dns.servers = vec!["192.0.2.53".parse().unwrap()];
    expected.dns.search = list(["a.example"]);
    expected.dns.options = list(["ndots:3"]);
    expected.mounts = mounts();
    expected.ports = vec![
        Port::new(80.try_into().unwrap()),
        Port { protocol: Protocol::Udp, ..Port::new(53.try_into().unwrap()) },
    ];
    expected.healthcheck = Some(HealthCheck {
        test: list(["CMD-SHELL", "test -e /tmp/ok"]),
        interval: Some(Duration::from_secs(2)),
        timeout: Some(Duration::from_secs(1)),
        retries: Some(4),
        start_period: Some(Duration::from_secs(3)),
        start_interval: None,
    });
    expected.stop_signal = text("USR1");
    expected.stop_grace = Duration::from_millis(7_500);
    expected.init = Some(true);
    expected.tty = true;
    expected.read_only = true;
    expected.capability_add = list(["CAP_NET_ADMIN"]);
    expected.capability_drop = list(["CAP_NET_RAW"]);
    expected.sysctls = map([("net.core.somaxconn", "1024")]);
    let limit = |name: &str, soft, hard| Ulimit { name: name.to_owned(), soft, hard };
    expected.ulimits = vec![limit("nofile", 100, 200), limit("nproc", 50, 50)];
    expected.resources = Resources {
        cpus: Some(Cpus(1_500_000_000)),
        memory: Some(64 << 20),
        pids: Some(77),
        generic: BTreeMap::from([("gpu".to_owned(), list(["1"]))]),
        ..Resources::default()
    };
    let options = map([("max-size", "1m")]);
    expected.log_driver = Some(LogDriver { name: "json-file".to_owned(), options });
    expected.labels = map([
        ("mine", "yes"),
        ("com.docker.swarm.task", ""),
        ("com.docker.swarm.task.id", "8jwawvt7ugdu4wycwy0plpe4e"),
        ("com.docker.swarm.task.name", NAME),
        ("com.docker.swarm.node.id", "y9zp8x9dputj4y5uki1xe3m1u"),
        ("com.docker.swarm.service.id", "dx7bvidvqe0zzgnorgxuq7rye"),
        ("com.docker.swarm.service.name", "rich"),
    ]);
    expected.files = files();
    let found = container(&rich());
    // One by one, so that a difference is found at once.
    let (found_json, expected_json) =
        (serde_json::to_value(&found).unwrap(), serde_json::to_value(&expected).unwrap());
    for key in docker_agent::definition::KEYS {
        assert_eq!(found_json[key], expected_json[key], "{key}");
    }
    assert_eq!(found, expected);
}

fn mounts() -> Vec<Mount> {
    vec![
        Mount::Bind(BindMount {
            source: "/srv/data".into(),
            target: "/data".to_owned(),
            read_only: true,
            propagation: Some(Propagation::RSlave),
            non_recursive: false,
            create_source: false,
            read_only_non_recursive: false,
            read_only_force_recursive: false,
            consistency: None,
        }),
        Mount::Volume(VolumeMount {
            source: text("vol-{{.Task.Slot}}"),
            target: "/v".to_owned(),
            read_only: false,
            no_copy: true,
            labels: map([("x", "y")]),
            driver: text("local"),
            driver_options: map([("o", "size=1m")]),
            subpath: None,
        }),
        Mount::Tmpfs(TmpfsMount {
            target: "/t".to_owned(),
            read_only: false,
            size: Some(1 << 20),
            mode: Some(0o711),
            options: Vec::new(),
        }),
        Mount::Volume(VolumeMount {
            source: None,
            target: "/anon".to_owned(),
            read_only: false,
            no_copy: false,
            labels: BTreeMap::new(),
            driver: None,
            driver_options: BTreeMap::new(),
            subpath: None,
        }),
    ]
}

fn files() -> Vec<ContainerFile> {
    let file = |kind, source: &str, target: &str, uid, gid, mode| ContainerFile {
        kind,
        source: source.to_owned(),
        target: target.to_owned(),
        uid,
        gid,
        mode,
    };
    vec![
        file(FileKind::Secret, "nim28xxz5nb35ade2yi6ot1u1", "app.key", 1000, 2000, 0o400),
        file(FileKind::Config, "osgtjitj5qx659h1jwkvu0bxw", "/etc/app.conf", 0, 0, 0o640),
        file(FileKind::Config, "qcxy6k8zbktjlt417hi0l4ujp", "tmpl", 0, 0, 0o444),
    ]
}

#[test]
fn an_assigned_task_has_the_desired_state_the_status_and_the_grace_of_its_message() {
    let assigned = SwarmTask::from_wire(&rich()).unwrap();
    assert_eq!(&*assigned.assignment.id, "8jwawvt7ugdu4wycwy0plpe4e");
    assert_eq!(assigned.assignment.service_id.as_deref(), Some("dx7bvidvqe0zzgnorgxuq7rye"));
    assert_eq!(assigned.assignment.desired_state, TaskState::Running);
    let status = assigned.status.unwrap();
    assert_eq!(status.state, TaskState::Assigned);
    assert_eq!(status.message, "scheduler assigned task to node");
    let policy = assigned.policy.unwrap();
    assert_eq!(policy.shutdown_grace, Some(Duration::from_millis(17_500)));
    assert!(policy.shutdown_before_removal);
    assert!(SwarmTask::from_wire(&wire::Task::default()).is_none());
}

#[test]
fn every_recorded_task_can_run_and_survives_the_store() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let (mut tasks, mut removed) = (0, 0);
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.contains("-assignments-") || path.extension().is_none_or(|kind| kind != "bin") {
            continue;
        }
        for task in recorded(name) {
            let read = read(&task);
            let json = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<SwarmTask>(&json).unwrap(), read);
            if task.spec.as_ref().is_none_or(|spec| spec.runtime.is_none()) {
                removed += 1;
                continue;
            }
            assert!(matches!(read.workload, Workload::Container(_)), "{name}: {read:?}");
            tasks += 1;
        }
    }
    assert!(tasks > 10 && removed > 0, "{tasks} {removed}");
}

#[test]
fn a_later_message_about_a_task_is_the_same_definition() {
    let task = rich();
    let mut later = task.clone();
    later.meta = None;
    later.desired_state = TaskState::Shutdown.number();
    later.status = None;
    assert_eq!(read(&task), read(&later));
}

#[test]
fn templates_are_expanded_with_the_task_and_its_node() {
    let platform = wire::Platform { architecture: "x86_64".to_owned(), os: "linux".to_owned() };
    let node = wire::NodeDescription {
        hostname: "host-1".to_owned(),
        platform: Some(platform),
        ..wire::NodeDescription::default()
    };
    let mut task = rich();
    spec(&mut task).env = list(["A={{.Node.ID}}", "B={{.Node.Hostname}}/{{.Node.Platform.OS}}"]);
    spec(&mut task).env.extend(list(["C={{.Service.Labels.team}}", "{{D}}=x"]));
    let expanded = read(&task).expand(&node).unwrap();
    let env =
        [("A", "y9zp8x9dputj4y5uki1xe3m1u"), ("B", "host-1/linux"), ("C", "blue"), ("{{D}}", "x")];
    assert_eq!(expanded.env, map(env));
    assert_eq!(expanded.hostname.as_deref(), Some("rich-2"));
    let Some(Mount::Volume(volume)) = expanded.mounts.get(1) else { panic!("no volume") };
    assert_eq!(volume.source.as_deref(), Some("vol-2"));

    // A global task has no slot.
    task.slot = 0;
    let global = read(&task);
    assert_eq!(global.name, "rich.y9zp8x9dputj4y5uki1xe3m1u.8jwawvt7ugdu4wycwy0plpe4e");
    let hostname = global.expand(&node).unwrap().hostname;
    assert_eq!(hostname.as_deref(), Some("rich-y9zp8x9dputj4y5uki1xe3m1u"));

    spec(&mut task).hostname = "{{.Task.X}}".to_owned();
    let refused = read(&task).expand(&node).unwrap_err();
    assert!(refused.starts_with("hostname: template, line 1: there is no field"), "{refused}");
}

#[test]
fn the_options_that_the_recordings_lack_are_in_the_definition_too() {
    let mut task = rich();
    let options = spec(&mut task);
    options.oom_score_adj = 500;
    options.open_stdin = true;
    options.init = Some(false);
    options.isolation = 2;
    options.env = list(["A=1", "A=2", "PATH", "B", "B=3"]);
    options.hosts = list(["2001:db8::1 six alias", " 192.0.2.7\tfar "]);
    options.stop_grace_period = None;
    options.healthcheck = Some(wire::HealthConfig { test: list(["NONE"]), ..Default::default() });
    options.privileges = Some(wire::Privileges {
        no_new_privileges: true,
        seccomp: Some(wire::privileges::SeccompOpts { mode: 2, profile: b"{}".to_vec() }),
        apparmor: Some(wire::privileges::AppArmorOpts { mode: 1 }),
        selinux_context: Some(wire::privileges::SeLinuxContext {
            level: "s0".to_owned(),
            ..Default::default()
        }),
        credential_spec: None,
    });
    options.mounts = vec![wire::Mount {
        r#type: 2,
        target: "/t".to_owned(),
        tmpfs_options: Some(wire::mount::TmpfsOptions {
            options: "[[\"noexec\"],[\"uid\",\"7\"]]".to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }];
    let resources = task.spec.as_mut().unwrap().resources.as_mut().unwrap();
    resources.swap_bytes = Some(1 << 20);
    resources.memory_swappiness = Some(0);
    let named = wire::NamedGenericResource { kind: "gpu".to_owned(), value: "GPU-7".to_owned() };
    task.assigned_generic_resources.push(wire::GenericResource {
        resource: Some(wire::generic_resource::Resource::NamedResourceSpec(named)),
    });
    let found = container(&task);
    assert_eq!(found.oom_score_adj, Some(500));
    assert!(found.open_stdin);
    assert_eq!((found.init, found.isolation), (Some(false), Isolation::HyperV));
    assert_eq!(found.env, map([("A", "2"), ("B", "3")]));
    assert_eq!(found.env_remove, ["PATH"]);
    assert_eq!(found.hosts, ["six:2001:db8::1", "alias:2001:db8::1", "far:192.0.2.7"]);
    assert_eq!(found.stop_grace, Duration::from_secs(10));
    let check = found.healthcheck.unwrap();
    assert_eq!((check.test, check.interval, check.retries), (list(["NONE"]), None, None));
    assert!(found.privileges.no_new_privileges);
    assert_eq!(found.privileges.seccomp, Some(Seccomp::Custom("{}".to_owned())));
    assert_eq!(found.privileges.apparmor, Some(AppArmor::Disabled));
    assert_eq!(found.privileges.selinux.unwrap().level.as_deref(), Some("s0"));
    assert_eq!(found.resources.memory_swap, Some(65 << 20));
    assert_eq!(found.resources.memory_swappiness, Some(0));
    assert_eq!(found.resources.generic["gpu"], ["1", "GPU-7"]);
    let [Mount::Tmpfs(tmpfs)] = &*found.mounts else { panic!("{:?}", found.mounts) };
    assert_eq!((tmpfs.mode, tmpfs.size), (None, None));
    assert_eq!(tmpfs.options, ["noexec", "uid=7"]);
}

#[test]
fn two_references_to_one_secret_are_two_files() {
    let mut task = rich();
    let mut second = spec(&mut task).secrets[0].clone();
    let Some(wire::secret_reference::Target::File(target)) = &mut second.target else {
        panic!("{second:?}")
    };
    target.name = "other.key".to_owned();
    // Set-user-id, with Go's bit.
    target.mode = 1 << 23 | 0o440;
    target.uid.clear();
    spec(&mut task).secrets.push(second);
    spec(&mut task).configs.clear();
    let found: Vec<_> = container(&task)
        .files
        .into_iter()
        .map(|file| (file.source, file.target, file.uid, file.mode))
        .collect();
    let file = |target: &str, uid, mode| {
        ("nim28xxz5nb35ade2yi6ot1u1".to_owned(), target.to_owned(), uid, mode)
    };
    assert_eq!(found, [file("app.key", 1000, 0o400), file("other.key", 0, 0o4440)]);
}

fn attachment(name: &str, driver: &str) -> wire::NetworkAttachment {
    let annotations = wire::Annotations { name: name.to_owned(), ..Default::default() };
    let spec = wire::NetworkSpec { annotations: Some(annotations), ..Default::default() };
    let driver = wire::Driver { name: driver.to_owned(), ..Default::default() };
    let network =
        wire::Network { spec: Some(spec), driver_state: Some(driver), ..Default::default() };
    wire::NetworkAttachment { network: Some(network), ..Default::default() }
}

#[test]
fn a_network_of_the_node_is_in_the_definition_and_an_overlay_is_refused_by_name() {
    let mut task = rich();
    let mut host = attachment("host", "host");
    host.network.as_mut().unwrap().spec.as_mut().unwrap().annotations.as_mut().unwrap().labels =
        map([("com.docker.swarm.predefined", "true")]);
    let mut own = attachment("own", "macvlan");
    own.aliases = list(["db"]);
    own.addresses = list(["10.9.0.7/24"]);
    {
        let spec = own.network.as_mut().unwrap().spec.as_mut().unwrap();
        spec.internal = true;
        spec.ipv6_enabled = true;
        spec.config_from = Some(wire::network_spec::ConfigFrom::Network("own-config".to_owned()));
        let config =
            wire::IpamConfig { subnet: "10.9.0.0/24".to_owned(), ..wire::IpamConfig::default() };
        spec.ipam = Some(wire::IpamOptions { driver: None, configs: vec![config] });
    }
    task.networks = vec![host, own];
    let expected = Network {
        aliases: list(["rich", "db"]),
        ipv4_address: "10.9.0.7".parse().ok(),
        driver: text("macvlan"),
        internal: true,
        ipv6: true,
        subnets: vec![Subnet { subnet: "10.9.0.0/24".to_owned(), range: None, gateway: None }],
        config_from: text("own-config"),
        ..Network::new("own")
    };
    assert_eq!(container(&task).networks, [Network::new("host"), expected]);

    task.networks.push(attachment("backend", "overlay"));
    let refused = refusal(&task);
    assert!(refused.starts_with("networks[2]: the network \"backend\" needs"), "{refused}");
}

#[test]
fn a_port_of_the_routing_mesh_is_not_published_by_the_container() {
    let mut task = rich();
    let port = |target_port, published_port, publish_mode| wire::PortConfig {
        name: "p".to_owned(),
        protocol: 2,
        target_port,
        published_port,
        publish_mode,
    };
    let endpoint = task.endpoint.as_mut().unwrap();
    endpoint.ports = vec![port(80, 8080, 0), port(81, 8081, 1)];
    let published = Port {
        name: "p".to_owned(),
        protocol: Protocol::Sctp,
        published: 8081.try_into().ok(),
        ..Port::new(81.try_into().unwrap())
    };
    assert_eq!(container(&task).ports, [published]);
}

/// A change of a task that makes it one that cannot run.
type Change = fn(&mut wire::Task);

#[test]
fn a_malformed_or_unsupported_option_is_refused_by_its_name() {
    let cases: [(&str, Change); 31] = [
        ("desired_state: unknown task state 7", |task| task.desired_state = 7),
        ("spec.runtime: it is missing", |task| task.spec = None),
        ("spec.runtime: it is missing", |task| task.spec.as_mut().unwrap().runtime = None),
        ("the task attaches a container", |task| {
            let attachment = wire::NetworkAttachmentSpec::default();
            task.spec.as_mut().unwrap().runtime = Some(Runtime::Attachment(attachment));
        }),
        ("the runtime \"plugin\" is not supported", |task| {
            let generic = wire::GenericRuntimeSpec { kind: "plugin".to_owned(), payload: None };
            task.spec.as_mut().unwrap().runtime = Some(Runtime::Generic(generic));
        }),
        ("image: it is missing", |task| spec(task).image.clear()),
        ("image: \"a b\" is no image", |task| spec(task).image = "a b".to_owned()),
        ("env[0]: the variable has no name", |task| spec(task).env = list(["=x"])),
        ("env", |task| spec(task).env = list(["A=\0"])),
        ("hosts[0]: \"far\" is not", |task| spec(task).hosts = list(["far"])),
        ("dns_config.nameservers[0]: \"x\" is not", |task| {
            spec(task).dns_config.as_mut().unwrap().nameservers = list(["x"]);
        }),
        ("mounts[0].type: 9 is not known", |task| spec(task).mounts[0].r#type = 9),
        ("mounts[0]: named pipes", |task| spec(task).mounts[0].r#type = 3),
        ("mounts[0]: cluster volumes", |task| spec(task).mounts[0].r#type = 4),
        ("mounts[2]: a tmpfs has no source", |task| spec(task).mounts[2].source = "x".to_owned()),
        ("mounts[0].bind_options.propagation: 9", |task| {
            spec(task).mounts[0].bind_options.as_mut().unwrap().propagation = 9;
        }),
        ("mounts[0].consistency: 9", |task| spec(task).mounts[0].consistency = 9),
        ("healthcheck.interval: 0 s and -1 ns is negative", |task| {
            let interval = prost_types::Duration { seconds: 0, nanos: -1 };
            spec(task).healthcheck.as_mut().unwrap().interval = Some(interval);
        }),
        ("healthcheck.retries: -1 is negative", |task| {
            spec(task).healthcheck.as_mut().unwrap().retries = -1;
        }),
        ("stop_grace_period: -1 s and 0 ns is negative", |task| {
            let grace = prost_types::Duration { seconds: -1, nanos: 0 };
            spec(task).stop_grace_period = Some(grace);
        }),
        ("isolation: 9 is not known", |task| spec(task).isolation = 9),
        ("privileges.credential_spec: it is for", |task| {
            let source = wire::privileges::credential_spec::Source::File("x".to_owned());
            let credentials = wire::privileges::CredentialSpec { source: Some(source) };
            spec(task).privileges = Some(wire::Privileges {
                credential_spec: Some(credentials),
                ..wire::Privileges::default()
            });
        }),
        ("secrets[0]: it has no file", |task| spec(task).secrets[0].target = None),
        ("secrets[0].file.uid: \"root\" is not a number", |task| {
            let target = wire::FileTarget {
                name: "x".to_owned(),
                uid: "root".to_owned(),
                ..wire::FileTarget::default()
            };
            let target = wire::secret_reference::Target::File(target);
            spec(task).secrets[0].target = Some(target);
        }),
        ("configs[1].file.name: it is missing", |task| {
            let target = wire::config_reference::Target::File(wire::FileTarget::default());
            spec(task).configs[1].target = Some(target);
        }),
        ("networks[0]: the network is missing", |task| {
            task.networks = vec![wire::NetworkAttachment::default()];
        }),
        ("endpoint.ports[0].target_port: 70000 is not a port", |task| {
            task.endpoint.as_mut().unwrap().ports[0].target_port = 70_000;
        }),
        ("endpoint.ports[0].target_port: it is missing", |task| {
            task.endpoint.as_mut().unwrap().ports[0].target_port = 0;
        }),
        ("endpoint.ports[1].protocol: 9 is not known", |task| {
            task.endpoint.as_mut().unwrap().ports[1].protocol = 9;
        }),
        ("labels: the label \"dev.onward.task\" is the agent's own", |task| {
            spec(task).labels = map([("dev.onward.task", "other")]);
        }),
        ("container_name: ", |task| {
            task.service_annotations.as_mut().unwrap().name = "a/b".to_owned();
        }),
    ];
    for (problem, change) in cases {
        let mut task = rich();
        change(&mut task);
        let refused = refusal(&task);
        assert!(refused.starts_with(problem), "{problem}: {refused}");
        let stored = serde_json::to_string(&read(&task)).unwrap();
        assert_eq!(serde_json::from_str::<SwarmTask>(&stored).unwrap(), read(&task));
        assert!(read(&task).container_spec().as_object().is_some());
    }
}

#[test]
fn registry_credentials_are_not_stored() {
    let mut task = rich();
    assert!(!read(&task).has_credentials);
    let options = wire::container_spec::PullOptions { registry_auth: "aHVudGVyMg==".to_owned() };
    spec(&mut task).pull_options = Some(options);
    let read = read(&task);
    assert!(read.has_credentials);
    assert_eq!(registry_auth(&task), Some("aHVudGVyMg=="));
    let shown = format!("{read:?}{}", serde_json::to_string(&read).unwrap());
    assert!(!shown.contains("aHVudGVyMg"), "{shown}");
}
