//~ `Paused` is not a state of a task
// The fourteen states are all that there are.
use onward::lifecycle::{State, TaskState};

#[derive(Clone, Copy, Debug)]
struct Paused;

impl State for Paused {
    const VALUE: TaskState = TaskState::Running;
}

fn main() {}
