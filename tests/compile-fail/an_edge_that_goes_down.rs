//~ an edge leads to a greater state, but Ready is not above Running
// The table itself is checked: this one has an edge that goes back.
#[path = "../../src/lifecycle/table.rs"]
mod table;

use onward::lifecycle::{TaskState, state};
use std::marker::PhantomData;
use table::lifecycle;

trait Edge<To> {}

trait Live {}

struct Transition {
    from: TaskState,
    to: TaskState,
    by: &'static [Actor],
}

enum Actor {
    Agent,
}

struct Probe<From, To>(PhantomData<(From, To)>);

impl<From, To> Probe<From, To> {
    const HAS_EDGE: bool = false;
}

lifecycle! {
    Running => [Ready(Agent)];
}

fn main() {}
