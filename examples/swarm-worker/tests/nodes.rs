//! What an operator does with a node of a real swarm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use onward::TaskState;
use support::program::{Worker, engine_docker, until};
use support::swarm::swarm;

const RUNS: [&str; 4] = ["--init", "bb:1", "sleep", "1000"];

/// Makes a config, so that a task has a file in memory. Returns its name.
fn config(worker: &Worker) -> String {
    let name = format!("{}-config", worker.name);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    worker.swarm.docker(&["config", "create", &name, file]);
    name
}

/// Whether the node has a directory for files in memory.
fn has_files(worker: &Worker) -> bool {
    let dir = |memory| Path::new(memory).join("swarm-worker").join(&worker.id);
    ["/run", "/dev/shm"].into_iter().any(|memory| dir(memory).exists())
}

#[test]
fn a_node_is_paused_drained_and_active_again() {
    let Some(swarm) = swarm("a_node_is_paused_drained_and_active_again") else { return };
    let worker = Worker::start(&swarm, "available");
    let availability = |value: &str| {
        swarm.docker(&["node", "update", "--availability", value, &worker.id]);
    };
    let service = worker.create("web", &[&["--replicas", "2"][..], &RUNS].concat());
    let first = swarm.running(&service, 2);
    availability("pause");
    swarm.docker(&["service", "scale", "--detach", &format!("{service}=3")]);
    until("the third task waits", || {
        let tasks = swarm.current(&service);
        let waits = tasks.iter().any(|task| task.state() == TaskState::Pending);
        (tasks.len() == 3 && waits).then_some(())
    });
    availability("active");
    let tasks = swarm.running(&service, 3);
    for task in &first {
        assert!(tasks.iter().any(|other| other.id() == task.id()), "paused tasks go on");
    }
    availability("drain");
    until("no task runs", || {
        let tasks = swarm.tasks("node", &worker.id);
        tasks.iter().all(|task| task.state().is_terminal()).then_some(())
    });
    availability("active");
    swarm.running(&service, 3);
}

#[test]
fn a_removed_node_ends_its_tasks_and_says_so() {
    let Some(swarm) = swarm("a_removed_node_ends_its_tasks_and_says_so") else { return };
    let mut worker = Worker::start(&swarm, "removed");
    let options = ["--replicas", "3", "--config", &config(&worker)];
    let service = worker.create("web", &[&options[..], &RUNS].concat());
    swarm.running(&service, 3);
    assert!(has_files(&worker));
    let began = Instant::now();
    swarm.remove_node(&worker.id);
    assert_eq!(worker.exit().code(), Some(4));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let label = format!("label=com.docker.swarm.node.id={}", worker.id);
    assert_eq!(engine_docker(&["ps", "--quiet", "--filter", &label]), "");
    assert!(!has_files(&worker));
    // A new start says it as well, at once.
    worker.spawn();
    assert_eq!(worker.exit().code(), Some(4));
}

#[test]
fn a_node_leaves_and_joins_again() {
    let Some(swarm) = swarm("a_node_leaves_and_joins_again") else { return };
    let mut worker = Worker::start(&swarm, "leaves");
    let service = worker.create("web", &[&["--config", &config(&worker)][..], &RUNS].concat());
    swarm.running(&service, 1);
    assert!(has_files(&worker));
    let label = format!("label=com.docker.swarm.node.id={}", worker.id);
    assert!(!worker.command(&["leave"]).status.success(), "an agent that runs keeps its key");
    assert!(worker.terminate().success());
    assert_eq!(engine_docker(&["ps", "--quiet", "--filter", &label]).lines().count(), 1);
    let left = worker.command(&["leave"]);
    assert!(left.status.success(), "{left:?}");
    assert_eq!(engine_docker(&["ps", "--all", "--quiet", "--filter", &label]), "");
    assert!(!has_files(&worker));
    worker.spawn();
    assert!(!worker.exit().success(), "there is no key to run with");
    worker.dismiss_judge();
    swarm.remove_node(&worker.id);
    worker.join();
    worker.run();
    let service = worker.create("again", &RUNS);
    swarm.running(&service, 1);
}

#[test]
fn the_root_is_rotated_while_tasks_run() {
    let Some(swarm) = swarm("the_root_is_rotated_while_tasks_run") else { return };
    let worker = Worker::start(&swarm, "rotated");
    let service = worker.create("web", &RUNS);
    let first = swarm.running(&service, 1)[0].id().to_owned();
    // It returns when every node has told its new root.
    swarm.docker(&["swarm", "ca", "--rotate", "--quiet"]);
    swarm.docker(&["service", "scale", "--detach", &format!("{service}=2")]);
    let tasks = swarm.running(&service, 2);
    assert!(tasks.iter().any(|task| task.id() == first));
}

#[test]
fn a_task_that_an_operator_stops_at_the_node_is_replaced() {
    let Some(swarm) = swarm("a_task_that_an_operator_stops_at_the_node_is_replaced") else {
        return;
    };
    let worker = Worker::start(&swarm, "stopped");
    let service = worker.create("web", &[&["--restart-delay", "100ms"][..], &RUNS].concat());
    let old = swarm.running(&service, 1)[0].id().to_owned();
    let listed = worker.command(&["ps", "--json"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&old), "{listed:?}");
    let stopped = worker.command(&["stop", &old]);
    assert!(stopped.status.success(), "{stopped:?}");
    until("another task runs", || {
        swarm.current(&service).into_iter().find(|task| task.is_running() && task.id() != old)
    });
}
