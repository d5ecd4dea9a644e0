//! Several kinds of tasks in one agent.
//!
//! ```sh
//! cargo run --example 09_kinds
//! ```
//!
//! A definition may be an enum: here a line for the shell, or a pause. Each kind has
//! a controller of its own, which knows nothing of the other; boxed, they are of one
//! type. A definition that is none of the two is refused where it is looked at: that
//! task is rejected, and the others go on.
//!
//! It runs `sh`, and needs the feature `tokio`.

use futures::StreamExt;
use onward::agent::{MemoryStore, Surroundings, TokioSpawner, TokioTimer, Worker};
use onward::exec::SystemClock;
use onward::{Assignment, BoxController, Controller, ControllerError, Executor};
use onward::{TaskState, TaskStatus};
use std::error::Error;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

/// What a task is here.
#[derive(Clone, PartialEq)]
enum Work {
    Shell(String),
    Pause(Duration),
}

/// Runs a line of shell.
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

/// Takes its time.
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

/// Hands out both kinds. Each is told how to find its own definition in the wider one,
/// for updates; a task cannot become one of another kind.
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
        println!(
            "{id:<7} {:<9} {:<28} {}",
            status.state,
            status.message,
            status.err.as_deref().unwrap_or_default()
        );
    };
    let surroundings = Surroundings::new(TokioTimer::new(), SystemClock, show);
    let spawner = TokioSpawner::new(tokio::runtime::Handle::current());
    // In memory: this agent need not come back.
    let store = MemoryStore::new();
    let (mut worker, handle) = Worker::open(Works, store, spawner, surroundings).await?;
    let running = tokio::spawn(async move { worker.run().await });

    let pause = Assignment::new("pause", Work::Pause(Duration::from_millis(50)));
    let greet = Assignment::new("greet", Work::Shell("echo hello".to_owned()));
    let nothing = Assignment::new("nothing", Work::Shell(String::new()));
    handle.assign(vec![pause.into(), greet.into(), nothing.into()]).await?;

    let mut changes = handle.changes();
    let mut states = Vec::new();
    while let Some(tasks) = changes.next().await {
        states = tasks.iter().map(|task| task.snapshot.status.state).collect();
        if states.iter().all(|state| state.is_terminal()) {
            break;
        }
    }
    // In the order of their ids.
    assert_eq!(states, [TaskState::Complete, TaskState::Rejected, TaskState::Complete]);
    handle.close();
    running.await?;
    Ok(())
}
