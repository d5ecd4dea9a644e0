mod job;

use job::{Job, JobExecutor};
use onward::{Assignment, Controller, ControllerError, Executor};

#[tokio::main]
async fn main() -> Result<(), ControllerError> {
    let assignment = Assignment::new("first", Job::shell("exit 3"));
    let mut controller = JobExecutor.controller(&assignment).await?;
    controller.start().await?;
    let error = controller.wait().await.unwrap_err();
    assert_eq!(error.exit_code(), Some(3));
    Ok(())
}
