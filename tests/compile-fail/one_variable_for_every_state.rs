//~ mismatched types
// Every state is another type: a move gives another task, which wants another name.
use onward::lifecycle::Task;
use time::UtcDateTime;

fn begin(now: UtcDateTime) {
    let mut task = Task::new();
    task = task.accepted(now);
}

fn main() {}
