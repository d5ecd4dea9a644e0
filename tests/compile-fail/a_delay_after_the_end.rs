//~ a task in `…Failed` has ended
// What has ended is not tried again.
use onward::lifecycle::{Failure, Task, state};
use time::UtcDateTime;

fn again(task: &mut Task<state::Failed>, now: UtcDateTime) {
    task.delayed(Failure::new("busy"), now);
}

fn main() {}
