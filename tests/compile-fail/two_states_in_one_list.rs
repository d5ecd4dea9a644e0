//~ mismatched types
// A list has one type of element, and two states are two types.
use onward::lifecycle::{Task, state};

fn both(ready: Task<state::Ready>, running: Task<state::Running>) {
    let _tasks = [ready, running];
}

fn main() {}
