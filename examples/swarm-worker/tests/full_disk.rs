//! A node whose disk is full.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::authority::Authority;
use support::dispatcher::{LIMIT, update};
use support::small_disk::SmallDisk;
use support::worker::{Manager, joined_in, task_of};
use swarm_worker::wire::TaskState;

const RUNNING: i32 = TaskState::Running as i32;

/// A running program. It is killed when it is dropped.
struct Program(Child);

impl Program {
    fn run(dir: &Path, commands: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
        command.args(["run", "--runtime", "process", "--state"]).arg(dir);
        command.arg("--commands").arg(commands).stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn end(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
        let began = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < LIMIT, "the program has not ended within {LIMIT:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn ask(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
    command.args(arguments).arg("--state").arg(dir).output().unwrap()
}

/// The pids of two workloads, by `ps --json`.
fn pids(dir: &Path) -> Vec<i64> {
    let began = Instant::now();
    loop {
        let done = ask(dir, &["ps", "--json"]);
        let tasks: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        let pid = |task: &serde_json::Value| task["Status"]["ContainerStatus"]["PID"].as_i64();
        let pids: Vec<_> = tasks.as_array().unwrap().iter().filter_map(pid).collect();
        if pids.len() == 2 {
            return pids;
        }
        assert!(began.elapsed() < LIMIT, "{tasks}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn is_alive(pid: i64) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).read_link().is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_on_a_full_disk_is_killed_runs_again_and_is_left() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let disk = SmallDisk::new(16 << 10);
    let dir = disk.path().join("node");
    joined_in(&dir, &authority, &[manager.address()]);
    let commands = tempfile::NamedTempFile::new().unwrap();
    fs::write(commands.path(), "[commands.sleep]\ncommand = ['sleep', '1000']\n").unwrap();
    let mut program = Program::run(&dir, commands.path());
    let tasks = || ["a", "b"].map(|id| update(task_of(id, "sleep", TaskState::Running))).to_vec();
    let opened = manager.dispatcher.open("one", tasks()).await;
    manager.dispatcher.until_all(&["a", "b"], RUNNING).await;
    let before = pids(&dir);
    disk.fill();
    program.end(Signal::KILL);
    drop(opened);
    // The disk has no space for a single file.
    let mut program = Program::run(&dir, commands.path());
    let _opened = manager.dispatcher.open("two", tasks()).await;
    manager.dispatcher.until_all(&["a", "b"], RUNNING).await;
    assert_eq!(pids(&dir), before);
    program.end(Signal::TERM);
    assert!(before.iter().all(|pid| is_alive(*pid)));
    let left = ask(&dir, &["leave"]);
    assert_eq!((left.status.code(), &*left.stderr), (Some(0), &b""[..]), "{left:?}");
    assert!(!before.iter().any(|pid| is_alive(*pid)));
    assert!(!dir.join("node.pem").exists());
}
