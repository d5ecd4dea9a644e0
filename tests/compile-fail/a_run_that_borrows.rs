//~ `driver` does not live long enough
// What is spawned owns what it uses; a run only borrows its driver.
use onward::agent::{Driver, StatusSink, Timer};
use onward::exec::{BoxController, SystemClock};
use std::future::Future;

fn spawn(_: impl Future + Send + 'static) {}

fn drive<T, S>(mut driver: Driver<BoxController<()>, T, SystemClock, S>)
where
    T: Timer + 'static,
    S: StatusSink + 'static,
{
    spawn(driver.run());
}

fn main() {}
