//! A minimal agent: a worker that runs programs and keeps its tasks in a file.

mod store;

use onward::agent::{TokioRuntime, Worker};
use onward::{Assignment, Controller, ControllerError, Executor, TaskStatus};
use std::sync::Arc;
use tokio::process::{Child, Command};
use tokio::runtime::Builder;

/// Runs a program as a task.
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

/// Makes a controller for each program.
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
        let runtime = Arc::new(TokioRuntime::current());
        let mut worker = Worker::open(Processes, store, runtime).await?.with_sink(sink);
        let handle = worker.handle();
        let agent = tokio::spawn(async move { worker.run().await });

        handle.assign([Assignment::new("true", "true".to_owned())]).await?;
        agent.await?;
        Ok(())
    })
}
