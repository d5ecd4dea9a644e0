//~ `Runners` is not an executor
// Controllers come from what implements the trait.
use onward::exec::{Assignment, SystemClock, resolve};
use onward::lifecycle::AnyTask;

struct Runners;

async fn once(task: &mut AnyTask, assignment: &Assignment<()>, runners: &Runners) {
    let _ = resolve(task, assignment, runners, &SystemClock).await;
}

fn main() {}
