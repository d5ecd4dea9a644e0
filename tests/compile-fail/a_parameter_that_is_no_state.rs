//~ `S` is not a state of a task
// A function for tasks of any state says that it is one.
use onward::lifecycle::Task;

fn log<S>(task: &Task<S>) {
    println!("{}", task.message());
}

fn main() {}
