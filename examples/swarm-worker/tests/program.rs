//! The program, with processes as tasks and a manager that the test plays.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use support::authority::Authority;
use support::dispatcher::{LIMIT, incremental, update};
use support::worker::{Manager, NODE, joined, task_of};
use swarm_worker::wire::{self, TaskState};
use tonic::Status;

/// The commands that services may run.
const COMMANDS: &str = r#"
[commands.talk]
command = ["sh", "-c", "trap 'exit 0' TERM; for i in 1 2 3 4 5; do echo line $i; echo err $i >&2; done; while :; do sleep 0.1; done"]
"#;

/// A running program. It is killed when it is dropped.
struct Program(Child);

impl Program {
    fn run(dir: &Path) -> Self {
        Self::run_with(dir, &[], Stdio::null())
    }

    fn run_with(dir: &Path, arguments: &[&str], stdout: Stdio) -> Self {
        let commands = dir.with_extension("toml");
        std::fs::write(&commands, COMMANDS).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
        command.args(["run", "--runtime", "process", "--state"]).arg(dir);
        command.arg("--commands").arg(commands).args(arguments);
        Self(command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn terminate(&self) {
        kill_process(Pid::from_child(&self.0), Signal::TERM).unwrap();
    }

    /// Waits until the program has ended.
    fn wait(&mut self) -> ExitStatus {
        let began = Instant::now();
        while self.0.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < LIMIT, "the program has not ended within {LIMIT:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.0.wait().unwrap()
    }

    /// Waits until the program has ended. Returns its standard error, too.
    fn end(mut self) -> (ExitStatus, String) {
        let status = self.wait();
        let mut text = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        (status, text)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// Runs a subcommand to its end.
fn ask(dir: &Path, arguments: &[&str]) -> (ExitStatus, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swarm-worker"));
    let output = command.args(arguments).arg("--state").arg(dir).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    (output.status, text(&output.stdout), text(&output.stderr))
}

fn talk(id: &str) -> wire::assignment::Item {
    task_of(id, "talk", TaskState::Running)
}

const RUNNING: i32 = TaskState::Running as i32;
const SHUTDOWN: i32 = TaskState::Shutdown as i32;

/// The pids of the workloads, by `ps --json`.
fn pids(dir: &Path) -> Vec<i32> {
    let (_, text, error) = ask(dir, &["ps", "--json"]);
    let tasks: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{error}"));
    let pid = |task: &serde_json::Value| task["Status"]["ContainerStatus"]["PID"].as_i64();
    tasks.as_array().unwrap().iter().filter_map(pid).map(|pid| pid.try_into().unwrap()).collect()
}

fn is_alive(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}/exe")).read_link().is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_survive_the_worker_and_end_when_it_leaves() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let program = Program::run(dir.path());
    let tasks = || vec![update(talk("a")), update(talk("b"))];
    let opened = manager.dispatcher.open("one", tasks()).await;
    manager.dispatcher.until_all(&["a", "b"], RUNNING).await;
    let before = pids(dir.path());
    // While it runs, it is not left.
    let (status, _, error) = ask(dir.path(), &["leave"]);
    assert_eq!((status.code(), error.contains("another agent runs")), (Some(2), true), "{error}");
    program.terminate();
    let (status, error) = program.end();
    assert_eq!((status.code(), &*error), (Some(0), ""));
    drop(opened);
    assert!(before.iter().all(|pid| is_alive(*pid)));

    // Killed, and started again.
    let program = Program::run(dir.path());
    let _opened = manager.dispatcher.open("two", tasks()).await;
    manager.dispatcher.until_all(&["a", "b"], RUNNING).await;
    let now = pids(dir.path());
    assert_eq!(now.len(), 2);
    assert!(before.iter().all(|pid| now.contains(pid)), "{before:?} {now:?}");
    drop(program);
    assert!(now.iter().all(|pid| is_alive(*pid)));

    // A node whose key is damaged can be left, too.
    std::fs::OpenOptions::new()
        .write(true)
        .open(dir.path().join("node.pem"))
        .unwrap()
        .set_len(300)
        .unwrap();
    let (status, _, error) = ask(dir.path(), &["run", "--runtime", "noop"]);
    assert_eq!((status.code(), error.contains("leave the swarm")), (Some(2), true), "{error}");
    let (status, _, error) = ask(dir.path(), &["leave"]);
    assert_eq!((status.code(), &*error), (Some(0), ""));
    assert!(!now.iter().any(|pid| is_alive(*pid)));
    let (status, _, error) = ask(dir.path(), &["run", "--runtime", "noop"]);
    assert_eq!(status.code(), Some(2), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_goes_on_when_only_the_labels_of_its_service_change() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let _program = Program::run(dir.path());
    let opened = manager.dispatcher.open("one", vec![update(talk("a"))]).await;
    manager.dispatcher.until("a", RUNNING).await;
    let before = pids(dir.path());
    let wire::assignment::Item::Task(mut labeled) = talk("a") else { panic!("no task") };
    let annotations = labeled.service_annotations.as_mut().unwrap();
    annotations.labels.insert("team".to_owned(), "blue".to_owned());
    let changes = vec![update(wire::assignment::Item::Task(labeled)), update(talk("b"))];
    opened.assignments.send(Ok(incremental("1", "2", changes))).unwrap();
    let mut states = Vec::new();
    let mut runs = false;
    while !runs {
        for update in manager.dispatcher.statuses.next().await.updates {
            let state = update.status.unwrap().state;
            runs |= (&*update.task_id, state) == ("b", RUNNING);
            if update.task_id == "a" {
                states.push(state);
            }
        }
    }
    assert!(states.iter().all(|state| *state == RUNNING), "{states:?}");
    let now = pids(dir.path());
    assert!(before.iter().all(|pid| now.contains(pid)), "{before:?} {now:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_node_ends_its_tasks_and_the_program() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let program = Program::run(dir.path());
    let _opened = manager.dispatcher.open("one", vec![update(talk("a"))]).await;
    manager.dispatcher.until("a", RUNNING).await;
    let pids = pids(dir.path());
    manager.dispatcher.answers.lock().unwrap().heartbeat = Box::new(|_| {
        Err(Status::permission_denied(format!(
            "Permission denied: node {NODE} was removed from swarm"
        )))
    });
    let (status, error) = program.end();
    assert_eq!(status.code(), Some(4), "{error}");
    assert!(error.contains("was removed from the swarm"), "{error}");
    assert!(!pids.iter().any(|pid| is_alive(*pid)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_ends_a_task_by_its_name_and_the_manager_is_told() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let _program = Program::run(dir.path());
    let _opened = manager.dispatcher.open("one", vec![update(talk("a")), update(talk("b"))]).await;
    manager.dispatcher.until_all(&["a", "b"], RUNNING).await;
    let (status, _, error) = ask(dir.path(), &["stop", "--wait", "web.1.a"]);
    assert_eq!((status.code(), &*error), (Some(0), ""));
    let (status, _, error) = ask(dir.path(), &["stop", "web.1.c"]);
    assert_eq!(status.code(), Some(2));
    assert!(error.contains("the tasks are web.1.a, web.1.b"), "{error}");
    manager.dispatcher.until("a", SHUTDOWN).await;
}

/// The names of the tasks in plain lines, in order.
fn shown(lines: &str) -> Vec<String> {
    let names = lines.lines().filter_map(|line| line.split_whitespace().nth(1));
    let names: BTreeSet<_> = names.map(str::to_owned).collect();
    names.into_iter().collect()
}

/// The names of the tasks in a list of the API.
fn listed(tasks: &str) -> Vec<String> {
    let tasks: serde_json::Value = serde_json::from_str(tasks).unwrap();
    let name = |task: &serde_json::Value| task["Name"].as_str().unwrap().to_owned();
    tasks.as_array().unwrap().iter().map(name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_has_one_name_in_run_ps_the_api_and_leave() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let lines = dir.path().join("lines");
    let stdout = File::create(&lines).unwrap();
    let http = ["--http", "127.0.0.1:0"];
    let mut program = Program::run_with(dir.path(), &http, stdout.into());
    // Two tasks of one slot, as during an update.
    let names = ["web.1.a", "web.1.b"];
    let _opened = manager.dispatcher.open("one", vec![update(talk("a")), update(talk("b"))]).await;
    manager.dispatcher.until_all(&["a", "b"], RUNNING).await;

    let (_, text, error) = ask(dir.path(), &["ps", "--json"]);
    assert_eq!(listed(&text), names, "{error}");
    let mut told = String::new();
    let mut error = BufReader::new(program.0.stderr.take().unwrap());
    error.read_line(&mut told).unwrap();
    let (_, address) = told.trim_end().trim_end_matches('/').split_once("http://").unwrap();
    let mut api = TcpStream::connect(address).unwrap();
    api.set_read_timeout(Some(LIMIT)).unwrap();
    write!(api, "GET /api/tasks HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    api.read_to_string(&mut answer).unwrap();
    assert_eq!(listed(answer.split_once("\r\n\r\n").unwrap().1), names);

    program.terminate();
    assert_eq!(program.wait().code(), Some(0));
    assert_eq!(shown(&std::fs::read_to_string(lines).unwrap()), names);
    let (status, text, error) = ask(dir.path(), &["leave"]);
    assert_eq!((status.code(), &*error), (Some(0), ""));
    assert_eq!(shown(&text), names);
}

/// Asks for logs. Returns the lines of each task: `1` is standard output and `2` standard error.
async fn logs(
    manager: &mut Manager,
    message: wire::SubscriptionMessage,
) -> Vec<(String, i32, String)> {
    let id = message.id.clone();
    let (_, subscriptions) = manager.logs.listeners.next().await;
    subscriptions.send(Ok(message)).unwrap();
    let lines = manager.logs.until_close(&id).await;
    let line = |line: wire::LogMessage| {
        let context = line.context.unwrap();
        assert_eq!((&*context.node_id, &*context.service_id), (NODE, "s1"));
        assert!(line.timestamp.is_some());
        (context.task_id, line.stream, String::from_utf8(line.data).unwrap())
    };
    lines.into_iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_have_the_tail_and_the_streams_that_are_asked_for() {
    let authority = Authority::new();
    let mut manager = Manager::start(&authority);
    let dir = joined(&authority, &[manager.address()]);
    let _program = Program::run(dir.path());
    let opened = manager.dispatcher.open("one", vec![update(talk("a")), update(talk("b"))]).await;
    manager.dispatcher.until_all(&["a", "b"], RUNNING).await;
    let service = |options| wire::SubscriptionMessage {
        id: "1".to_owned(),
        selector: Some(wire::LogSelector {
            service_ids: vec!["s1".to_owned()],
            ..wire::LogSelector::default()
        }),
        options: Some(options),
        close: false,
    };
    // The last lines come soon after the start.
    let all = wire::LogSubscriptionOptions { streams: vec![1], ..Default::default() };
    let began = Instant::now();
    let lines = loop {
        let lines = logs(&mut manager, service(all.clone())).await;
        if lines.len() == 10 || began.elapsed() > LIMIT {
            break lines;
        }
    };
    let of = |task: &str, stream: i32, texts: &[&str]| -> Vec<(String, i32, String)> {
        texts.iter().map(|text| (task.to_owned(), stream, format!("{text}\n"))).collect()
    };
    let sorted = |mut lines: Vec<(String, i32, String)>| {
        lines.sort();
        lines
    };
    let five = ["line 1", "line 2", "line 3", "line 4", "line 5"];
    assert_eq!(sorted(lines), [of("a", 1, &five), of("b", 1, &five)].concat());
    // `--tail 1` of standard error.
    let last = wire::LogSubscriptionOptions { streams: vec![2], tail: -2, ..Default::default() };
    let lines = logs(&mut manager, service(last)).await;
    assert_eq!(sorted(lines), [of("a", 2, &["err 5"]), of("b", 2, &["err 5"])].concat());
    // Nothing is newer than this.
    let since = Some(prost_types::Timestamp { seconds: 1 << 33, nanos: 0 });
    let none = wire::LogSubscriptionOptions { since, ..Default::default() };
    assert_eq!(logs(&mut manager, service(none)).await, []);

    // A follower gets the lines of tasks that come later, until it closes.
    let follow = wire::LogSubscriptionOptions { follow: true, tail: -1, ..Default::default() };
    let message = wire::SubscriptionMessage { id: "f".to_owned(), ..service(follow) };
    let (_, subscriptions) = manager.logs.listeners.next().await;
    subscriptions.send(Ok(message.clone())).unwrap();
    // It has begun when a later subscription is answered.
    let other = wire::LogSelector { task_ids: vec!["none".to_owned()], ..Default::default() };
    let other =
        wire::SubscriptionMessage { id: "o".to_owned(), selector: Some(other), ..message.clone() };
    subscriptions.send(Ok(wire::SubscriptionMessage { options: None, ..other })).unwrap();
    assert_eq!(manager.logs.until_close("o").await, []);
    opened.assignments.send(Ok(incremental("1", "2", vec![update(talk("c"))]))).unwrap();
    let mut count = 0;
    while count == 0 {
        let published = manager.logs.published.next().await;
        assert_eq!((&*published.subscription_id, published.close), ("f", false));
        for line in published.messages {
            assert_eq!(line.context.unwrap().task_id, "c");
            count += 1;
        }
    }
    subscriptions.send(Ok(wire::SubscriptionMessage { close: true, ..message })).unwrap();
    manager.logs.until_close("f").await;
}

#[test]
fn a_client_is_told_how_to_start_the_worker() {
    let dir = tempfile::tempdir().unwrap();
    let (status, _, error) = ask(dir.path(), &["ps"]);
    let path = dir.path().display();
    let expected =
        format!("no agent runs on {path}; start one with: swarm-worker run --state {path}\n");
    assert_eq!((status.code(), error.strip_prefix("swarm-worker: ")), (Some(2), Some(&*expected)));
}
