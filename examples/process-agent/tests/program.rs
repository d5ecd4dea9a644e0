//! The program, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs)] // a test fails by panicking, and its name describes it

#[path = "support/child.rs"]
mod child;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A directory for one run: its task file, its temporary files, and the files of its tasks.
struct Run {
    home: TempDir,
}

impl Run {
    fn new(tasks: &str) -> Self {
        let home = TempDir::new().unwrap();
        std::fs::write(home.path().join("tasks.toml"), tasks).unwrap();
        Self { home }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        child::with_default_signals();
        let mut command = Command::new(env!("CARGO_BIN_EXE_process-agent"));
        command.arg("run").args(arguments).current_dir(self.home.path());
        command.env("TMPDIR", self.home.path()).env("TEST_HOME", self.home.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        child::output(&mut self.command(arguments))
    }

    /// Returns the processes and the agent's own files that are left after the run. A keeper may
    /// need a moment to exit after its last report.
    fn left(&self) -> (Vec<String>, Vec<String>) {
        let given_up = Instant::now() + Duration::from_secs(10);
        loop {
            let left = self.left_now();
            if left == nothing() || Instant::now() > given_up {
                return left;
            }
            std::thread::yield_now();
        }
    }

    fn left_now(&self) -> (Vec<String>, Vec<String>) {
        let entry = format!("TEST_HOME={}", self.home.path().display());
        let mut alive = Vec::new();
        for process in std::fs::read_dir("/proc").unwrap() {
            let process = process.unwrap().path();
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes()) {
                alive.push(std::fs::read_to_string(process.join("cmdline")).unwrap_or_default());
            }
        }
        let files = std::fs::read_dir(self.home.path()).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        (alive, names.filter(|name| name.starts_with("process-agent-")).collect())
    }
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns the end of each task as the plain view prints it, without the time.
fn ends(output: &Output) -> Vec<String> {
    let lines = text(&output.stdout);
    let words = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
    let is_end = |line: &String| {
        let state = line.split(' ').nth(1).unwrap_or_default();
        ["complete", "failed", "rejected", "shutdown"].contains(&state)
    };
    let mut ends: Vec<_> = lines.lines().map(words).filter(is_end).collect();
    ends.sort();
    ends
}

const MIXED: &str = r#"
[[task]]
name = "good"
command = ["true"]

[[task]]
name = "bad"
command = ["sh", "-c", "exit 3"]

[[task]]
name = "missing"
command = ["no-such-program"]

[[task]]
name = "long"
command = ["sleep", "1000"]
stop_after = "300ms"
"#;

#[test]
fn run_runs_every_task_to_its_end_and_leaves_nothing() {
    let run = Run::new(MIXED);
    let output = run.output(&["tasks.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let ends = ends(&output);
    assert_eq!(ends.len(), 4, "{ends:?}");
    assert!(ends[0].starts_with("bad failed"), "{ends:?}");
    assert!(ends[0].contains("exited with code 3"), "{ends:?}");
    assert!(ends[1].starts_with("good complete"), "{ends:?}");
    assert!(ends[2].starts_with("long shutdown"), "{ends:?}");
    assert!(ends[3].starts_with("missing rejected"), "{ends:?}");
    assert!(ends[3].contains("no-such-program"), "{ends:?}");
    assert_eq!(run.left(), nothing());
}

#[test]
fn strict_exits_with_1_if_a_task_has_failed_or_was_rejected() {
    let run = Run::new(MIXED);
    assert_eq!(run.output(&["--strict", "tasks.toml"]).status.code(), Some(1));
    let run = Run::new("[[task]]\nname = 'good'\ncommand = ['true']\n");
    assert_eq!(run.output(&["--strict", "tasks.toml"]).status.code(), Some(0));
}

#[test]
fn an_invalid_file_exits_with_2_and_reports_the_problem_and_its_place() {
    let run = Run::new("[[task]]\nname = 'x'\ncommand = ['true']\ncolor = 'red'\n");
    let output = run.output(&["tasks.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.starts_with("process-agent: tasks.toml:4:1: "), "{error}");
    assert!(error.contains("unknown key `color`; known are `name`"), "{error}");

    let output = run.output(&["missing.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "process-agent: missing.toml: cannot read the task file: \
         No such file or directory (os error 2)\n"
    );
    assert_eq!(run.left(), nothing());
}

#[test]
fn logs_shows_the_output_of_the_tasks() {
    let run = Run::new("[[task]]\nname = 'x'\ncommand = ['sh', '-c', 'echo hello; printf bye']\n");
    let output = text(&run.output(&["--logs", "tasks.toml"]).stdout);
    let said: Vec<_> = output.lines().filter(|line| line.starts_with("x | ")).collect();
    assert_eq!(said, ["x | hello", "x | bye"]);
}

/// A task that creates a file when it runs, and ignores `TERM`.
const STUBBORN: &str = r#"
[[task]]
name = "stubborn"
command = ["sh", "-c", "trap 'echo asked > $TEST_HOME/asked' TERM; echo up > $TEST_HOME/up; while :; do sleep 0.05; done"]
stop_grace = "1h"

[[task]]
name = "meek"
command = ["sleep", "1000"]
"#;

fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::yield_now();
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_first_signal_stops_the_tasks_and_a_second_one_kills_them() {
    for signal_ in [Signal::INT, Signal::TERM, Signal::HUP] {
        let run = Run::new(STUBBORN);
        let child = run.command(&["tasks.toml"]).spawn().unwrap();
        wait_for(&run.home.path().join("up"));
        signal(&child, signal_);
        wait_for(&run.home.path().join("asked"));
        // Signals that come at the same time count as one.
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, signal_);
        let output = child::ended(child);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let ends = ends(&output);
        assert!(ends[0].starts_with("meek shutdown"), "{ends:?}");
        assert!(ends[1].starts_with("stubborn shutdown"), "{ends:?}");
        assert_eq!(run.left(), nothing());
    }
}

#[test]
fn a_closed_output_does_not_stop_the_tasks_and_does_not_panic() {
    let run = Run::new("[[task]]\nname = 'x'\ncommand = ['sh', '-c', 'echo up; sleep 0.2']\n");
    let mut child = run.command(&["--logs", "tasks.toml"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child::ended(child);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert_eq!(run.left(), nothing());
}

#[test]
fn a_read_only_temporary_directory_is_reported() {
    let run = Run::new(MIXED);
    let output = child::output(run.command(&["tasks.toml"]).env("TMPDIR", "/no/such"));
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("set TMPDIR to a writable directory"), "{error}");
}

#[test]
fn a_blocked_log_does_not_stop_the_tasks() {
    let run = Run::new(MIXED);
    let mut child = run.command(&["tasks.toml"]).env("RUST_LOG", "debug").spawn().unwrap();
    drop(child.stderr.take());
    let output = child::ended(child);
    assert_eq!((output.status.code(), ends(&output).len()), (Some(0), 4));
    assert_eq!(run.left(), nothing());
}

#[test]
fn a_blocked_output_delays_neither_signals_nor_the_end() {
    let chatty = "command = ['sh', '-c', 'echo up > $TEST_HOME/up; exec yes some line']\n";
    let tasks = ["a", "b", "c"].map(|name| format!("[[task]]\nname = '{name}'\n{chatty}"));
    let run = Run::new(&tasks.concat());
    let mut child = run.command(&["--logs", "tasks.toml"]).spawn().unwrap();
    wait_for(&run.home.path().join("up"));
    signal(&child, Signal::INT);
    // Signals that come at the same time count as one.
    let given_up = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < given_up, "the agent did not end within the limit");
        signal(&child, Signal::INT);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(child::ended(child).status.code(), Some(0));
    assert_eq!(run.left(), nothing());
}

#[test]
fn a_signal_ends_a_read_of_a_file_that_never_ends() {
    use std::os::unix::process::ExitStatusExt as _;
    let run = Run::new("");
    let fifo = run.home.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let child = run.command(&["fifo"]).spawn().unwrap();
    signal(&child, Signal::INT);
    let status = child::ended(child).status;
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
    assert_eq!(run.left(), nothing());
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let run = Run::new(
        "[[task]]\nname = 'x'\ncommand = ['sh', '-c', 'echo up > $TEST_HOME/up; read x < $TEST_HOME/go']\n",
    );
    let go = run.home.path().join("go");
    assert!(Command::new("mkfifo").arg(&go).status().unwrap().success());
    let program = env!("CARGO_BIN_EXE_process-agent");
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$0\" run tasks.toml", program]);
    nohup.current_dir(run.home.path()).env("TMPDIR", run.home.path());
    nohup.env("TEST_HOME", run.home.path()).stdin(Stdio::null()).stdout(Stdio::piped());
    let child = nohup.spawn().unwrap();
    wait_for(&run.home.path().join("up"));
    signal(&child, Signal::HUP);
    std::fs::write(&go, "x\n").unwrap();
    let output = child::ended(child);
    assert!(ends(&output)[0].starts_with("x complete"), "{:?}", ends(&output));
    assert_eq!(run.left(), nothing());
}
