//! A minimal agent: a worker that runs programs and keeps its tasks in a file.

mod store;

use onward::agent::{Surroundings, TokioSpawner, TokioTimer, Worker};
use onward::exec::{Executor, SystemClock};
use onward::{Assignment, Controller, ControllerError, TaskStatus};
use tokio::process::{Child, Command};
use tokio::runtime::{Builder, Handle};

/// Runs a program.
#[derive(Debug)]
struct Process(String, Option<Child>);

impl Controller for Process {
    type Definition = String;

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.1 = Some(Command::new(&self.0).spawn()?);
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.1 else { return Err("not started".into()) };
        if child.wait().await?.success() { Ok(()) } else { Err("it failed".into()) }
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.1 else { return Ok(()) };
        Ok(child.kill().await?)
    }
}

/// Has a controller for every program.
#[derive(Clone, Debug)]
struct Processes;

impl Executor for Processes {
    type Definition = String;
    type Controller = Process;

    async fn controller(&self, task: &Assignment<String>) -> Result<Process, ControllerError> {
        Ok(Process(task.definition.clone(), None))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let store = store::open().await?;
        let sink = |id: &str, status: TaskStatus| println!("{id}: {}", status.state);
        let surroundings = Surroundings::new(TokioTimer::new(), SystemClock, sink);
        let spawner = TokioSpawner::new(Handle::current());
        let (mut worker, handle) = Worker::open(Processes, store, spawner, surroundings).await?;
        let agent = tokio::spawn(async move { worker.run().await });

        handle.assign(vec![Assignment::new("true", "true".to_owned()).into()]).await?;
        agent.await?;
        Ok(())
    })
}
