mod job;

use job::{Job, JobExecutor};
use onward::exec::SystemClock;
use onward::{AnyTask, Assignment, ControllerError, Outcome, TaskState, TaskStatus, resolve, step};

#[tokio::main]
async fn main() -> Result<(), ControllerError> {
    let assignment = Assignment::new("first", Job::shell("echo hello"));
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    let mut controller = resolve(&mut task, &assignment, &JobExecutor, &SystemClock).await?;
    let desired = TaskState::Running;
    while step(&mut task, desired, &mut controller, &SystemClock).await == Outcome::Advanced {
        println!("{}: {}", task.state(), task.message());
    }
    assert_eq!(task.state(), TaskState::Complete);
    Ok(())
}
