//! An agent: a worker with real processes, and a file that outlives it.
//!
//! ```sh
//! cargo run --example 08_worker
//! ```
//!
//! A `Worker` is told the full set of tasks, and has a driver for each. What is wanted
//! and how far it is are in a file before anybody hears of it. So the second agent here,
//! which is told nothing, knows how the tasks of the first one ended, and starts none
//! of them again.
//!
//! It runs `sh`, and needs the features `redb` and `tokio`. For processes that outlive
//! the agent, see `examples/process-agent`.

use futures::StreamExt;
use onward::agent::{
    RedbStore, Surroundings, TaskView, TokioSpawner, TokioTimer, Worker, WorkerHandle,
};
use onward::exec::SystemClock;
use onward::{Assignment, Controller, ControllerError, Executor, TaskStatus};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::path::Path;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// What a task is here: a line for the shell. It is stored, so it has serde.
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
        // If the agent goes, they go: this one could not find them again. One that is
        // killed in just this moment starts this line twice, unless it leaves a mark, as
        // in `11_threads`.
        let mut command = Command::new("sh");
        self.child = Some(command.args(["-c", &self.line.0]).kill_on_drop(true).spawn()?);
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.child else { return Err("its agent has gone".into()) };
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

/// Hands out the controllers.
#[derive(Clone)]
struct Shells;

impl Executor for Shells {
    type Definition = Line;
    type Controller = Shell;

    async fn controller(&self, task: &Assignment<Line>) -> Result<Shell, ControllerError> {
        Ok(Shell { line: task.definition.clone(), child: None })
    }
}

/// An agent that keeps its tasks in this file, and what it is told by.
async fn agent(file: &Path) -> Result<(WorkerHandle<Line>, JoinHandle<()>), Box<dyn Error>> {
    let elsewhere = |work| drop(tokio::task::spawn_blocking(work));
    let store = RedbStore::open(file, elsewhere).await?;
    let show = |id: &str, status: TaskStatus| {
        println!("    {id:<7} {:<9} {}", status.state, status.err.as_deref().unwrap_or_default());
    };
    let surroundings = Surroundings::new(TokioTimer::new(), SystemClock, show);
    let spawner = TokioSpawner::new(tokio::runtime::Handle::current());
    let (mut worker, handle) = Worker::open(Shells, store, spawner, surroundings).await?;
    Ok((handle, tokio::spawn(async move { worker.run().await })))
}

/// Waits until the tasks are as wanted.
async fn until(agent: &WorkerHandle<Line>, wanted: impl Fn(&[TaskView<Line>]) -> bool) {
    let mut changes = agent.changes();
    while let Some(tasks) = changes.next().await {
        if wanted(&tasks) {
            return;
        }
    }
}

fn has_ended(task: &TaskView<Line>) -> bool {
    task.snapshot.status.state.is_terminal()
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
    handle.assign(vec![good.clone().into(), bad.clone().into(), sleeper.into()]).await?;
    let two_have_ended = |tasks: &[TaskView<_>]| tasks.iter().filter(|t| has_ended(t)).count() == 2;
    until(&handle, two_have_ended).await;

    // No longer assigned: it is ended, and then forgotten. The others are unchanged.
    handle.assign(vec![good.into(), bad.into()]).await?;
    until(&handle, |tasks| tasks.len() == 2).await;
    handle.close();
    running.await?;

    println!("the second agent");
    let (handle, running) = agent(&file).await?;
    let tasks = handle.tasks();
    let exit = |task: &TaskView<_>| task.snapshot.status.container_status.clone();
    let codes = tasks.iter().map(|task| exit(task).and_then(|status| status.exit_code));
    assert_eq!(codes.collect::<Vec<_>>(), [Some(3), None], "bad, then good");
    assert!(tasks.iter().all(has_ended));
    handle.assign(Vec::new()).await?;
    until(&handle, <[_]>::is_empty).await;
    handle.close();
    running.await?;

    let started = std::fs::read_to_string(witness)?.lines().count();
    println!("good was started {started} time(s)");
    assert_eq!(started, 1);
    Ok(())
}
