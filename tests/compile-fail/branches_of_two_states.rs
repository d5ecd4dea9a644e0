//~ `if` and `else` have incompatible types
// So has what comes out of an `if`.
use onward::lifecycle::{Failure, Task, state};
use time::UtcDateTime;

fn end(task: Task<state::Running>, exit_code: i32, now: UtcDateTime) {
    let _ended = if exit_code == 0 {
        task.finished(now)
    } else {
        task.failed(Failure::new("it failed").with_exit_code(exit_code), now)
    };
}

fn main() {}
