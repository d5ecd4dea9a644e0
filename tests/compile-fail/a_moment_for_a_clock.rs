//~ `UtcDateTime` is not a clock
// The time of a change is known when it comes, not before.
use onward::exec::{Controller, step};
use onward::lifecycle::{AnyTask, TaskState};
use time::UtcDateTime;

async fn once(task: &mut AnyTask, controller: &mut impl Controller, now: UtcDateTime) {
    let _ = step(task, TaskState::Running, controller, &now).await;
}

fn main() {}
