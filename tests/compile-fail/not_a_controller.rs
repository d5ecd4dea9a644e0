//~ `Process` is not a controller
// What operates a task is what implements the trait.
use onward::exec::{SystemClock, step};
use onward::lifecycle::{AnyTask, TaskState};

struct Process;

async fn once(task: &mut AnyTask, process: &mut Process) {
    let _ = step(task, TaskState::Running, process, &SystemClock).await;
}

fn main() {}
