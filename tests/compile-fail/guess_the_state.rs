//~ mismatched types
// What is known at run time only has to be asked for at run time.
use onward::lifecycle::{AnyTask, Task, state};

fn running(task: AnyTask) -> Task<state::Running> {
    task
}

fn main() {}
