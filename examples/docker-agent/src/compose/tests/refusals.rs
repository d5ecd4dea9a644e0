use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

fn refusal(text: &str) -> String {
    match read("p", text, &env) {
        Ok(tasks) => panic!("{text}\nis not refused: {tasks:?}"),
        Err(problem) => problem.to_string(),
    }
}

#[test]
fn every_key_without_a_counterpart_is_refused_by_name() {
    for (lines, expected) in [
        ("build: .", "build: no image is built; build it before, and write its name as `image`"),
        (
            "depends_on: [db]",
            "depends_on: all tasks start at once; leave it out, and let the program wait until it reaches the other service",
        ),
        ("develop: {}", "develop: the agent does not watch source files; leave it out"),
        ("devices: []", "devices: single devices have no counterpart; leave it out"),
        (
            "expose: [80]",
            "expose: the containers of a network reach all ports of each other; leave it out",
        ),
        (
            "extends: { service: a }",
            "extends: services do not extend each other; copy the keys, or use a YAML anchor and `<<`",
        ),
        (
            "links: [db]",
            "links: services find each other by name; leave it out, and use `networks` with `aliases` for other names",
        ),
        (
            "profiles: [debug]",
            "profiles: every service of the file is run; leave it out, or move the service to another file",
        ),
        (
            "volumes_from: [a]",
            "volumes_from: mounts are not copied; write the same `volumes` in both services",
        ),
    ] {
        assert_eq!(refusal(&service(lines)), format!("4:5: services.web.{expected}"));
    }
    let unknown = refusal(&service("cpu_shares: 5"));
    let expected = "4:5: services.web.cpu_shares: this key is misspelled, or has no counterpart here; correct it or leave it out; known are `cap_add`, `cap_drop`,";
    assert!(unknown.starts_with(expected), "{unknown}");
}

#[test]
#[allow(clippy::too_many_lines)] // a table
fn a_wrong_value_of_a_service_is_refused_with_what_would_be_right() {
    let restart = "4:14: services.web.restart: a task runs its container once, and the agent does not start it again; leave the key out";
    for (lines, expected) in [
        ("restart: unless-stopped", restart),
        ("restart: always", restart),
        (
            "isolation: hyperv",
            "4:16: services.web.isolation: \"hyperv\" is not right; write it like default; the others are for Windows",
        ),
        (
            "scale: 2",
            "4:12: services.web.scale: a service is one task, but 2 containers are wanted; write one service for each",
        ),
        (
            "deploy: { replicas: 3 }",
            "4:25: services.web.deploy.replicas: a service is one task, but 3 containers are wanted; write one service for each",
        ),
        (
            "deploy: { placement: {} }",
            "4:15: services.web.deploy.placement: this key is misspelled, or has no counterpart here; correct it or leave it out; known are `mode`, `replicas`, `resources`, `restart_policy`",
        ),
        (
            "deploy: { restart_policy: { condition: any } }",
            "4:44: services.web.deploy.restart_policy.condition: a task runs its container once, and the agent does not start it again; leave the key out",
        ),
        (
            "mem_limit: 1m\ndeploy: { resources: { limits: { memory: 2m } } }",
            "5:46: services.web.deploy.resources.limits.memory: another key of the service has a different value; leave out one of them",
        ),
        (
            "mem_limit: much",
            "4:16: services.web.mem_limit: \"much\" is not right; write it like 64m or 1g",
        ),
        ("cpus: -1", "4:11: services.web.cpus: \"-1\" is not right; write it like 0.5 or 2"),
        (
            "command: ''",
            "4:5: services.web.command: an empty command has no counterpart without `entrypoint`; leave it out",
        ),
        (
            "command: echo 'a",
            "4:14: services.web.command: \"echo 'a\" has a quote or a backslash without its end",
        ),
        ("command: { a: b }", "4:14: services.web.command: this is a map; write a single value"),
        (
            "entrypoint: []",
            "4:17: services.web.entrypoint: an empty entry point has no counterpart; write the program",
        ),
        (
            "hostname: $NO",
            "4:15: services.web.hostname: the variable NO is not set in the environment of the agent; set it, or give a default as in ${NO:-default}",
        ),
        (
            "hostname: \"a\\0b\"",
            "4:15: services.web.hostname: \"a\\0b\" has a NUL byte; leave it out",
        ),
        ("tty: maybe", "4:10: services.web.tty: \"maybe\" is not right; write true or false"),
        (
            "env_file: [a, b]",
            "4:15: services.web.env_file: write exactly one file; put the variables of the others into it",
        ),
        (
            "env_file: { path: a, required: false }",
            "4:26: services.web.env_file.required: the file must exist; leave this out",
        ),
        (
            "environment: ['=x']",
            "4:19: services.web.environment[0]: \"\" is no name of a variable; write it like NAME=value",
        ),
        (
            "labels: { dev.onward.task: x }",
            "4:13: services.web.labels: the label \"dev.onward.task\" is the agent's own, since it begins with \"dev.onward.\"; use another name",
        ),
        (
            "logging: { options: {} }",
            "4:14: services.web.logging: there is no `driver`; add that of the options, such as json-file",
        ),
        (
            "pull_policy: daily",
            "4:18: services.web.pull_policy: \"daily\" is not right; write it like always, missing or never",
        ),
        (
            "container_name: a/b",
            "4:21: services.web.container_name: \"a/b\" is not right; write it like my-web.1",
        ),
        (
            "stop_grace_period: 10",
            "4:24: services.web.stop_grace_period: \"10\" is not right; write it like 30s or 1m30s",
        ),
        (
            "security_opt: ['seccomp:./p.json']",
            "4:20: services.web.security_opt[0]: the file of a seccomp profile is not read; write seccomp:unconfined or leave it out",
        ),
        (
            "security_opt: ['systempaths=unconfined']",
            "4:20: services.web.security_opt[0]: the option \"systempaths=unconfined\" has no counterpart here; known are no-new-privileges, seccomp, apparmor and label",
        ),
        (
            "ulimits: { nofile: { soft: 1 } }",
            "4:24: services.web.ulimits.nofile: `soft` and `hard` are both needed",
        ),
        (
            "healthcheck: { test: [curl] }",
            r#"4:26: services.web.healthcheck.test: the list begins with NONE, CMD or CMD-SHELL, as in ["CMD", "curl", "-f", "url"]"#,
        ),
        (
            "ports: ['0:80']",
            "4:13: services.web.ports[0]: \"0:80\" is not right; write it like 80, 8080:80, 127.0.0.1:8080:80/tcp or 8080-8081:80-81",
        ),
        (
            "ports: ['8000-8009:80']",
            "4:13: services.web.ports[0]: the ranges have different lengths; write one port of the host for each of the container",
        ),
        (
            "ports: [{ published: 80 }]",
            "4:13: services.web.ports[0]: there is no `target`; add one such as 80",
        ),
        (
            "networks: [back]",
            "4:16: services.web.networks[0]: the file does not define this network; add it to the `networks` of the file",
        ),
        (
            "network_mode: service:db",
            "4:19: services.web.network_mode: \"service:db\" is not right; write it like host, none, bridge or container:name, or use `networks`",
        ),
        (
            "network_mode: host\nnetworks: [default]",
            "4:5: services.web.network_mode: `networks` is given too; leave out one of them",
        ),
        (
            "networks: { default: { mac_address: x } }",
            "4:28: services.web.networks.default.mac_address: this key is misspelled, or has no counterpart here; correct it or leave it out; known are `aliases`, `ipv4_address`, `ipv6_address`",
        ),
        (
            "volumes: ['data:/data']",
            "4:15: services.web.volumes[0]: the file does not define the volume \"data\"; add it to the `volumes` of the file, or write ./data for a directory of the host",
        ),
        (
            "volumes: ['./a:/a:z']",
            "4:15: services.web.volumes[0]: the option \"z\" of a mount has no counterpart here; leave it out",
        ),
        (
            "volumes: [{ type: npipe, target: /x }]",
            "4:23: services.web.volumes[0].type: \"npipe\" is not right; write it like volume, bind or tmpfs",
        ),
        (
            "volumes: [{ type: bind, source: a, target: /x, tmpfs: {} }]",
            "4:52: services.web.volumes[0].tmpfs: a mount of the type \"bind\" has no such setting",
        ),
        (
            "volumes: [{ type: tmpfs, target: /x, tmpfs: { mode: 711 } }]",
            "4:57: services.web.volumes[0].tmpfs.mode: \"711\" is not right; write it like 0444, with the zero in front",
        ),
        (
            "secrets: [key]",
            "4:15: services.web.secrets[0]: the file does not define \"key\"; add it to the `secrets` of the file",
        ),
    ] {
        assert_eq!(refusal(&service(lines)), expected);
    }
}

#[test]
fn a_wrong_file_is_refused_at_its_position() {
    let nothing =
        "there is no service in it; write `services:`, and below it a name and its `image`";
    for (text, expected) in [
        ("", format!("1:1: {nothing}")),
        ("services:\n", format!("1:9: services: {nothing}")),
        ("name: x\n", format!("1:1: {nothing}")),
        ("[]", "1:1: this is not a map; write `key: value` on lines below it".to_owned()),
        ("services: [web]", "1:11: services: this is not a map; write `key: value` on lines below it".to_owned()),
        ("services: { web: }", "1:13: services.web: the service has no `image`; add one such as image: alpine:3".to_owned()),
        ("include: [other.yaml]", "1:1: include: other files are not read; copy their services into this one".to_owned()),
        ("models: {}", "1:1: models: the key `models` is misspelled, or has no counterpart here; correct it or leave it out; known are `name`, `services`, `networks`, `volumes`, `secrets` and `configs`".to_owned()),
        ("name: A\nservices: {}", "1:7: name: \"A\" is no project name; use a-z, 0-9, '_' and '-', beginning with a letter or a digit".to_owned()),
        ("services:\n  a: 1\n  a: 2\n", "3:3: the key `a` is already given at 2:3; leave out one".to_owned()),
        ("services: {}\n---\nservices: {}\n", "2:1: a second document begins here; write one document a file".to_owned()),
        ("services: !reset {}\n", "1:18: the tag !reset is not known; leave it out".to_owned()),
        ("a: &a [*a]", "1:8: an alias cannot be a part of its own anchor".to_owned()),
        ("<<: 1", "1:5: `<<` needs a map, as in `<<: *defaults`".to_owned()),
        ("services: {}\nnetworks: { a: { external: true, driver: bridge } }", "2:34: networks.a.driver: with `external: true`, only `name` is allowed; leave this out".to_owned()),
        ("services: {}\nnetworks: { a: { ipam: {} } }", "2:18: networks.a.ipam: this key is misspelled, or has no counterpart here; correct it or leave it out; known are `name`, `external`, `driver`, `driver_opts`, `internal`".to_owned()),
        ("services: {}\nsecrets: { a: { environment: A } }", "2:17: secrets.a.environment: this key is misspelled, or has no counterpart here; correct it or leave it out; known are `name`, `external`, `file`".to_owned()),
        ("services: {}\nconfigs: { a: }", "2:12: configs.a: write `file: path`, or `external: true` if the owner of the agent gives it".to_owned()),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn text_that_is_no_yaml_is_refused_at_its_position() {
    for (text, position) in [
        ("services:\n  web:\n   image: x\n  - y\n", "4:5: "),
        ("services: {\n", "1:11: unclosed bracket"),
        ("services: 'x\n", "1:11: "),
        ("services: *none\n", "1:11: "),
        ("\tservices:\n", "1:"),
    ] {
        let refused = refusal(text);
        assert!(refused.starts_with(position), "{text}: {refused}");
    }
}

#[test]
fn aliases_of_aliases_do_not_fill_the_memory() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let before = format!("*a{}", level - 1);
        let list = [before.as_str(); 10].join(", ");
        writeln!(text, "a{level}: &a{level} [{list}]").unwrap();
    }
    let refused = refusal(&text);
    assert!(refused.contains("with its aliases, the file is larger than"), "{refused}");
    let deep = refusal(&format!("{}{}", "[".repeat(65), "]".repeat(65)));
    assert_eq!(deep, "1:65: lists and maps are nested more than 64 levels deep");
    let deeper = refusal(&"[".repeat(100_000));
    assert!(deeper.contains("limit exceeded"), "{deeper}");
}

/// Pieces of which Compose files are made, and others.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "services:",
        "\n  web:",
        "\n    image: x",
        "\n    ports: [",
        "'1-2:3'",
        "\n    volumes:",
        "\n      - ",
        "a:/b:ro",
        "{ ",
        " }",
        "]",
        ", ",
        ": ",
        "\n",
        "  ",
        "&a ",
        "*a",
        "<<: ",
        "${",
        "$A",
        "}",
        ":-",
        "!x ",
        "\n    deploy: {resources: {limits: {cpus: 1e9, memory: 9e30g}}}",
        "\n    healthcheck: {interval: ",
        "99999999999h",
        "\n    environment: [",
        "\n    networks: [default]",
        "\nvolumes: {a: }",
        "|\n",
        "\"\\0\"",
        "\n    cpus: 1e300",
        "\n    mem_limit: -5",
        "\n    stop_grace_period: 1.9999999999s",
        "---",
        "é",
        "\t",
        "#",
    ];
    prop_oneof![4 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned), 1 => ".{0,8}"]
}

proptest! {
    #[test]
    fn no_file_panics_and_each_task_can_be_stored(pieces in proptest::collection::vec(piece(), 0..40)) {
        for text in [pieces.concat(), service(&pieces.concat())] {
            match read("p", &text, &env) {
                Ok(tasks) => for task in tasks {
                    let json = serde_json::to_string(&task.definition).unwrap();
                    prop_assert_eq!(serde_json::from_str::<DockerDefinition>(&json).unwrap(), task.definition);
                },
                Err(problem) => {
                    let lines = text.split('\n').count();
                    let Position { line, column } = problem.position;
                    prop_assert!((1..=lines + 1).contains(&line) && column > 0, "{problem}");
                    prop_assert!(!problem.problem.is_empty());
                }
            }
        }
    }
}
