//~ cannot borrow `*task` as immutable because it is also borrowed as mutable
// A step has the task for itself until it is done or dropped.
use onward::exec::{Controller, SystemClock, step};
use onward::lifecycle::{AnyTask, TaskState};

async fn look(task: &mut AnyTask, controller: &mut impl Controller) {
    let stepping = step(task, TaskState::Running, controller, &SystemClock);
    println!("{} so far", task.state());
    let _ = stepping.await;
}

fn main() {}
