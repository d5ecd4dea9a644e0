//~ a task cannot move from `…Ready` to `…Running`
// The same, asked of the table itself.
use onward::lifecycle::{Edge, State, state};

fn leads<From: Edge<To>, To: State>() {}

fn main() {
    leads::<state::Ready, state::Running>();
}
