//~ unit struct `Running` is private
// Nor a state.
use onward::lifecycle::state;

fn main() {
    let _ = state::Running;
}
