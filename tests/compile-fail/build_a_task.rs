//~ fields `record` and `state` of struct `Task` are private
// A task is resumed from a status, or moved; nobody makes one up.
use onward::lifecycle::{Task, state};

fn forge(state: state::Running) -> Task<state::Running> {
    Task { record: None, state }
}

fn main() {}
