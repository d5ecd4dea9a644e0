use onward::{Assignment, Controller, ControllerError, Executor};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

/// What a task is here: a program and its arguments.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub program: String,
    pub args: Vec<String>,
}

impl Job {
    /// A line of shell.
    pub fn shell(line: &str) -> Self {
        Self { program: "sh".into(), args: vec!["-c".into(), line.into()] }
    }
}

pub struct JobController {
    job: Job,
    child: Option<Child>,
}

impl Controller for JobController {
    type Definition = Job;

    async fn start(&mut self) -> Result<(), ControllerError> {
        // Never twice, even if it is called again.
        if self.child.is_some() {
            return Err(ControllerError::already_started());
        }
        let child = Command::new(&self.job.program).args(&self.job.args).spawn();
        self.child = Some(child.map_err(ControllerError::wrap)?);
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.child else {
            return Err(ControllerError::new("it was never started"));
        };
        // Asked again, it answers the same: a `Child` remembers.
        let status = child.wait().await.map_err(ControllerError::wrap)?;
        if status.success() {
            return Ok(());
        }
        let code = status.code().unwrap_or(128);
        Err(ControllerError::new(format!("it exited with code {code}")).with_exit_code(code))
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        // Nothing to end is a success.
        let Some(child) = &mut self.child else { return Ok(()) };
        child.kill().await.map_err(ControllerError::wrap)
    }
}

/// Hands out the controllers.
#[derive(Clone)]
pub struct JobExecutor;

impl Executor for JobExecutor {
    type Definition = Job;
    type Controller = JobController;

    async fn controller(&self, task: &Assignment<Job>) -> Result<JobController, ControllerError> {
        Ok(JobController { job: task.definition.clone(), child: None })
    }
}
