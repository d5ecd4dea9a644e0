//~ a task cannot move from `…Running` to `…Rejected`
// From STARTING on, a rejection is a failure.
use onward::lifecycle::{Failure, Task, state};
use time::UtcDateTime;

fn reject(task: Task<state::Running>, now: UtcDateTime) {
    let _ = task.rejected(Failure::new("disk full"), now);
}

fn main() {}
