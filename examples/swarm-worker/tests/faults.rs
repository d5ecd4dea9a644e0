//! A node of a real swarm, its manager or the cable between them fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name says what it is

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use onward::TaskState;
use support::program::{Task, Worker, engine_docker, until};
use support::swarm::{Swarm, swarm};

const RUNS: [&str; 4] = ["--init", "bb:1", "sleep", "1000"];

/// One test at a time: they share the manager and the cable.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ids(tasks: &[Task]) -> BTreeSet<String> {
    tasks.iter().map(|task| task.id().to_owned()).collect()
}

fn dir() -> PathBuf {
    std::env::var_os("SWARM_DIR").unwrap().into()
}

/// `kill`, `stop` or `start` of the manager's engine.
fn manager(command: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/docker");
    let done = Command::new(script).arg(command).arg(dir().join("manager")).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// Cuts the cable, or repairs it.
fn cable(state: &str) {
    let done = Command::new("ip").args(["link", "set", "cable", state]).status().unwrap();
    assert!(done.success());
}

/// Waits until the manager shows the node so.
fn node_is(worker: &Worker, state: &str) {
    until(&format!("the node is {state}"), || {
        (worker.node()["Status"]["State"] == state).then_some(())
    });
}

fn containers(worker: &Worker) -> BTreeSet<String> {
    let label = format!("label=com.docker.swarm.node.id={}", worker.id);
    let listed = engine_docker(&["ps", "--quiet", "--filter", &label]);
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn a_killed_worker_that_is_back_in_time_has_the_same_tasks() {
    let Some(swarm) = swarm("a_killed_worker_that_is_back_in_time_has_the_same_tasks") else {
        return;
    };
    let _turn = turn();
    let mut worker = Worker::start(&swarm, "killed");
    let service = worker.create("web", &[&["--replicas", "20"][..], &RUNS].concat());
    let before = swarm.running(&service, 20);
    let containers_before = containers(&worker);
    worker.kill();
    worker.run();
    sleep(Duration::from_secs(5));
    assert_eq!(ids(&swarm.running(&service, 20)), ids(&before));
    assert_eq!(containers(&worker), containers_before);
}

#[test]
fn a_task_that_ends_without_its_worker_is_reported_afterwards() {
    let Some(swarm) = swarm("a_task_that_ends_without_its_worker_is_reported_afterwards") else {
        return;
    };
    let _turn = turn();
    let mut worker = Worker::start(&swarm, "absent");
    let once = ["--restart-condition", "none", "bb:1", "sh", "-c", "sleep 4; exit 5"];
    let service = worker.create("once", &once);
    swarm.running(&service, 1);
    worker.kill();
    sleep(Duration::from_secs(5));
    worker.run();
    let task = swarm.ended(&service);
    assert_eq!((task.state(), task.exit_code()), (TaskState::Failed, Some(5)), "{task:?}");
}

#[test]
fn a_worker_that_is_killed_while_tasks_start_and_stop_loses_none() {
    let Some(swarm) = swarm("a_worker_that_is_killed_while_tasks_start_and_stop_loses_none") else {
        return;
    };
    let _turn = turn();
    let mut worker = Worker::start(&swarm, "midway");
    let service = worker.create("web", &RUNS);
    for (round, count) in [20, 3, 15, 0, 10].into_iter().enumerate() {
        swarm.docker(&["service", "scale", "--detach", &format!("{service}={count}")]);
        sleep(Duration::from_millis(200 * u64::try_from(round + 1).unwrap()));
        worker.kill();
        worker.run();
    }
    swarm.running(&service, 10);
    until("no other container is left", || (containers(&worker).len() == 10).then_some(()));
}

#[test]
fn a_worker_that_is_back_after_its_tasks_were_replaced_ends_the_old_ones() {
    let Some(swarm) =
        swarm("a_worker_that_is_back_after_its_tasks_were_replaced_ends_the_old_ones")
    else {
        return;
    };
    let _turn = turn();
    let mut worker = Worker::start(&swarm, "late");
    let service = worker.create("web", &[&["--replicas", "3"][..], &RUNS].concat());
    swarm.running(&service, 3);
    worker.kill();
    node_is(&worker, "down");
    worker.dismiss_judge();
    worker.run();
    swarm.running(&service, 3);
    until("three containers are left", || (containers(&worker).len() == 3).then_some(()));
}

#[test]
fn tasks_go_on_while_the_manager_is_restarted_or_killed() {
    let Some(swarm) = swarm("tasks_go_on_while_the_manager_is_restarted_or_killed") else { return };
    let _turn = turn();
    let worker = Worker::start(&swarm, "managed");
    let service = worker.create("web", &[&["--replicas", "3"][..], &RUNS].concat());
    let before = ids(&swarm.running(&service, 3));
    for command in ["stop", "kill"] {
        manager(command);
        sleep(Duration::from_secs(2));
        manager("start");
        node_is(&worker, "ready");
        swarm.docker(&["service", "update", "--detach", "--label-add", "a=b", &service]);
        assert_eq!(ids(&swarm.running(&service, 3)), before);
    }
    swarm.docker(&["service", "scale", "--detach", &format!("{service}=4")]);
    swarm.running(&service, 4);
}

#[test]
fn a_cut_cable_is_survived_for_a_short_and_for_a_long_time() {
    let Some(swarm) = swarm("a_cut_cable_is_survived_for_a_short_and_for_a_long_time") else {
        return;
    };
    let _turn = turn();
    let worker = Worker::start(&swarm, "cut");
    let service = worker.create("web", &[&["--replicas", "3"][..], &RUNS].concat());
    let before = ids(&swarm.running(&service, 3));
    cable("down");
    sleep(Duration::from_secs(4));
    cable("up");
    sleep(Duration::from_secs(6));
    node_is(&worker, "ready");
    assert_eq!(ids(&swarm.running(&service, 3)), before);
    cable("down");
    sleep(Duration::from_secs(20));
    assert_eq!(containers(&worker).len(), 3, "a worker without a manager keeps its tasks");
    cable("up");
    node_is(&worker, "ready");
    swarm.running(&service, 3);
    until("three containers are left", || (containers(&worker).len() == 3).then_some(()));
}

/// Scales two services up and down for so many minutes as `ONWARD_SOAK` says. Default: a minute.
#[test]
fn a_soak_leaves_the_tasks_that_the_manager_wants() {
    let Some(swarm) = swarm("a_soak_leaves_the_tasks_that_the_manager_wants") else { return };
    let _turn = turn();
    let minutes: u64 = std::env::var("ONWARD_SOAK").map_or(1, |minutes| minutes.parse().unwrap());
    let worker = Worker::start(&swarm, "soak");
    let services = [worker.create("a", &RUNS), worker.create("b", &RUNS)];
    let began = std::time::Instant::now();
    let mut number = 0;
    while began.elapsed() < Duration::from_secs(60 * minutes) {
        number += 1;
        for service in &services {
            let count = number * 5 % 7;
            swarm.docker(&["service", "scale", "--detach", &format!("{service}={count}")]);
            settled(&swarm, service, count);
        }
    }
    assert!(worker.pid() > 0);
}

fn settled(swarm: &Swarm, service: &str, count: usize) {
    let running = swarm.running(service, count);
    assert_eq!(running.len(), count);
}
