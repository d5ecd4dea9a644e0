//~ cannot move out of `*task` which is behind a mutable reference
// `apply` consumes; for a task that somebody else owns there is `advance`.
use onward::lifecycle::{AnyTask, Event};
use time::UtcDateTime;

fn finish(task: &mut AnyTask, now: UtcDateTime) {
    let _ = task.apply(Event::Finished, now);
}

fn main() {}
