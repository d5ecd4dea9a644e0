//! One agent with several kinds of tasks.
//!
//! ```sh
//! cargo run --example 09_kinds
//! ```
//!
//! The definition is an enum: a shell command or a pause. Each kind has its own controller,
//! which does not know the other kind. The executor boxes the controllers, so that they
//! have one type. It returns an error for a definition that it cannot run. That task is
//! rejected, and the others continue.
//!
//! Runs `sh`. Requires the feature `tokio`.

use onward::agent::worker::TaskView;
use onward::agent::{MemoryStore, TokioRuntime, Worker};
use onward::{Assignment, BoxController, Controller, ControllerError, Executor};
use onward::{TaskState, TaskStatus};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

/// The definition of a task.
#[derive(Clone, PartialEq)]
enum Work {
    Shell(String),
    Pause(Duration),
}

/// Runs a shell command.
struct Shell {
    line: String,
    child: Option<Child>,
}

impl Controller for Shell {
    type Definition = String;

    async fn start(&mut self) -> Result<(), ControllerError> {
        if self.child.is_some() {
            return Err(ControllerError::already_started());
        }
        let mut command = Command::new("sh");
        self.child = Some(command.args(["-c", &self.line]).kill_on_drop(true).spawn()?);
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.child else { return Err("not started".into()) };
        let status = child.wait().await?;
        if status.success() { Ok(()) } else { Err(status.to_string().into()) }
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        match &mut self.child {
            Some(child) => Ok(child.kill().await?),
            None => Ok(()),
        }
    }
}

/// Waits for a duration.
struct Pause {
    lasts: Duration,
    until: Option<Instant>,
}

impl Controller for Pause {
    type Definition = Duration;

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.until.get_or_insert(Instant::now() + self.lasts);
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(until) = self.until else { return Err("not started".into()) };
        sleep_until(until).await;
        Ok(())
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.until = self.until.map(|until| until.min(Instant::now()));
        Ok(())
    }
}

/// Makes the controllers of both kinds. The closure selects the controller's own part of
/// the enum when a definition is updated. An update to the other kind is rejected.
#[derive(Clone)]
struct Works;

impl Executor for Works {
    type Definition = Work;
    type Controller = BoxController<Work>;

    async fn controller(
        &self,
        task: &Assignment<Work>,
    ) -> Result<BoxController<Work>, ControllerError> {
        match task.definition.clone() {
            Work::Shell(line) if line.is_empty() => Err("there is no command".into()),
            Work::Shell(line) => Ok(Shell { line, child: None }.boxed_for(|work| match work {
                Work::Shell(line) => Some(line),
                Work::Pause(_) => None,
            })),
            Work::Pause(lasts) => Ok(Pause { lasts, until: None }.boxed_for(|work| match work {
                Work::Pause(lasts) => Some(lasts),
                Work::Shell(_) => None,
            })),
        }
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let show = |id: &str, status: TaskStatus| {
        let error = status.err.as_deref().unwrap_or_default();
        println!("{id:<7} {:<9} {:<28} {error}", status.state, status.message);
    };
    // This store is in memory and does not survive the agent.
    let (store, runtime) = (MemoryStore::new(), Arc::new(TokioRuntime::current()));
    let mut worker = Worker::open(Works, store, runtime).await?.with_sink(show);
    let handle = worker.handle();
    let running = tokio::spawn(async move { worker.run().await });

    let pause = Assignment::new("pause", Work::Pause(Duration::from_millis(50)));
    let greet = Assignment::new("greet", Work::Shell("echo hello".to_owned()));
    let nothing = Assignment::new("nothing", Work::Shell(String::new()));
    handle.assign([pause, greet, nothing]).await?;

    let tasks = handle.until(|tasks| tasks.iter().all(TaskView::has_ended)).await?;
    let states: Vec<_> = tasks.iter().map(|task| task.snapshot.status.state).collect();
    // Sorted by id: `greet`, `nothing`, `pause`.
    assert_eq!(states, [TaskState::Complete, TaskState::Rejected, TaskState::Complete]);
    handle.close();
    running.await?;
    Ok(())
}
