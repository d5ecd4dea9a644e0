//! An agent whose tasks wait for some seconds.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use agent_kit::{Command, Definition, FileDefinition, Keys, Program, TaskExecutor};
use clap::Parser;
use onward::exec::{LogMessage, LogPublisher, LogSubscriptionOptions};
use onward::{Assignment, Controller, ControllerError, Executor};
use serde::{Deserialize, Serialize};

/// The keys of a task in the task file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Timer {
    seconds: u64,
}

impl Definition for Timer {
    fn container_spec(&self) -> serde_json::Value {
        serde_json::json!({ "Command": ["sleep", self.seconds.to_string()] })
    }
}

impl FileDefinition for Timer {
    fn keys(_: &[&str]) -> Keys {
        Keys { known: &["seconds"], required: &[("seconds", "3")] }
    }

    fn resolve_paths(&mut self, _: &Path) {} // there are no paths
}

/// Controls one task.
#[derive(Debug)]
pub(crate) struct TimerController(Timer);

impl Controller for TimerController {
    type Definition = Timer;

    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        tokio::time::sleep(Duration::from_secs(self.0.seconds)).await;
        Ok(())
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(()) // the driver has dropped `wait`, and nothing else runs
    }
}

/// Makes the controllers of all tasks.
#[derive(Clone, Debug)]
pub(crate) struct Timers;

impl Executor for Timers {
    type Definition = Timer;
    type Controller = TimerController;

    async fn controller(
        &self,
        task: &Assignment<Timer>,
    ) -> Result<TimerController, ControllerError> {
        Ok(TimerController(task.definition.clone()))
    }
}

impl TaskExecutor for Timers {
    async fn logs(
        &self,
        _: &str,
        timer: &Timer,
        mut publisher: impl LogPublisher,
        _: LogSubscriptionOptions,
        ended: impl Future<Output = ()> + Send,
    ) -> Result<(), ControllerError> {
        ended.await;
        let line = format!("{} s are over\n", timer.seconds);
        publisher.publish(LogMessage::stdout(line)).await
    }
}

/// Runs tasks that wait for some seconds.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const DEMO: &str = "[[task]]\nname = 'tea'\nseconds = 1\n";

fn main() -> ExitCode {
    run(Arguments::parse())
}

/// Runs the command. The closure gets a directory for the executor's files, which this one does not
/// need.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let program = Program { name: "timer", demo: DEMO };
    agent_kit::run(program, arguments.command, |_dir| Timers)
}
