//~ unused `Task` that must be used
// A move gives the task back: who lets it fall has lost it. It is a warning, here forbidden.
#![deny(unused_must_use)]
use onward::lifecycle::{Task, state};
use time::UtcDateTime;

fn finish(task: Task<state::Running>, now: UtcDateTime) {
    task.finished(now);
}

fn main() {}
