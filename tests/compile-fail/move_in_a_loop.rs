//~ use of moved value: `task`
// The second turn of the loop has no task any more.
use onward::lifecycle::{AnyTask, Event};
use time::UtcDateTime;

fn hurry(task: AnyTask, events: Vec<Event>, now: UtcDateTime) {
    for event in events {
        let _ = task.apply(event, now);
    }
}

fn main() {}
