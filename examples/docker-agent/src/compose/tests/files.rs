use agent_kit::task_file::TaskFile;

use super::*;
use crate::task::TaskDefinition;

#[test]
fn wordpress_and_its_database_share_the_default_network() {
    let text = "
version: '3.8'
name: blog
x-env: &env
  environment:
    WORDPRESS_DB_NAME: wp
  labels: { part: blog }
services:
  wordpress:
    <<: *env
    image: wordpress:6
    ports: ['${PORT:-80}:80']
    environment:
      WORDPRESS_DB_HOST: db
      WORDPRESS_DB_PASSWORD: ${PASSWORD:-secret}
    volumes: ['html:/var/www/html']
  db:
    image: mysql:8
    command: --character-set-server=utf8mb4
    volumes: ['data:/var/lib/mysql', './init.sql:/docker-entrypoint-initdb.d/init.sql:ro']
volumes:
  html:
  data: { name: mysql-data, driver: local, driver_opts: { type: none } }
";
    let wordpress = "
image = 'wordpress:6'
env = { WORDPRESS_DB_HOST = 'db', WORDPRESS_DB_PASSWORD = 'secret' }
labels = { part = 'blog' }
ports = [{ target = 80, published = 8080 }]
mounts = [{ type = 'volume', source = 'blog_html', target = '/var/www/html' }]
networks = [{ name = 'blog_default', aliases = ['wordpress'] }]
";
    let db = "
image = 'mysql:8'
args = ['--character-set-server=utf8mb4']
mounts = [
    { type = 'volume', source = 'mysql-data', target = '/var/lib/mysql', driver = 'local', driver_options = { type = 'none' } },
    { type = 'bind', source = './init.sql', target = '/docker-entrypoint-initdb.d/init.sql', read_only = true, create_source = true },
]
networks = [{ name = 'blog_default', aliases = ['db'] }]
";
    let expected = [("wordpress".to_owned(), toml(wordpress)), ("db".to_owned(), toml(db))];
    assert_eq!(tasks(text), expected);
}

#[test]
fn a_proxy_reaches_the_back_end_that_the_outside_does_not() {
    let text = "
services:
  proxy:
    image: nginx:1
    networks:
      front: { aliases: [www] }
      back:
    configs: [{ source: site, target: /etc/nginx/conf.d/site.conf }]
    secrets: [key, { source: token, uid: '101', mode: 0400 }]
  redis:
    image: redis:7
    healthcheck:
      test: [CMD, redis-cli, ping]
      interval: 5s
    networks: [back, outside]
  shell:
    image: alpine:3
    networks: [host]
networks:
  front: { driver: bridge, driver_opts: { mtu: 1400 } }
  back: { internal: true, external: false }
  outside: { external: true, name: company }
  host: { external: true }
configs:
  site: { file: ./site.conf }
secrets:
  key: { file: key.pem }
  token: { external: true, name: app-token }
";
    let proxy = "
image = 'nginx:1'
networks = [
    { name = 'p_front', driver = 'bridge', driver_options = { mtu = '1400' }, aliases = ['proxy', 'www'] },
    { name = 'p_back', internal = true, aliases = ['proxy'] },
]
mounts = [
    { type = 'bind', source = './site.conf', target = '/etc/nginx/conf.d/site.conf', read_only = true },
    { type = 'bind', source = 'key.pem', target = '/run/secrets/key', read_only = true },
]
files = [{ source = 'app-token', target = 'token', uid = 101, mode = 0o400 }]
";
    let redis = "
image = 'redis:7'
healthcheck = { test = ['CMD', 'redis-cli', 'ping'], interval = '5s' }
networks = [
    { name = 'p_back', internal = true, aliases = ['redis'] },
    { name = 'company', aliases = ['redis'] },
]
";
    let expected = [
        ("proxy".to_owned(), toml(proxy)),
        ("redis".to_owned(), toml(redis)),
        ("shell".to_owned(), toml("image = 'alpine:3'\nnetworks = [{ name = 'host' }]")),
    ];
    assert_eq!(tasks(text), expected);
}

#[test]
fn the_project_has_the_name_of_its_directory() {
    let network = |directory: &str| {
        let tasks = read(directory, "services: { a: { image: x } }", &env).unwrap();
        tasks.first().unwrap().definition.networks.first().unwrap().name.clone()
    };
    for (directory, expected) in
        [("My App.1", "myapp1_default"), ("_x-y", "x-y_default"), ("/", "default_default")]
    {
        assert_eq!(network(directory), expected);
    }
    let variable = |name: &str| (name == PROJECT_NAME).then(|| "other".to_owned());
    let tasks = read("p", "name: mine\nservices: { a: { image: x } }", &variable).unwrap();
    assert_eq!(tasks.first().unwrap().definition.networks.first().unwrap().name, "other_default");
}

#[test]
fn a_task_file_that_ends_with_yaml_is_a_compose_file() {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let read = TaskFile::<DockerDefinition>::read(&path);
        read.map_err(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))
    };
    let text = "services:\n  web:\n    image: x\n    volumes: [./data:/data]\n";
    let tasks = read("compose.yml", text).unwrap().tasks;
    let [task] = tasks.as_slice() else { panic!("{tasks:?}") };
    assert_eq!(task.name, "web");
    let Some(crate::definition::Mount::Bind(bind)) = task.definition.mounts.first() else {
        panic!("{task:?}")
    };
    assert_eq!(bind.source, dir.path().join("./data"));
    let path = dir.path().join("compose.yml");
    let program = TaskFile::<TaskDefinition>::read(&path).unwrap().tasks;
    let expected = TaskDefinition::Container(Box::new(task.definition.clone()));
    assert_eq!(program.first().unwrap().definition, expected);
    assert_eq!(read("tasks.toml", "[[task]]\nname = 'web'\nimage = 'x'\n").unwrap().tasks.len(), 1);
    for (text, expected) in [
        (
            "services: { web: { image: x, ports: [x] } }",
            "compose.yaml:1:38: services.web.ports[0]: \"x\" is not right; write it like 80, 8080:80, 127.0.0.1:8080:80/tcp or 8080-8081:80-81",
        ),
        (
            "services:\n  Web: { image: x }",
            "compose.yaml:2:3: \"Web\" is not a task name; use 1 to 63 of a-z, 0-9, '_', '.' and '-', beginning with a letter or a digit",
        ),
    ] {
        assert_eq!(read("compose.yaml", text).unwrap_err(), expected);
    }
}
