//! The future of one task's driver.

use super::handle::Common;
use super::inbox::Event;
use crate::agent::driver::{Driver, Shared};
use crate::exec::{Executor, task_span};
use alloc::boxed::Box;
use alloc::sync::Arc;
use futures::future::BoxFuture;
use tracing::Instrument;

/// A driver, and the report of its end.
///
/// The fields are dropped in this order, so the driver is dropped before its end is reported.
struct DriverFuture<E: Executor> {
    driver: Driver<E>,
    report: Report<E::Definition>,
}

/// Reports to the worker, when it is dropped, that a driver has ended or that its future was
/// dropped. It is made before the future, because the future may be dropped before its first poll.
struct Report<D> {
    common: Arc<Common<D>>,
    seat: Arc<Shared<D>>,
    has_ended: bool,
}

impl<D> Drop for Report<D> {
    fn drop(&mut self) {
        let exit = self.has_ended.then(|| self.seat.exit());
        let event = Event::Ended(Arc::clone(&self.seat.id), exit);
        drop(self.common.inbox.put(event));
    }
}

/// The future that runs a driver on a runtime.
pub(super) fn life<E: Executor + 'static>(
    driver: Driver<E>,
    common: Arc<Common<E::Definition>>,
    seat: Arc<Shared<E::Definition>>,
) -> BoxFuture<'static, ()> {
    let span = task_span(&seat.id);
    let report = Report { common, seat, has_ended: false };
    let mut whole = DriverFuture { driver, report };
    Box::pin(
        async move {
            // Moved as a whole, so that its fields are dropped in their order.
            let DriverFuture { driver, report } = &mut whole;
            driver.run_contained().await;
            report.has_ended = true;
        }
        .instrument(span),
    )
}
