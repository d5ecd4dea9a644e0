//~ use of moved value: `task`
// A move consumes the task: what it was is no more.
use onward::lifecycle::{Task, state};
use time::UtcDateTime;

fn twice(task: Task<state::Starting>, now: UtcDateTime) {
    let _running = task.started(now);
    let _stopped = task.shut_down(now);
}

fn main() {}
