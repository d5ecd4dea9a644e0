//! An agent with many sleeping tasks.

use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::Value;
use tempfile::TempDir;

use crate::cpu;

/// The limit of each wait.
const GUARD: Duration = Duration::from_secs(300);

/// Time between two checks.
const POLL: Duration = Duration::from_millis(250);

/// An agent and its tasks. Dropping it ends all of them.
#[derive(Debug)]
pub(crate) struct Fleet {
    home: TempDir,
    agent: Option<Child>,
    tasks: usize,
    /// The command of the workloads, which no other fleet uses.
    pub(crate) command: [String; 2],
}

/// The time until all tasks were running, and the slowest `ps` in that time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) after: Duration,
    pub(crate) slowest_ps: Duration,
}

impl Fleet {
    /// Starts an agent with this many tasks.
    pub(crate) fn start(tasks: usize) -> Result<Self> {
        let home = TempDir::new()?;
        let nanoseconds = Instant::now().elapsed().as_nanos() + u128::from(std::process::id());
        let command = ["sleep".to_owned(), format!("100000.{nanoseconds}{tasks}")];
        let mut text = String::new();
        for n in 0..tasks {
            writeln!(text, "[[task]]\nname = \"t{n}\"\ncommand = {command:?}")?;
        }
        if tasks == 0 {
            "task = []".clone_into(&mut text);
        }
        fs::write(home.path().join("tasks.toml"), text)?;
        let mut fleet = Self { home, agent: None, tasks, command };
        fleet.start_agent()?;
        Ok(fleet)
    }

    /// Starts an agent on the existing state.
    pub(crate) fn start_agent(&mut self) -> Result<()> {
        let errors = fs::File::create(self.home.path().join("err"))?;
        let file = self.home.path().join("tasks.toml");
        let mut agent = self.command(&["run", "--on-exit", "stop"]);
        let agent = agent.arg(file).stdout(Stdio::null()).stderr(errors).spawn()?;
        self.agent = Some(agent);
        Ok(())
    }

    /// Kills the agent. The tasks keep running.
    pub(crate) fn kill_agent(&mut self) -> Result<()> {
        let mut agent = self.agent.take().context("no agent runs")?;
        agent.kill()?;
        agent.wait()?;
        Ok(())
    }

    pub(crate) fn agent_pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.agent.as_ref().context("no agent runs")?.id())?)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_process-agent"));
        command.args(arguments).arg("--state").arg(self.home.path().join("state"));
        command.stdin(Stdio::null());
        command
    }

    fn ask(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(arguments).output()?)
    }

    /// Waits until all tasks are running.
    pub(crate) fn until_running(&self) -> Result<Ready> {
        let begun = Instant::now();
        let mut slowest_ps = Duration::ZERO;
        loop {
            let asked = Instant::now();
            let output = self.ask(&["ps", "--json"])?;
            let took = asked.elapsed();
            if output.status.success() {
                slowest_ps = slowest_ps.max(took);
                let tasks: Vec<Value> = serde_json::from_slice(&output.stdout)?;
                let state = |task: &Value| {
                    task.pointer("/Status/State").and_then(Value::as_str).map(str::to_owned)
                };
                let states: Vec<_> = tasks.iter().filter_map(state).collect();
                if states.iter().filter(|state| *state == "running").count() == self.tasks {
                    return Ok(Ready { after: begun.elapsed(), slowest_ps });
                }
                ensure!(begun.elapsed() < GUARD, "not all tasks run within {GUARD:?}: {states:?}");
            }
            let errors = fs::read_to_string(self.home.path().join("err"))?;
            ensure!(begun.elapsed() < GUARD, "the agent does not answer: {errors}");
            sleep(POLL);
        }
    }

    /// Stops a task, and returns when it and its keeper have ended.
    pub(crate) fn stop(&self, n: usize) -> Result<()> {
        let keeper = self.keeper(n)?;
        let output = self.ask(&["stop", "--wait", &format!("t{n}")])?;
        ensure!(output.status.success(), "stop: {}", String::from_utf8_lossy(&output.stderr));
        if let Some(pid) = Pid::from_raw(keeper) {
            let _ = waitpid(Some(pid), WaitOptions::empty()); // another call may have reaped it
        }
        Ok(())
    }

    /// Returns the process id of a task's keeper.
    pub(crate) fn keeper(&self, n: usize) -> Result<i32> {
        let path = self.home.path().join(format!("state/tasks/t{n}/keeper.json"));
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let record: Value = serde_json::from_str(&text)?;
        let pid = record.pointer("/keeper/pid").and_then(Value::as_i64);
        Ok(i32::try_from(pid.context("keeper.json has no pid")?)?)
    }

    /// Returns the number of processes with the tasks' command.
    pub(crate) fn workloads(&self) -> usize {
        let [program, argument] = &self.command;
        cpu::named(&[program, argument]).len()
    }

    /// Stops the agent and all its tasks. Returns the time.
    pub(crate) fn end(mut self) -> Result<Duration> {
        let mut agent = self.agent.take().context("no agent runs")?;
        let begun = Instant::now();
        kill_process(Pid::from_child(&agent), Signal::TERM)?;
        agent.wait()?;
        let took = begun.elapsed();
        cpu::reap();
        ensure!(self.workloads() == 0, "{} workloads are left", self.workloads());
        Ok(took)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        let _ = self.kill_agent();
        let [program, argument] = &self.command;
        for pid in cpu::named(&[program, argument]) {
            if let Some(pid) = Pid::from_raw(pid) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}
