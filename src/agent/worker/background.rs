//! Futures that a worker polls itself: `list`, `reconcile`, and drivers that the runtime refused.

use super::inbox::Event;
use crate::agent::panic::{caught, discard, drop_caught, poll_caught, text_of};
use crate::exec::{ControllerError, Executor};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::task::{Context, Poll};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

/// Futures that a worker polls itself.
pub(super) struct Background {
    /// `Executor::list` in flight.
    listing: Option<BoxFuture<'static, Option<Vec<String>>>>,
    /// `Executor::reconcile` in flight, by id.
    reconciling: BTreeMap<String, BoxFuture<'static, bool>>,
    /// Drivers that the runtime has refused or dropped.
    pub(super) drivers: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Background {
    pub(super) fn new() -> Self {
        let drivers = FuturesUnordered::new();
        Self { listing: None, reconciling: BTreeMap::new(), drivers }
    }

    /// Calls `Executor::list`.
    pub(super) fn list<E: Executor + 'static>(&mut self, executor: Arc<E>) {
        self.listing = Some(Box::pin(async move {
            match contained(async { executor.list().await }).await {
                Ok(ids) => Some(ids),
                Err(error) => {
                    tracing::error!(error, "cannot list existing workloads");
                    None
                }
            }
        }));
    }

    /// Calls `Executor::reconcile` for an id.
    pub(super) fn reconcile<E: Executor + 'static>(&mut self, executor: Arc<E>, id: String) {
        tracing::warn!(task.id = id, "workload exists and is not assigned");
        let of = id.clone();
        let future = Box::pin(async move {
            match contained(async { executor.reconcile(&of).await }).await {
                Ok(()) => true,
                Err(error) => {
                    tracing::error!(
                        task.id = of,
                        error,
                        "reconcile of an unassigned workload failed"
                    );
                    false
                }
            }
        });
        self.reconciling.insert(id, future);
    }

    /// Drops the `reconcile` of an id.
    pub(super) fn stop(&mut self, id: &str) {
        if let Some(future) = self.reconciling.remove(id) {
            stop(future);
        }
    }

    /// Drops all futures.
    pub(super) fn clear(&mut self) {
        for driver in core::mem::take(&mut self.drivers) {
            discard("driver", driver);
        }
        if let Some(listing) = self.listing.take() {
            stop(listing);
        }
        for (_, future) in core::mem::take(&mut self.reconciling) {
            stop(future);
        }
    }

    /// Polls all futures. Returns the results of those that are ready.
    pub(super) fn poll<D>(&mut self, context: &mut Context<'_>) -> Vec<Event<D>> {
        let mut events = Vec::new();
        if let Some(listing) = &mut self.listing
            && let Poll::Ready(listed) = listing.as_mut().poll(context)
        {
            self.listing = None;
            events.push(Event::Listed(listed));
        }
        self.reconciling.retain(|id, future| match future.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(is_done) => {
                events.push(Event::Reconciled(id.clone(), is_done));
                false
            }
        });
        // The end of a driver comes as an event from its `Report`.
        loop {
            match caught(|| self.drivers.poll_next_unpin(context)) {
                Ok(Poll::Ready(Some(()))) => {}
                Ok(Poll::Ready(None) | Poll::Pending) => break,
                // The stream has dropped that driver.
                Err(panic) => tracing::error!(%panic, "driver panicked and was dropped"),
            }
        }
        events
    }
}

/// Awaits a call of the executor. A panic or an error is returned as its text.
async fn contained<T>(call: impl Future<Output = Result<T, ControllerError>>) -> Result<T, String> {
    let mut call = core::pin::pin!(Some(call));
    let answer = core::future::poll_fn(|context| match call.as_mut().as_pin_mut() {
        Some(call) => poll_caught(call, context),
        None => Poll::Pending,
    });
    let answer = answer.await;
    if let Err(panic) = drop_caught(call) {
        tracing::error!(%panic, "executor panicked when a call was dropped");
    }
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            let text = text_of(&error);
            discard("error", error);
            Err(text)
        }
        Err(panic) => Err(panic.of("executor").to_string()),
    }
}

/// Drops a future of the embedder, and logs its panic.
fn stop<F>(future: F) {
    if let Err(panic) = caught(|| drop(future)) {
        tracing::error!(%panic, "executor panicked when a call was dropped");
    }
}
