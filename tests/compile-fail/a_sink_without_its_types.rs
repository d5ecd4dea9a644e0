//~ type annotations needed
// A closure is a sink, once it says what it takes.
use onward::agent::{Driver, Surroundings, Timer};
use onward::exec::{Assignment, BoxController, SystemClock};
use onward::lifecycle::AnyTask;

fn driver(task: AnyTask, controller: BoxController<()>, timer: impl Timer) {
    let surroundings = Surroundings::new(timer, SystemClock, |id, status| {
        println!("{id}: {}", status.state);
    });
    let _ = Driver::new(task, Assignment::new("a", ()), controller, surroundings);
}

fn main() {}
