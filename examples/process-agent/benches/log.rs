//! Measures how long it takes to write a log of 60 MB, to read it, and to print it with
//! `process-agent logs`. Compares that with `cat` of the same text over a pipe.
//!
//! Run it with `cargo bench -p process-agent --bench log`.
#![allow(clippy::unwrap_used)] // a bench fails by panicking
#![allow(missing_docs)] // for the documentation of `main`

use std::{
    fs,
    future::{pending, ready},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use agent_kit::TaskExecutor as _;
use onward::exec::{LogMessage, LogSubscriptionOptions};
use process_agent::{
    controller::ProcessExecutor,
    definition::ProcessDefinition,
    log::{LogWriter, Options, Record, Stream, records},
};
use time::UtcDateTime;

const TEXT: usize = 60_000_000;
const RUNS: usize = 5;

/// The number of lines with the same time. A fast task writes as many as fit into the 16 KiB that a
/// keeper reads at once. A slow task writes one.
const AT_ONCE: usize = 300;

fn main() {
    let home = tempfile::tempdir().unwrap();
    let text = home.path().join("text");
    let lines = write_text(&text);
    let agent = Agent::start(home.path());
    println!("{lines} lines, {} MB", TEXT / 1_000_000);
    for (name, at_once) in [("fast", AT_ONCE), ("slow", 1)] {
        let began = Instant::now();
        write_log(&text, &agent.tasks().join(name), at_once);
        println!("\n{:>8.1} ms  written, {name}", milliseconds(began.elapsed()));
        let cat = report("cat over a pipe", || over_a_pipe(Command::new("cat").arg(&text)));
        read_log(&agent.tasks(), name);
        let shown = report("process-agent logs", || over_a_pipe(&mut agent.logs(&[name])));
        println!("{:>8.2}     times as long as cat", shown.as_secs_f64() / cat.as_secs_f64());
        report("process-agent logs --json", || over_a_pipe(&mut agent.logs(&["--json", name])));
        report("process-agent logs --tail 5", || {
            over_a_pipe(&mut agent.logs(&["--tail", "5", name]))
        });
    }
}

fn write_text(path: &Path) -> usize {
    let mut text = Vec::new();
    let mut lines = 0;
    while text.len() < TEXT {
        let (item, took) = (lines * 7919 % 1_000_000, lines % 1000);
        text.extend(format!("GET /items/{item} HTTP/1.1 200 in {took} ms from 10.0.0.1\n").bytes());
        lines += 1;
    }
    fs::write(path, text).unwrap();
    lines
}

/// Writes the log as a keeper does that reads `at_once` lines at a time.
fn write_log(text: &Path, dir: &Path, at_once: usize) {
    let mut writer = LogWriter::open(dir, 20_000_000, 100).unwrap();
    let (stream, continues, partial) = (Stream::Stdout, false, false);
    let text = fs::read(text).unwrap();
    let mut lines = text.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').peekable();
    let mut at = UtcDateTime::now();
    while lines.peek().is_some() {
        at += Duration::from_micros(50);
        let record = |line: &[u8]| Record { at, stream, continues, partial, bytes: line.to_vec() };
        let records: Vec<_> = lines.by_ref().take(at_once).map(record).collect();
        writer.append_all(&records);
    }
}

/// An agent with two tasks that have ended. This program writes their logs.
struct Agent {
    process: Child,
    home: PathBuf,
}

impl Agent {
    fn start(home: &Path) -> Self {
        let tasks =
            ["fast", "slow"].map(|name| format!("{{ name = '{name}', command = ['true'] }}"));
        fs::write(home.join("tasks.toml"), format!("task = [{}]\n", tasks.join(", "))).unwrap();
        let mut command = program(home, "run");
        let process = command.arg("tasks.toml").stdout(Stdio::null()).spawn().unwrap();
        let agent = Self { process, home: home.to_owned() };
        let given_up = Instant::now() + Duration::from_secs(60);
        loop {
            let listed = program(home, "ps").stderr(Stdio::null()).output().unwrap().stdout;
            if String::from_utf8_lossy(&listed).matches(" complete ").count() == 2 {
                return agent;
            }
            assert!(Instant::now() < given_up, "the tasks did not end within the limit");
            sleep(Duration::from_millis(20));
        }
    }

    fn tasks(&self) -> PathBuf {
        self.home.join("state/tasks")
    }

    fn logs(&self, arguments: &[&str]) -> Command {
        let mut command = program(&self.home, "logs");
        command.args(arguments);
        command
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// Returns a command of the program for the agent of this home.
fn program(home: &Path, command: &str) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_process-agent"));
    program.arg(command).current_dir(home).env("ONWARD_STATE", "state");
    program
}

/// Runs a program and reads its output through a pipe.
fn over_a_pipe(program: &mut Command) -> usize {
    let mut from = program.stdout(Stdio::piped()).spawn().unwrap();
    let pipe = from.stdout.take().unwrap();
    let to = Command::new("wc").arg("-c").stdin(pipe).stdout(Stdio::piped()).output().unwrap();
    assert!(to.status.success() && from.wait().unwrap().success());
    String::from_utf8(to.stdout).unwrap().trim().parse().unwrap()
}

fn report(what: &str, mut run: impl FnMut() -> usize) -> Duration {
    let mut best = Duration::MAX;
    let mut count = 0;
    for _ in 0..RUNS {
        let began = Instant::now();
        count = run();
        best = best.min(began.elapsed());
    }
    println!("{:>8.1} ms  {what} ({count})", milliseconds(best));
    best
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Measures reading the log without a socket and without another process.
fn read_log(tasks: &Path, name: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dir = tasks.join(name);
    report("read, line by line", || runtime.block_on(read(&dir, false, None)));
    report("read, joined", || runtime.block_on(read(&dir, true, None)));
    report("read, the last 5", || runtime.block_on(read(&dir, false, Some(5))));
    report("published", || runtime.block_on(publish(tasks, name, None)));
    report("published, the last 5", || runtime.block_on(publish(tasks, name, Some(5))));
}

async fn read(dir: &Path, joined: bool, tail: Option<usize>) -> usize {
    let mut records = records(dir, Options { tail, joined, ..Options::default() });
    let mut bytes = 0;
    while let Some(record) = records.next().await {
        bytes += record.unwrap().bytes.len() + 1;
    }
    bytes
}

async fn publish(root: &Path, name: &str, tail: Option<u64>) -> usize {
    let options = LogSubscriptionOptions::default();
    let options = tail.map_or(options.clone(), |lines| options.with_tail(lines));
    let mut bytes = 0;
    let publisher = |message: LogMessage| {
        bytes += message.data.len();
        ready(Ok(()))
    };
    let (executor, definition) = (ProcessExecutor::new(root), ProcessDefinition::new(["true"]));
    executor.logs(name, &definition, publisher, options, pending()).await.unwrap();
    bytes
}
