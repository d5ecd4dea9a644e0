//! One task with its controller, driven step by step. It is removed at the end of the test.

use std::path::PathBuf;

use futures::FutureExt as _;
use onward::exec::SystemClock;
use onward::{
    AnyTask, Assignment, Controller, ControllerError, Executor, Outcome, TaskState, TaskStatus,
    step,
};
use process_agent::controller::{ProcessController, ProcessExecutor};
use process_agent::definition::ProcessDefinition;
use tempfile::TempDir;

pub(crate) struct Life {
    pub(crate) task: AnyTask,
    pub(crate) controller: ProcessController,
    pub(crate) definition: ProcessDefinition,
    executor: ProcessExecutor,
    pub(crate) home: TempDir,
}

#[allow(dead_code)] // each test file uses some of it
impl Life {
    /// A task with this command.
    pub(crate) fn new(command: &[&str]) -> Self {
        Self::of(ProcessDefinition::new(command.iter().copied()))
    }

    /// A task that runs `script` in a shell.
    pub(crate) fn shell(script: &str) -> Self {
        Self::new(&["sh", "-c", script])
    }

    pub(crate) fn of(definition: ProcessDefinition) -> Self {
        Self::at(TempDir::new().unwrap(), definition)
    }

    pub(crate) fn at(home: TempDir, mut definition: ProcessDefinition) -> Self {
        definition.env.insert("TEST_HOME".to_owned(), home.path().display().to_string());
        let program = env!("CARGO_BIN_EXE_process-agent");
        let executor = ProcessExecutor::new(home.path()).with_program(program);
        let controller = hand_out(&executor, &definition);
        let task = AnyTask::resume(TaskStatus::new(TaskState::Accepted));
        Self { task, controller, definition, executor, home }
    }

    /// Replaces the controller with a new one for the same task, as a restarted agent does.
    pub(crate) fn restart(&mut self) {
        self.controller = hand_out(&self.executor, &self.definition);
    }

    pub(crate) async fn step(&mut self, desired: TaskState) -> Outcome {
        step(&mut self.task, desired, &mut self.controller, &SystemClock).await
    }

    /// Steps until the task is in `state`.
    pub(crate) async fn reach(&mut self, state: TaskState) {
        while self.task.state() != state {
            let outcome = self.step(TaskState::Running).await;
            assert_eq!(outcome, Outcome::Advanced, "{:?}", self.task);
        }
    }

    /// Steps to the end, and returns the final status.
    pub(crate) async fn end(&mut self, desired: TaskState) -> TaskStatus {
        while self.step(desired).await == Outcome::Advanced {}
        self.task.status()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Waits until the workload has created this file.
    pub(crate) async fn made(&self, name: &str) {
        while !self.path(name).exists() {
            tokio::task::yield_now().await;
        }
    }

    /// Returns the lines of a file of the workload. Empty if it does not exist.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Returns the processes of this test's home.
    pub(crate) fn alive(&self) -> Vec<String> {
        let entry = format!("TEST_HOME={}", self.home.path().display());
        let mut alive = Vec::new();
        for process in std::fs::read_dir("/proc").unwrap() {
            let process = process.unwrap().path();
            let environment = std::fs::read(process.join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|entry_| entry_ == entry.as_bytes()) {
                alive.push(std::fs::read_to_string(process.join("cmdline")).unwrap_or_default());
            }
        }
        alive
    }
}

fn hand_out(executor: &ProcessExecutor, definition: &ProcessDefinition) -> ProcessController {
    let assignment = Assignment::new("task", definition.clone());
    let controller = executor.controller(&assignment).now_or_never();
    controller.expect("the executor did not return at once").unwrap()
}

impl Drop for Life {
    /// Leaves nothing behind, even if the test has failed.
    fn drop(&mut self) {
        let mut controller = hand_out(&self.executor, &self.definition);
        let removed = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(controller.remove())
        });
        let removed: Result<(), ControllerError> = removed.join().unwrap();
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}
