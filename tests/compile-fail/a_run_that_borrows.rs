//~ `driver` does not live long enough
// A spawned future owns what it uses. The future of `run` only borrows its driver.
use onward::agent::Driver;
use onward::exec::Executor;
use std::future::Future;

fn spawn(_: impl Future + Send + 'static) {}

fn drive<E: Executor + 'static>(mut driver: Driver<E>) {
    spawn(driver.run());
}

fn main() {}
