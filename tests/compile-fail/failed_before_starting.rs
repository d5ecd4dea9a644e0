//~ a task cannot move from `…Preparing` to `…Failed`
// Before STARTING, failure is a rejection.
use onward::lifecycle::{Failure, Task, state};
use time::UtcDateTime;

fn fail(task: Task<state::Preparing>, now: UtcDateTime) {
    let _ = task.failed(Failure::new("disk full"), now);
}

fn main() {}
