use super::*;

/// Checks the definition of each service beside its image. It is in the default network if no other
/// one is expected.
fn check(cases: &[(&str, &str)]) {
    for (lines, expected) in cases {
        let network = if expected.contains("networks") {
            ""
        } else {
            "networks = [{ name = 'p_default', aliases = ['web'] }]"
        };
        let read = tasks(&service(lines));
        let expected = toml(&format!("image = 'x'\n{network}\n{expected}"));
        assert_eq!(read, [("web".to_owned(), expected)], "{lines}");
    }
}

#[test]
fn every_key_of_the_process_has_its_counterpart() {
    check(&[
        ("command: echo 'a b' c\\ d $$HOME", "args = ['echo', 'a b', 'c d', '$HOME']"),
        ("command: [echo, 1.10, \"yes\"]", "args = ['echo', '1.10', 'yes']"),
        ("command:", ""),
        ("entrypoint: sh -c\ncommand: []", "command = ['sh', '-c']"),
        ("entrypoint: [sh, -c]\ncommand: [x]", "command = ['sh', '-c']\nargs = ['x']"),
        (
            "environment: { A: 1.10, B: true, SET:, NO:, E: '' }",
            "env = { A = '1.10', B = 'true', SET = 'set', E = '' }\nenv_remove = ['NO']",
        ),
        (
            "environment: [A=1=2, SET, NO, E=]",
            "env = { A = '1=2', SET = 'set', E = '' }\nenv_remove = ['NO']",
        ),
        ("env_file: .env", "env_file = '.env'"),
        ("env_file: [a.env]", "env_file = 'a.env'"),
        ("env_file: [{ path: a.env, required: true, format: raw }]", "env_file = 'a.env'"),
        ("working_dir: /app", "dir = '/app'"),
        ("user: 1000:1000", "user = '1000:1000'"),
        ("group_add: [mail, 33]", "groups = ['mail', '33']"),
        ("stop_signal: SIGUSR1", "stop_signal = 'SIGUSR1'"),
        ("stop_grace_period: 1m30s", "stop_grace = '90s'"),
        ("init: true", "init = true"),
        ("tty: true\nstdin_open: 'yes'", "tty = true\nopen_stdin = true"),
        ("pull_policy: if_not_present", "pull = 'missing'"),
        ("pull_policy: always", "pull = 'always'"),
        ("platform: linux/arm64", "platform = 'linux/arm64'"),
        ("container_name: my.web", "container_name = 'my.web'"),
        ("isolation: default\nscale: 1\nrestart: no", ""),
        ("restart: \"no\"", ""),
        ("x-note: { any: [thing] }", ""),
    ]);
}

#[test]
fn every_key_of_the_network_has_its_counterpart() {
    check(&[
        (
            "hostname: web.example\ndomainname: example",
            "hostname = 'web.example'\ndomainname = 'example'",
        ),
        (
            "extra_hosts: [a=192.0.2.1, 'b:192.0.2.2', 'c=[::1]', 'd:host-gateway']",
            "hosts = ['a:192.0.2.1', 'b:192.0.2.2', 'c:::1', 'd:host-gateway']",
        ),
        ("extra_hosts: { a: 192.0.2.1 }", "hosts = ['a:192.0.2.1']"),
        (
            "dns: 192.0.2.53\ndns_search: a.example\ndns_opt: ['ndots:3']",
            "dns = { servers = ['192.0.2.53'], search = ['a.example'], options = ['ndots:3'] }",
        ),
        ("dns: [192.0.2.53, '2001:db8::1']", "dns = { servers = ['192.0.2.53', '2001:db8::1'] }"),
        ("network_mode: host", "networks = [{ name = 'host' }]"),
        ("network_mode: container:other", "networks = [{ name = 'container:other' }]"),
        ("networks: [default]", "networks = [{ name = 'p_default', aliases = ['web'] }]"),
        (
            "networks: { default: { aliases: [www, web] } }",
            "networks = [{ name = 'p_default', aliases = ['web', 'www'] }]",
        ),
        ("ports: [80]", "ports = [{ target = 80 }]"),
        (
            "ports: ['8080:80', '53:53/udp']",
            "ports = [{ target = 80, published = 8080 }, { target = 53, published = 53, protocol = 'udp' }]",
        ),
        (
            "ports: ['127.0.0.1:${PORT}:80', '127.0.0.1::81', '[::1]:1:2']",
            "ports = [{ target = 80, published = 8080, address = '127.0.0.1' }, \
                   { target = 81, address = '127.0.0.1' }, \
                   { target = 2, published = 1, address = '::1' }]",
        ),
        (
            "ports: ['8080-8081:80-81']",
            "ports = [{ target = 80, published = 8080 }, { target = 81, published = 8081 }]",
        ),
        (
            "ports: [{ name: http, target: 80, published: \"8080\", host_ip: 127.0.0.1, protocol: tcp, mode: host }]",
            "ports = [{ name = 'http', target = 80, published = 8080, address = '127.0.0.1' }]",
        ),
    ]);
}

#[test]
fn every_key_of_storage_has_its_counterpart() {
    check(&[
        (
            "volumes: ['./data:/data:ro', '~/x:/x', '/a:/b:rshared,cached']",
            "mounts = [{ type = 'bind', source = './data', target = '/data', read_only = true, create_source = true }, \
                    { type = 'bind', source = '/home/me/x', target = '/x', create_source = true }, \
                    { type = 'bind', source = '/a', target = '/b', create_source = true, propagation = 'rshared', consistency = 'cached' }]",
        ),
        ("volumes: [/anonymous]", "mounts = [{ type = 'volume', target = '/anonymous' }]"),
        (
            "volumes:\n- type: bind\n  source: ./a\n  target: /a\n  read_only: true\n  bind: { propagation: slave, create_host_path: false, recursive: readonly }",
            "mounts = [{ type = 'bind', source = './a', target = '/a', read_only = true, propagation = 'slave', read_only_force_recursive = true }]",
        ),
        (
            "volumes: [{ type: volume, target: /v, volume: { nocopy: true, subpath: s, labels: { a: b } } }]",
            "mounts = [{ type = 'volume', target = '/v', no_copy = true, subpath = 's', labels = { a = 'b' } }]",
        ),
        (
            "volumes: [{ type: tmpfs, target: /t, tmpfs: { size: 1m, mode: 0711 } }]",
            "mounts = [{ type = 'tmpfs', target = '/t', size = '1MiB', mode = 0o711 }]",
        ),
        ("tmpfs: /run", "mounts = [{ type = 'tmpfs', target = '/run' }]"),
        (
            "tmpfs: ['/run:size=64k,mode=1777,ro,uid=1', /tmp]",
            "mounts = [{ type = 'tmpfs', target = '/run', size = 65536, mode = 0o1777, read_only = true, options = ['uid=1'] }, \
                    { type = 'tmpfs', target = '/tmp' }]",
        ),
        ("read_only: true", "read_only = true"),
    ]);
}

#[test]
fn every_key_of_security_and_resources_has_its_counterpart() {
    check(&[
        (
            "cap_add: [NET_ADMIN]\ncap_drop: [ALL]",
            "capability_add = ['NET_ADMIN']\ncapability_drop = ['ALL']",
        ),
        ("privileged: true", "privileges = { privileged = true }"),
        (
            "security_opt: ['no-new-privileges:true', 'seccomp=unconfined', 'apparmor:mine', 'label:type:t']",
            "privileges = { no_new_privileges = true, seccomp = 'unconfined', apparmor = { profile = 'mine' }, selinux = { type = 't' } }",
        ),
        (
            "security_opt: [no-new-privileges, 'apparmor:unconfined', 'label:disable']",
            "privileges = { no_new_privileges = true, apparmor = 'disabled', selinux = { disable = true } }",
        ),
        ("sysctls: { net.core.somaxconn: 1024 }", "sysctls = { 'net.core.somaxconn' = '1024' }"),
        ("sysctls: [net.core.somaxconn=1024]", "sysctls = { 'net.core.somaxconn' = '1024' }"),
        (
            "ulimits: { nproc: 65535, nofile: { soft: 10, hard: -1 } }",
            "ulimits = [{ name = 'nproc', soft = 65535, hard = 65535 }, { name = 'nofile', soft = 10, hard = -1 }]",
        ),
        (
            "cpus: 0.5\nmem_limit: 64m\nmem_reservation: 32m\nmemswap_limit: -1\nmem_swappiness: 10\npids_limit: 77\noom_score_adj: -5",
            "oom_score_adj = -5\nresources = { cpus = 0.5, memory = '64MiB', memory_reservation = '32MiB', memory_swap = -1, memory_swappiness = 10, pids = 77 }",
        ),
        (
            "mem_limit: 64m\ndeploy: { mode: replicated, replicas: 1, restart_policy: { condition: none }, resources: { limits: { cpus: '1.5', memory: 64M, pids: 9 }, reservations: { memory: 1g } } }",
            "resources = { cpus = 1.5, memory = '64MiB', memory_reservation = '1GiB', pids = 9 }",
        ),
        ("cpus: 0", ""),
        (
            "logging: { driver: json-file, options: { max-size: 1m, max-file: 3 } }",
            "log_driver = { name = 'json-file', options = { max-size = '1m', max-file = '3' } }",
        ),
        ("labels: { a: b, empty: }", "labels = { a = 'b', empty = '' }"),
        ("labels: [a=b, empty]", "labels = { a = 'b', empty = '' }"),
        (
            "healthcheck: { test: curl -f http://localhost, interval: 1m30s, timeout: 500ms, retries: 3, start_period: 40s, start_interval: 5s }",
            "healthcheck = { test = ['CMD-SHELL', 'curl -f http://localhost'], interval = '90s', timeout = '500ms', retries = 3, start_period = '40s', start_interval = '5s' }",
        ),
        ("healthcheck: { test: [CMD, true] }", "healthcheck = { test = ['CMD', 'true'] }"),
        ("healthcheck: { disable: true }", "healthcheck = { test = ['NONE'] }"),
    ]);
}
