//! A worker: an agent with real processes and a store that survives it.
//!
//! ```sh
//! cargo run --example 08_worker
//! ```
//!
//! You assign the full set of tasks to a `Worker`, which runs a driver for each. The worker
//! stores each assignment before it acts, and each status before it reports it. The second
//! agent of this example gets no assignments. It still knows how the tasks of the first
//! agent ended, and starts none of them again.
//!
//! Runs `sh`. Requires the features `redb` and `tokio`. `examples/process-agent` has
//! processes that survive the agent.

use onward::agent::worker::{AssignmentChange, TaskView};
use onward::agent::{RedbStore, TokioRuntime, Worker, WorkerHandle};
use onward::{Assignment, Controller, ControllerError, Executor, TaskState, TaskStatus};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// The definition of a task: a shell command. The store serializes it with serde.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Line(String);

struct Shell {
    line: Line,
    child: Option<Child>,
}

impl Controller for Shell {
    type Definition = Line;

    async fn start(&mut self) -> Result<(), ControllerError> {
        if self.child.is_some() {
            return Err(ControllerError::already_started());
        }
        // The process ends with the agent, because no later controller could find it. If
        // the agent is killed just after this line, the next agent runs the command again.
        // To prevent that, store a marker first, as `11_threads` does.
        let mut command = Command::new("sh");
        self.child = Some(command.args(["-c", &self.line.0]).kill_on_drop(true).spawn()?);
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.child else { return Err("it has ended with its agent".into()) };
        match child.wait().await?.code() {
            Some(0) => Ok(()),
            Some(code) => Err(ControllerError::new("it failed").with_exit_code(code)),
            None => Err("a signal ended it".into()),
        }
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        match &mut self.child {
            Some(child) => Ok(child.kill().await?),
            None => Ok(()),
        }
    }
}

/// Makes the controllers.
#[derive(Clone)]
struct Shells;

impl Executor for Shells {
    type Definition = Line;
    type Controller = Shell;

    async fn controller(&self, task: &Assignment<Line>) -> Result<Shell, ControllerError> {
        Ok(Shell { line: task.definition.clone(), child: None })
    }
}

/// Starts an agent that stores its tasks in this file.
async fn agent(file: &Path) -> Result<(WorkerHandle<Line>, JoinHandle<()>), Box<dyn Error>> {
    let elsewhere = |work| drop(tokio::task::spawn_blocking(work));
    let store = RedbStore::open(file, elsewhere).await?;
    let show = |id: &str, status: TaskStatus| {
        println!("    {id:<7} {:<9} {}", status.state, status.err.as_deref().unwrap_or_default());
    };
    let runtime = Arc::new(TokioRuntime::current());
    let mut worker = Worker::open(Shells, store, runtime).await?.with_sink(show);
    Ok((worker.handle(), tokio::spawn(async move { worker.run().await })))
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("tasks");
    let witness = folder.path().join("witness");

    println!("the first agent");
    let (handle, running) = agent(&file).await?;
    let line = |id: &str, line: &str| Assignment::new(id, Line(line.to_owned()));
    let good = line("good", &format!("echo once >> '{}'", witness.display()));
    let bad = line("bad", "exit 3");
    let sleeper = line("sleeper", "exec sleep 3600");
    let nap = line("nap", "exec sleep 3600");
    handle.assign([good.clone(), bad.clone(), sleeper, nap]).await?;
    handle.until_each(["good", "bad"], |task| task.is_some_and(TaskView::has_ended)).await?;

    // Changes only the desired state. Definition and policy stay.
    let (id, desired_state) = ("nap".to_owned(), TaskState::Shutdown);
    handle.update([AssignmentChange::DesiredState { id, desired_state }]).await?;
    handle.until_each(["nap"], |task| task.is_some_and(TaskView::has_ended)).await?;

    // `sleeper` and `nap` are no longer assigned. They are shut down, removed, and deleted
    // from the store. The other two stay unchanged.
    handle.assign([good, bad]).await?;
    handle.until_each(["sleeper", "nap"], |task| task.is_none()).await?;
    handle.close();
    running.await?;

    println!("the second agent");
    let (handle, running) = agent(&file).await?;
    let tasks = handle.tasks();
    let exit_code = |task: &TaskView<_>| task.snapshot.status.container_status.as_ref()?.exit_code;
    let codes: Vec<_> = tasks.iter().map(exit_code).collect();
    // First `bad`, then `good`. An exit code is recorded only if an error has it.
    assert_eq!(codes, [Some(3), None]);
    assert!(tasks.iter().all(TaskView::has_ended));
    handle.assign::<Assignment<Line>>([]).await?;
    handle.until(<[_]>::is_empty).await?;
    handle.close();
    running.await?;

    let started = std::fs::read_to_string(witness)?.lines().count();
    println!("good was started {started} time(s)");
    assert_eq!(started, 1);
    Ok(())
}
