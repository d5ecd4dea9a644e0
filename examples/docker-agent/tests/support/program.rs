//! The program with a state directory.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::life::PATIENCE;

/// A directory with a task file and a state, and the agent that runs them.
pub(crate) struct Home {
    dir: TempDir,
    agent: Option<Child>,
}

impl Home {
    pub(crate) fn new(tasks: &str) -> Self {
        let home = Self { dir: TempDir::new().unwrap(), agent: None };
        home.save(tasks);
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces the task file at once, as an editor does.
    pub(crate) fn save(&self, tasks: &str) {
        fs::write(self.path("new.toml"), tasks).unwrap();
        fs::rename(self.path("new.toml"), self.path("tasks.toml")).unwrap();
    }

    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    pub(crate) fn start_with(&mut self, arguments: &[&str]) {
        let [out, err] = ["out", "err"].map(|name| File::create(self.path(name)).unwrap());
        let mut command = self.command("run");
        self.agent = Some(
            command.arg("tasks.toml").args(arguments).stdout(out).stderr(err).spawn().unwrap(),
        );
    }

    pub(crate) fn kill(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docker-agent"));
        command.arg(name).current_dir(&self.dir).env("ONWARD_STATE", "state");
        command
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        let (name, rest) = arguments.split_first().unwrap();
        self.command(name).args(rest).output().unwrap()
    }

    /// The tasks, or none while the agent does not answer yet.
    pub(crate) fn tasks(&self) -> Option<Vec<Value>> {
        serde_json::from_slice(&self.ask(&["ps", "--json"]).stdout).ok()
    }

    pub(crate) fn task(&self, name: &str) -> Value {
        let found = self.tasks().into_iter().flatten().find(|task| task["ID"] == name);
        found.unwrap_or_default()
    }

    pub(crate) fn state(&self, name: &str) -> String {
        self.task(name)["Status"]["State"].as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(crate) fn wait(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let given_up = Instant::now() + PATIENCE;
        while !condition(self) {
            let read = |name| fs::read_to_string(self.path(name)).unwrap_or_default();
            assert!(
                Instant::now() < given_up,
                "not within the limit: {what}\n{:#?}\n{}\n{}",
                self.tasks(),
                read("out"),
                read("err")
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// The id that the agent has given itself.
    pub(crate) fn agent_id(&self) -> String {
        fs::read_to_string(self.path("state/tasks/.agent-id")).unwrap_or_default()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.agent.is_some() {
            self.kill();
        }
    }
}
