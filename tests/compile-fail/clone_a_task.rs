//~ no method named `clone` found for struct `Task
// A cloned task would be two truths.
use onward::lifecycle::{Task, state};

fn both(task: Task<state::Running>) -> [Task<state::Running>; 2] {
    [task.clone(), task]
}

fn main() {}
