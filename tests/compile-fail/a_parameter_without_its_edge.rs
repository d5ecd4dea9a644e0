//~ a task cannot move from `S` to `…Shutdown`
// Not every state has every edge: a function that moves says which one it needs.
use onward::lifecycle::{State, Task, state};
use time::UtcDateTime;

fn stop<S: State>(task: Task<S>, now: UtcDateTime) -> Task<state::Shutdown> {
    task.shut_down(now)
}

fn main() {}
