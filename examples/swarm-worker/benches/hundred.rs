//! A hundred workers that run nothing, on one machine and with one manager.
//!
//! `.ci/swarm run cargo bench -p swarm-worker --bench hundred`
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a measurement fails by panicking

#[path = "../tests/support/program.rs"]
#[allow(dead_code)] // it uses a part of it
mod program;
#[path = "../tests/support/swarm.rs"]
#[allow(dead_code)] // it uses a part of it
mod swarm;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use program::{program, until};
use swarm::Swarm;
use tempfile::TempDir;

const WORKERS: usize = 100;

/// The tasks of each worker.
const TASKS: usize = 50;

/// How long the idle workers are watched.
const IDLE: Duration = Duration::from_secs(30);

/// The clock ticks of a second, in which the system counts processor time.
const TICKS: f64 = 100.0;

fn main() {
    let Some(swarm) = swarm::swarm("hundred") else { return };
    let dir = TempDir::new().unwrap();
    let token = swarm.token_text();
    let began = Instant::now();
    let mut workers: Vec<_> =
        (0..WORKERS).map(|number| start(&swarm, &dir, &token, number)).collect();
    until("all nodes are ready", || {
        let nodes = swarm.get("/nodes");
        let ready =
            nodes.as_array().unwrap().iter().filter(|node| node["Status"]["State"] == "ready");
        // The manager is a node, too.
        (ready.count() == WORKERS + 1).then_some(())
    });
    show("joined and ready", began.elapsed());
    let began = Instant::now();
    let all = (WORKERS * TASKS).to_string();
    let service = ["service", "create", "--detach", "--no-resolve-image", "--name", "crowd"];
    swarm.docker(&[&service[..], &["--replicas", &all, "noop"]].concat());
    until_running(&swarm, WORKERS * TASKS);
    show("all tasks run", began.elapsed());
    let before: f64 = workers.iter().map(processor_time).sum();
    sleep(IDLE);
    let after: f64 = workers.iter().map(processor_time).sum();
    println!("idle: {:.3} % of a processor for each worker", (after - before) / IDLE.as_secs_f64());
    let memory: u64 = workers.iter().map(resident).sum();
    println!("resident memory: {:.1} MB for each worker", megabytes(memory) / 100.0);
    let began = Instant::now();
    swarm.docker(&["service", "rm", "crowd"]);
    until("all tasks are gone", || {
        swarm.get("/tasks").as_array().unwrap().is_empty().then_some(())
    });
    show("all tasks are gone", began.elapsed());
    for worker in &mut workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
}

fn start(swarm: &Swarm, dir: &TempDir, token: &str, number: usize) -> Child {
    let state = dir.path().join(number.to_string());
    DirBuilder::new().mode(0o700).create(&state).unwrap();
    let mut join = program();
    join.args(["join", "--token", token]).arg(swarm.address.to_string());
    let done = join.arg("--state").arg(&state).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let mut run = program();
    run.args(["run", "--runtime", "noop", "--hostname", &format!("crowd-{number}"), "--state"]);
    run.arg(&state).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn until_running(swarm: &Swarm, count: usize) {
    until(&format!("{count} tasks run"), || {
        let services = swarm.get("/services?status=true");
        let running = services[0]["ServiceStatus"]["RunningTasks"].as_u64();
        (running == u64::try_from(count).ok()).then_some(())
    });
}

fn show(what: &str, took: Duration) {
    println!("{what}: {:.1} s", took.as_secs_f64());
}

/// The processor time of a process, in percent of a second.
fn processor_time(worker: &Child) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", worker.id())).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / TICKS
}

fn resident(worker: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", worker.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[expect(clippy::cast_precision_loss, reason = "a figure to show")]
fn megabytes(kilobytes: u64) -> f64 {
    kilobytes as f64 * 1024.0 / 1_000_000.0
}
