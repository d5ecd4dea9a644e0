//~ type annotations needed
// A closure is a sink if it has the types of its parameters.
use onward::agent::Driver;
use onward::exec::Executor;

fn shown<E: Executor>(driver: Driver<E>) -> Driver<E> {
    driver.with_sink(|id, status| {
        println!("{id}: {}", status.state);
    })
}

fn main() {}
