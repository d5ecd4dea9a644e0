//~ a task cannot move from `…Running` to `…Accepted`
// A task never goes back.
use onward::lifecycle::{Task, state};
use time::UtcDateTime;

fn again(task: Task<state::Running>, now: UtcDateTime) {
    let _ = task.accepted(now);
}

fn main() {}
