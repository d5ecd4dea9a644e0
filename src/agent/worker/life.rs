//! The future of one task's driver.

use super::handle::Common;
use super::inbox::Event;
use crate::agent::driver::Driver;
use crate::exec::{Executor, task_span};
use alloc::boxed::Box;
use alloc::sync::Arc;
use futures::future::BoxFuture;
use tracing::Instrument;

/// A driver that reports its end to the worker when it is dropped: it has ended, or its future was
/// dropped. It is made before the future, because the future may be dropped before its first poll.
struct Reporting<E: Executor> {
    driver: Option<Driver<E>>,
    common: Arc<Common<E::Definition>>,
}

impl<E: Executor> Drop for Reporting<E> {
    fn drop(&mut self) {
        let Some(driver) = self.driver.take() else { return };
        let shared = Arc::clone(driver.shared());
        // The worker may start another driver of the task after the report.
        drop(driver);
        let exit = shared.has_ended().then(|| shared.exit());
        drop(self.common.inbox.put(Event::Ended(Arc::clone(&shared.id), exit)));
    }
}

/// The future that runs a driver on a runtime.
pub(super) fn life<E: Executor + 'static>(
    driver: Driver<E>,
    common: Arc<Common<E::Definition>>,
) -> BoxFuture<'static, ()> {
    let span = task_span(&driver.shared().id);
    let mut reporting = Reporting { driver: Some(driver), common };
    Box::pin(
        async move {
            if let Some(driver) = &mut reporting.driver {
                driver.run_contained().await;
            }
        }
        .instrument(span),
    )
}
