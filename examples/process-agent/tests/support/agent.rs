//! An agent with a state. It is killed, and its tasks are swept, at the end of the test.

#[path = "child.rs"]
pub(crate) mod child;

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The limit of each wait. No test is expected to reach it.
const GUARD: Duration = Duration::from_secs(60);

/// Time between two checks.
const POLL: Duration = Duration::from_millis(5);

pub(crate) struct Home {
    home: TempDir,
    /// The running agent, if there is one.
    pub(crate) agent: Option<Child>,
}

#[allow(dead_code)] // each test file uses some of it
impl Home {
    /// Makes a home with these tasks in its task file.
    pub(crate) fn new(tasks: &str) -> Self {
        let home = Self { home: TempDir::new().unwrap(), agent: None };
        home.save(tasks);
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Writes the task file.
    pub(crate) fn save(&self, tasks: &str) {
        fs::write(self.path("tasks.toml"), tasks).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        child::with_default_signals();
        let mut command = Command::new(env!("CARGO_BIN_EXE_process-agent"));
        command.args(arguments).current_dir(self.home.path()).stdin(Stdio::null());
        command.env("TEST_HOME", self.home.path()).env("ONWARD_STATE", "state");
        command
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        child::output(&mut self.command(arguments))
    }

    /// Runs a command of the program, and returns its output.
    #[track_caller]
    pub(crate) fn ask(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(output.status.success(), "{output:?}");
        text(&output.stdout)
    }

    /// Runs a command of the program that must fail with code 2, and returns its error.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        text(&output.stderr)
    }

    /// Starts an agent. Its output goes to the files `out` and `err`.
    pub(crate) fn start(&mut self, arguments: &[&str]) {
        let mut command = self.command(&["run", "tasks.toml"]);
        command.args(arguments);
        self.spawn(command);
    }

    /// Starts an agent with this command. Its output goes to the files `out` and `err`.
    pub(crate) fn spawn(&mut self, mut command: Command) {
        let file = |name| {
            let path = self.path(name);
            fs::OpenOptions::new().create(true).append(true).open(path).unwrap()
        };
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err")).process_group(0);
        self.agent = Some(command.spawn().unwrap());
    }

    /// Starts an agent, and waits until it answers.
    pub(crate) fn up(&mut self, arguments: &[&str]) {
        self.start(arguments);
        self.wait(|home| home.ps().is_some());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.agent.as_ref().unwrap()), signal).unwrap();
    }

    /// Waits for the agent's end, and returns its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        child::ended(self.agent.take().unwrap()).status.code()
    }

    /// Kills the agent with `KILL`.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.ended();
    }

    /// Returns the tasks, if an agent answers.
    pub(crate) fn ps(&self) -> Option<Vec<Value>> {
        let output = self.output(&["ps", "--json"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    pub(crate) fn task(&self, name: &str) -> Option<Value> {
        self.ps()?.into_iter().find(|task| task["ID"] == name)
    }

    /// Returns the state of a task, or an empty text if it does not exist.
    pub(crate) fn state(&self, name: &str) -> String {
        let task = self.task(name).unwrap_or_default();
        task["Status"]["State"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn pid(&self, name: &str) -> i32 {
        let task = self.task(name).unwrap_or_default();
        let pid = task["Status"]["ContainerStatus"]["PID"].as_i64().unwrap_or_default();
        i32::try_from(pid).unwrap()
    }

    #[track_caller]
    pub(crate) fn wait(&self, mut condition: impl FnMut(&Self) -> bool) {
        let given_up = Instant::now() + GUARD;
        while !condition(self) {
            let (out, err) = (self.read("out"), self.read("err"));
            assert!(Instant::now() < given_up, "{:#?}\n{out}\n{err}", self.ps());
            std::thread::sleep(POLL);
        }
    }

    #[track_caller]
    pub(crate) fn until(&self, name: &str, state: &str) {
        // The process id is known a moment after the start.
        self.wait(|home| home.state(name) == state && (state != "running" || home.pid(name) != 0));
    }

    /// Returns how often a task was started.
    pub(crate) fn starts(&self, name: &str) -> usize {
        self.read(&format!("{name}.starts")).lines().count()
    }

    /// Returns the processes of this home, except for the agent.
    pub(crate) fn alive(&self) -> Vec<(i32, String)> {
        let agent = self.agent.as_ref().map(|agent| Pid::from_child(agent).as_raw_pid());
        let entry = format!("TEST_HOME={}", self.home.path().display());
        let mut alive = Vec::new();
        for process in fs::read_dir("/proc").unwrap() {
            let process = process.unwrap();
            let Ok(pid) = process.file_name().to_string_lossy().parse() else { continue };
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|found| found == entry.as_bytes())
                && Some(pid) != agent
            {
                let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
                alive.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
            }
        }
        alive
    }
}

impl Drop for Home {
    /// Leaves nothing behind, even if the test has failed.
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            _ = agent.kill();
            _ = agent.wait();
        }
        for _ in 0..1000 {
            let alive = self.alive();
            if alive.is_empty() {
                return remove_cgroups(&self.path("state"));
            }
            for pid in alive.into_iter().filter_map(|(pid, _)| Pid::from_raw(pid)) {
                _ = kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(POLL);
        }
    }
}

/// Removes the cgroups of keepers that were killed, below a directory that is about to be removed.
fn remove_cgroups(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroups(&entry.path());
        }
    }
    let record = fs::read(dir.join("keeper.json")).unwrap_or_default();
    let record: Value = serde_json::from_slice(&record).unwrap_or_default();
    if let Some(cgroup) = record["cgroup"].as_str() {
        _ = fs::remove_dir(cgroup); // its keeper has removed it
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A task that records its start and then runs a script in a shell.
#[allow(dead_code)] // each test file uses some of it
pub(crate) fn task(name: &str, script: &str) -> String {
    let script = format!("echo $$ >> $TEST_HOME/{name}.starts; {script}");
    format!("[[task]]\nname = '{name}'\ncommand = ['sh', '-c', \"\"\"{script}\"\"\"]\n")
}

/// Runs until it is asked to end.
#[allow(dead_code)] // each test file uses some of it
pub(crate) const RUNS: &str = "while :; do sleep 0.05; done";
