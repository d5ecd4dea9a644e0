//~ a task cannot move from `…Pending` to `…Orphaned`
// A task without a node cannot lose it.
use onward::lifecycle::{Task, state};
use time::UtcDateTime;

fn lose(task: Task<state::Pending>, now: UtcDateTime) {
    let _ = task.orphaned(now);
}

fn main() {}
