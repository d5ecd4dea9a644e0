use onward::{Assignment, Controller, ControllerError, Executor};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};

/// The definition of a task: a program and its arguments.
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
        // `start` can be called again. It must not start the program twice.
        if self.child.is_some() {
            return Err(ControllerError::already_started());
        }
        let child = Command::new(&self.job.program).args(&self.job.args).spawn();
        self.child = Some(child.map_err(ControllerError::wrap)?);
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(child) = &mut self.child else {
            return Err(ControllerError::new("it was not started by this agent"));
        };
        // If `wait` is called again, `Child` returns the same exit status.
        let status = child.wait().await.map_err(ControllerError::wrap)?;
        if status.success() {
            return Ok(());
        }
        // `None` if a signal has ended the program.
        let Some(code) = status.code() else { return Err(status.to_string().into()) };
        Err(ControllerError::new(format!("it exited with code {code}")).with_exit_code(code))
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        // If there is nothing to end, `shutdown` succeeds.
        let Some(child) = &mut self.child else { return Ok(()) };
        child.kill().await.map_err(ControllerError::wrap)
    }
}

/// Makes the controllers.
#[derive(Clone)]
pub struct JobExecutor;

impl Executor for JobExecutor {
    type Definition = Job;
    type Controller = JobController;

    async fn controller(&self, task: &Assignment<Job>) -> Result<JobController, ControllerError> {
        Ok(JobController { job: task.definition.clone(), child: None })
    }
}
