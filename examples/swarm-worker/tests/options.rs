//! What the containers of a service get on a node of a real swarm: options, secrets, templates.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use serde_json::json;
use support::program::{Worker, container, engine_docker, holds};
use support::swarm::swarm;

/// Runs a line in the shell of a container.
fn shell(container: &str, line: &str) -> String {
    engine_docker(&["exec", container, "sh", "-c", line]).trim().to_owned()
}

#[test]
fn every_option_of_a_service_is_an_option_of_its_containers() {
    let Some(swarm) = swarm("every_option_of_a_service_is_an_option_of_its_containers") else {
        return;
    };
    let worker = Worker::start(&swarm, "options");
    let arguments = "--cap-add CAP_NET_ADMIN --cap-drop CAP_NET_RAW --container-label mine=yes \
        --dns 192.0.2.53 --dns-option ndots:3 --dns-search a.example --env A=1 --group 2000 \
        --health-cmd true --health-interval 2s --health-retries 4 --health-start-period 3s \
        --health-timeout 1s --host far.example:192.0.2.7 --hostname here --init \
        --limit-cpu 0.5 --limit-memory 64M --limit-pids 77 --log-driver json-file --log-opt max-size=1m \
        --mount type=tmpfs,target=/t,tmpfs-size=1048576,tmpfs-mode=0711 \
        --mount type=volume,target=/anonymous --mount type=volume,source=options-named,target=/named \
        --mount type=bind,source=/etc,target=/host-etc,readonly \
        --read-only --stop-grace-period 7s --stop-signal USR1 \
        --sysctl net.core.somaxconn=1024 --tty --ulimit nofile=100:200 --user 1000:1000 \
        --workdir /tmp bb:1 sh -c";
    let mut arguments: Vec<_> = arguments.split_whitespace().collect();
    arguments.push("sleep 1000");
    let service = worker.create("all", &arguments);
    let found = container(swarm.running(&service, 1)[0].container());
    let (config, host) = (&found["Config"], &found["HostConfig"]);
    let seconds = |seconds: u64| json!(seconds * 1_000_000_000);
    let capability = |list: &str| host[list].to_string().replace("CAP_", "");
    assert_eq!(capability("CapAdd"), r#"["NET_ADMIN"]"#);
    assert_eq!(capability("CapDrop"), r#"["NET_RAW"]"#);
    for (what, value, expected) in [
        ("label", &config["Labels"]["mine"], json!("yes")),
        ("dns", &host["Dns"], json!(["192.0.2.53"])),
        ("dns options", &host["DnsOptions"], json!(["ndots:3"])),
        ("dns search", &host["DnsSearch"], json!(["a.example"])),
        ("groups", &host["GroupAdd"], json!(["2000"])),
        ("health command", &config["Healthcheck"]["Test"], json!(["CMD-SHELL", "true"])),
        ("health interval", &config["Healthcheck"]["Interval"], seconds(2)),
        ("health timeout", &config["Healthcheck"]["Timeout"], seconds(1)),
        ("health start", &config["Healthcheck"]["StartPeriod"], seconds(3)),
        ("health retries", &config["Healthcheck"]["Retries"], json!(4)),
        ("hosts", &host["ExtraHosts"], json!(["far.example:192.0.2.7"])),
        ("host name", &config["Hostname"], json!("here")),
        ("init", &host["Init"], json!(true)),
        ("processor", &host["NanoCpus"], json!(500_000_000)),
        ("memory", &host["Memory"], json!(64 << 20)),
        ("pids", &host["PidsLimit"], json!(77)),
        ("log driver", &host["LogConfig"]["Type"], json!("json-file")),
        ("log option", &host["LogConfig"]["Config"]["max-size"], json!("1m")),
        ("read-only", &host["ReadonlyRootfs"], json!(true)),
        ("stop signal", &config["StopSignal"], json!("USR1")),
        ("sysctl", &host["Sysctls"]["net.core.somaxconn"], json!("1024")),
        ("terminal", &config["Tty"], json!(true)),
        ("ulimit", &host["Ulimits"], json!([{"Name": "nofile", "Soft": 100, "Hard": 200}])),
        ("user", &config["User"], json!("1000:1000")),
        ("directory", &config["WorkingDir"], json!("/tmp")),
        ("command", &config["Cmd"], json!(["sh", "-c", "sleep 1000"])),
        ("service", &config["Labels"]["com.docker.swarm.service.name"], json!(service)),
        ("node", &config["Labels"]["com.docker.swarm.node.id"], json!(worker.id)),
    ] {
        assert_eq!(*value, expected, "{what}");
    }
    assert!(config["Env"].to_string().contains("\"A=1\""), "{config}");
    let id = found["Id"].as_str().unwrap();
    assert_eq!(shell(id, "stat -c %a /t; df -k /t | tail -1 | awk '{print $2}'"), "711\n1024");
    let mounts = found["Mounts"].as_array().unwrap();
    let mount = |target: &str| mounts.iter().find(|mount| mount["Destination"] == target).unwrap();
    assert_eq!(mount("/named")["Name"], "options-named");
    assert_eq!(mount("/anonymous")["Type"], "volume");
    assert_eq!(
        (&mount("/host-etc")["Source"], &mount("/host-etc")["RW"]),
        (&json!("/etc"), &json!(false))
    );
}

#[test]
fn secrets_and_configs_are_files_and_never_on_a_disk() {
    let Some(swarm) = swarm("secrets_and_configs_are_files_and_never_on_a_disk") else { return };
    let mut worker = Worker::start(&swarm, "secrets");
    let dir = tempfile::tempdir().unwrap();
    let make = |kind: &str, text: &str, flags: &[&str]| {
        let path = dir.path().join("text");
        std::fs::write(&path, text).unwrap();
        let name = format!("{kind}-{}-{}", text.len(), worker.id);
        let arguments = [&[kind, "create"][..], flags, &[&name, path.to_str().unwrap()]].concat();
        swarm.docker(&arguments);
        name
    };
    let secret = "a-secret-that-no-disk-has";
    let one = make("secret", secret, &[]);
    let plain_config = make("config", "colour = red\n", &[]);
    let text = r#"{{.Service.Name}} {{env "A"}} {{secret "plain"}}"#;
    let template = make("config", text, &["--template-driver", "golang"]);
    let line = "trap 'exit 0' TERM; while :; do sleep 0.1; done";
    let service = worker.create(
        "web",
        &[
            "--env",
            "A=b",
            "--secret",
            &format!("source={one},target=plain"),
            "--secret",
            &format!("source={one},target=owned,uid=1000,gid=2000,mode=0400"),
            "--config",
            &format!("source={plain_config},target=/etc/app.conf,mode=0640"),
            "--config",
            &format!("source={template},target=/filled"),
            "bb:1",
            "sh",
            "-c",
            line,
        ],
    );
    let id = swarm.running(&service, 1)[0].container().to_owned();
    assert_eq!(shell(&id, "cat /run/secrets/plain"), secret);
    assert_eq!(shell(&id, "cat /etc/app.conf"), "colour = red");
    let modes = "stat -c '%a %u %g' /run/secrets/plain /run/secrets/owned /etc/app.conf";
    assert_eq!(shell(&id, modes), "444 0 0\n400 1000 2000\n640 0 0");
    assert_eq!(shell(&id, "cat /filled"), format!("{service} b {secret}"));
    assert!(!holds(worker.state.path(), secret));
    // After a restart the task still runs, and a new one gets the secret again.
    worker.kill();
    worker.run();
    swarm.docker(&["service", "scale", "--detach", &format!("{service}=2")]);
    let tasks = swarm.running(&service, 2);
    assert!(tasks.iter().any(|task| task.container() == id));
    for task in tasks {
        assert_eq!(shell(task.container(), "cat /run/secrets/plain"), secret);
    }
    assert!(!holds(worker.state.path(), secret));
    swarm.docker(&["service", "rm", &service]);
    swarm.docker(&["secret", "rm", &one]);
    swarm.docker(&["config", "rm", &plain_config, &template]);
}

#[test]
fn templates_are_filled_for_each_task() {
    let Some(swarm) = swarm("templates_are_filled_for_each_task") else { return };
    let worker = Worker::start(&swarm, "templates");
    let service = worker.create(
        "web",
        &[
            "--init",
            "--label",
            "team=blue",
            "--replicas",
            "2",
            "--hostname",
            "{{.Service.Name}}-{{.Task.Slot}}",
            "--env",
            "ALL={{.Service.ID}} {{.Node.ID}} {{.Node.Hostname}} {{.Task.ID}} {{.Task.Name}}",
            "--env",
            r#"TEAM={{index .Service.Labels "team"}}"#,
            "--mount",
            "type=volume,source=templates-{{.Task.Slot}},target=/data",
            "bb:1",
            "sleep",
            "1000",
        ],
    );
    for task in swarm.running(&service, 2) {
        let (slot, id) = (task.0["Slot"].clone(), task.id());
        let service_id = task.0["ServiceID"].as_str().unwrap();
        let found = container(task.container());
        let (node, name) = (&worker.id, &worker.name);
        assert_eq!(found["Config"]["Hostname"], format!("{service}-{slot}"));
        let all = format!("ALL={service_id} {node} {name} {id} {service}.{slot}.{id}");
        let env = found["Config"]["Env"].as_array().unwrap();
        assert!(env.contains(&json!(all)), "{env:?}");
        assert!(env.contains(&json!("TEAM=blue")), "{env:?}");
        assert_eq!(found["Mounts"][0]["Name"], format!("templates-{slot}"));
    }
}
