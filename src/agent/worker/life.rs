//! The future of one task's driver.

use super::handle::Common;
use super::inbox::Event;
use crate::agent::driver::{Driver, DriverExit, Shared};
use crate::exec::{Executor, task_span};
use alloc::boxed::Box;
use alloc::sync::Arc;
use futures::future::BoxFuture;
use tracing::Instrument;

/// A driver, and whoever is told of its end.
///
/// The fields are dropped in this order: when the worker hears that the future is gone, the
/// driver is gone.
struct Life<E: Executor> {
    driver: Driver<E>,
    report: Report<E::Definition>,
}

/// Tells the worker that a driver is gone: it has ended, or its future was dropped. The future
/// may be dropped before its first poll, so this exists before the future does.
struct Report<D> {
    common: Arc<Common<D>>,
    seat: Arc<Shared<D>>,
    exit: Option<DriverExit>,
}

impl<D> Drop for Report<D> {
    fn drop(&mut self) {
        let event = Event::Ended(Arc::clone(&self.seat.id), self.exit.take());
        drop(self.common.inbox.put(event));
    }
}

/// The whole life of a task, as a future for a runtime.
pub(super) fn life<E: Executor + 'static>(
    driver: Driver<E>,
    common: Arc<Common<E::Definition>>,
    seat: Arc<Shared<E::Definition>>,
) -> BoxFuture<'static, ()> {
    let span = task_span(&seat.id);
    let report = Report { common, seat, exit: None };
    let mut life = Life { driver, report };
    Box::pin(
        async move {
            // Taken in as a whole, so that its fields are dropped in their order.
            let Life { driver, report } = &mut life;
            report.exit = Some(driver.run_contained().await);
        }
        .instrument(span),
    )
}
