//~ only traits defined in the current crate can be implemented for types defined outside of the crate
// The table has all edges that there are.
use onward::lifecycle::{Edge, state};

impl Edge<state::Running> for state::Ready {}

fn main() {}
