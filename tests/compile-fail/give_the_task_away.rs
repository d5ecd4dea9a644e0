//~ mismatched types
// A step borrows the task, so that it is still there when the step is dropped.
use onward::exec::{Controller, SystemClock, step};
use onward::lifecycle::{AnyTask, TaskState};

async fn once(task: AnyTask, controller: &mut impl Controller) {
    let _ = step(task, TaskState::Running, controller, &SystemClock).await;
}

fn main() {}
