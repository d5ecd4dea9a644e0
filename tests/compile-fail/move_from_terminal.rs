//~ a task cannot move from `…Complete` to `…Shutdown`
// Nothing follows a terminal state.
use onward::lifecycle::{Task, state};
use time::UtcDateTime;

fn stop(task: Task<state::Complete>, now: UtcDateTime) {
    let _ = task.shut_down(now);
}

fn main() {}
