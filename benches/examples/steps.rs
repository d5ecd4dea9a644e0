//! A process as a task that `step` runs to its end.

use onward::exec::SystemClock;
use onward::{AnyTask, Controller, ControllerError, Outcome, TaskState, TaskStatus, step};
use tokio::process::{Child, Command};
use tokio::runtime::Builder;

/// Runs `true`.
#[derive(Debug, Default)]
struct True(Option<Child>);

impl Controller for True {
    type Definition = ();

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.0 = Some(Command::new("true").spawn()?);
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.0 else { return Err("not started".into()) };
        if child.wait().await?.success() { Ok(()) } else { Err("it failed".into()) }
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.0 else { return Ok(()) };
        Ok(child.kill().await?)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
        let (mut controller, clock) = (True::default(), SystemClock);
        while step(&mut task, TaskState::Running, &mut controller, &clock).await
            == Outcome::Advanced
        {}
        println!("{}", task.state());
        Ok(())
    })
}
