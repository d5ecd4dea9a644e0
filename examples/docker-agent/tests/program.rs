//! The program: its demo, both kinds of tasks in one agent, and its error without an engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use support::engine::{IMAGE, engine};
use support::life::PATIENCE;
use support::program::Home;

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_docker-agent"))
}

/// The lines of the demo that show this state of a task.
fn ended<'a>(shown: &'a str, name: &str, state: &str) -> Vec<&'a str> {
    let shows = |line: &&str| {
        // The time comes first.
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(name) && words.next() == Some(state)
    };
    shown.lines().filter(shows).collect()
}

#[test]
fn the_demo_shows_every_end() {
    let Some(_) = engine("the_demo_shows_every_end") else { return };
    let output = program().arg("run").env_remove("ONWARD_STATE").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    let expected = [
        ("job", "complete", "finished"),
        ("exits-7", "failed", "exit code 7"),
        ("crashes", "failed", "exit code 139"),
        ("greedy", "failed", "out of memory"),
        ("no-image", "rejected", "No such image: no-such-image:1"),
        ("no-command", "failed", "exit code 127"),
        ("service", "shutdown", ""),
        ("unhealthy", "failed", "unhealthy container"),
        ("stubborn", "shutdown", ""),
        ("process", "complete", "finished"),
    ];
    for (name, state, text) in expected {
        let lines = ended(&shown, name, state);
        assert!(lines.len() == 1 && lines[0].contains(text), "{name}: {lines:?}\n{shown}");
    }
}

#[test]
fn without_an_engine_the_demo_says_what_is_missing_and_how_to_get_it() {
    let output = program()
        .arg("run")
        .env_remove("ONWARD_STATE")
        .env("DOCKER_HOST", "unix:///no/such.sock")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let begin = "docker-agent: no Docker engine answers at unix:///no/such.sock: ";
    assert!(said.starts_with(begin) && said.contains("`systemctl start docker`"), "{said}");
}

#[test]
fn an_agent_that_only_has_processes_needs_no_engine() {
    let home = tempfile::tempdir().unwrap();
    let file = "[[task]]\nname = 'one'\ncommand = ['sh', '-c', 'exit 3']\n";
    std::fs::write(home.path().join("tasks.toml"), file).unwrap();
    let output = program()
        .args(["run", "tasks.toml"])
        .current_dir(home.path())
        .env_remove("ONWARD_STATE")
        .env("DOCKER_HOST", "unix:///no/such.sock")
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("exited with code 3") && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn an_agent_that_has_never_reached_its_engine_ends_when_it_is_asked_to() {
    let home = tempfile::tempdir().unwrap();
    let path = |name| home.path().join(name);
    std::fs::write(path("tasks.toml"), "[[task]]\nname = 'one'\nimage = 'one:1'\n").unwrap();
    let mut agent = program()
        .args(["run", "tasks.toml"])
        .current_dir(home.path())
        .env_remove("ONWARD_STATE")
        .env("DOCKER_HOST", "unix:///no/such.sock")
        .stdout(std::fs::File::create(path("out")).unwrap())
        .spawn()
        .unwrap();
    let until = |what: &str, condition: &mut dyn FnMut() -> bool| {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    until("the task is tried again", &mut || {
        std::fs::read_to_string(path("out")).unwrap().contains("attempt 1 failed")
    });
    let asked = Command::new("kill").arg(agent.id().to_string()).status().unwrap();
    assert!(asked.success());
    until("the agent has ended", &mut || agent.try_wait().unwrap().is_some());
    assert_eq!(agent.wait().unwrap().code(), Some(0));
}

#[test]
fn a_task_without_an_image_and_a_command_is_refused() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("tasks.toml"), "[[task]]\nname = 'one'\n").unwrap();
    let mut run = program();
    let output = run.args(["run", "tasks.toml"]).current_dir(home.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "the task has no `image`; add one such as image = \"alpine:3\" for a container, \
                    or command = [\"date\"] for a process";
    assert!(output.status.code() == Some(2) && said.contains(expected), "{said}");
}

#[test]
fn a_container_and_a_process_run_in_one_agent() {
    let Some(_) = engine("a_container_and_a_process_run_in_one_agent") else { return };
    let container = format!(
        "[[task]]\nname = 'container'\nimage = '{IMAGE}'\nstop_grace = '1s'\n\
         args = ['sh', '-c', 'echo said in a container; sleep 1000']\n"
    );
    let process =
        "[[task]]\nname = 'process'\ncommand = ['sh', '-c', 'echo said outside; sleep 1000']\n";
    let mut home = Home::new(&[&container, process].concat());
    home.start();
    for name in ["container", "process"] {
        home.wait("both run", |home| home.state(name) == "running");
    }
    let said = |name: &str, text: &str| {
        home.wait("its output is shown", |home| {
            String::from_utf8_lossy(&home.ask(&["logs", name]).stdout).contains(text)
        });
    };
    said("container", "said in a container");
    said("process", "said outside");
    let details = home.task("container")["Details"]["container"].clone();
    let id = home.task("container")["Status"]["ContainerStatus"]["ContainerID"].clone();
    assert!(id.as_str().unwrap().starts_with(details.as_str().unwrap()), "{details} {id}");
    assert!(home.task("process")["Details"]["tracking"].is_string());

    // The next agent finds both.
    home.kill();
    home.start();
    home.wait("the container is there again", |home| home.state("container") == "running");
    assert_eq!(home.task("container")["Status"]["ContainerStatus"]["ContainerID"], id);
    assert!(home.ask(&["stop", "--wait", "container", "process"]).status.success());
    assert_eq!([home.state("container"), home.state("process")], ["shutdown", "shutdown"]);
    home.save("task = []\n");
    home.wait("both are removed", |home| home.tasks().is_some_and(|tasks| tasks.is_empty()));
}

#[test]
fn the_services_of_a_compose_file_find_each_other() {
    let Some(_) = engine("the_services_of_a_compose_file_find_each_other") else { return };
    let home = tempfile::tempdir().unwrap();
    let file = format!(
        "services:
  answer:
    image: {IMAGE}
    command: sh -c 'echo found | nc -l -p 80'
    stop_grace_period: 0s
  ask:
    image: {IMAGE}
    command: >-
      sh -c 'for i in $$(seq 300); do nc answer 80 < /dev/null | grep found && exit; sleep 0.1; done; exit 1'
"
    );
    std::fs::write(home.path().join("compose.yaml"), file).unwrap();
    let mut run = program();
    let run = run.args(["run", "compose.yaml", "--logs", "--strict"]);
    let output = run.current_dir(home.path()).env_remove("ONWARD_STATE").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("found") && output.status.success(), "{output:?}");
}

#[test]
fn a_container_and_its_log_are_served_over_http() {
    let name = "a_container_and_its_log_are_served_over_http";
    let Some(_) = engine(name) else { return };
    let script = "args = ['sh', '-c', 'echo hello; exec sleep 1000']\nstop_grace = '0s'\n";
    let file = format!("[[task]]\nname = 'web'\nimage = '{IMAGE}'\n{script}");
    let mut home = Home::new(&file);
    home.start_with(&["--http", "127.0.0.1:0", "--on-exit", "stop"]);
    home.wait("the container runs", |home| home.state("web") == "running");
    let said = std::fs::read_to_string(home.path("err")).unwrap();
    let (_, address) = said.split_once("serving the status page at http://").unwrap();
    let address = address.split_once('/').unwrap().0;
    let get = |path: &str| {
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(client, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        text
    };
    let task = get("/api/tasks/web");
    for part in [IMAGE, "\"Name\":\"start\"", "\"To\":\"running\"", "\"container\""] {
        assert!(task.contains(part), "{part}: {task}");
    }
    home.wait("the log", |_| get("/api/tasks/web/logs").contains("\"text\":\"hello\""));
    assert!(home.ask(&["stop", "--wait", "web"]).status.success());
}
