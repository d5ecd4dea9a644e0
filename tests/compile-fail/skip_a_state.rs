//~ no method named `started` found for struct `Task<…Ready>`
// A task that is ready has to be starting before it has started. The compiler
// names the state that has the method.
use onward::lifecycle::{Task, state};
use time::UtcDateTime;

fn hurry(task: Task<state::Ready>, now: UtcDateTime) {
    let _ = task.started(now);
}

fn main() {}
