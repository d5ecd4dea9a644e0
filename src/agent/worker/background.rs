//! What a worker polls itself, beside its own work: the executor's questions about the world,
//! and the drivers that its runtime did not take.

use super::inbox::Event;
use crate::agent::panic::{caught, poll_caught};
use crate::exec::{ControllerError, Executor};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::task::{Context, Poll};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

/// Futures that a worker polls itself.
pub(super) struct Background {
    /// The executor lists what exists.
    listing: Option<BoxFuture<'static, Option<Vec<String>>>>,
    /// What exists of an id is ended.
    reconciling: BTreeMap<String, BoxFuture<'static, bool>>,
    /// Drivers that the runtime has refused or dropped.
    pub(super) drivers: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl Background {
    pub(super) fn new() -> Self {
        let drivers = FuturesUnordered::new();
        Self { listing: None, reconciling: BTreeMap::new(), drivers }
    }

    /// Asks the executor what exists in the world.
    pub(super) fn list<E: Executor + 'static>(&mut self, executor: Arc<E>) {
        self.listing = Some(Box::pin(async move {
            match contained(async { executor.list().await }).await {
                Ok(ids) => Some(ids),
                Err(error) => {
                    let error = format_args!("{error:#}");
                    tracing::error!(error, "cannot list existing workloads");
                    None
                }
            }
        }));
    }

    /// Ends what exists of an id.
    pub(super) fn reconcile<E: Executor + 'static>(&mut self, executor: Arc<E>, id: String) {
        tracing::warn!(task.id = id, "workload exists and is not assigned");
        let of = id.clone();
        let future = Box::pin(async move {
            match contained(async { executor.reconcile(&of).await }).await {
                Ok(()) => true,
                Err(error) => {
                    let error = format_args!("{error:#}");
                    tracing::error!(task.id = of, error, "unassigned workload not removed");
                    false
                }
            }
        });
        self.reconciling.insert(id, future);
    }

    /// Drops what ends an id.
    pub(super) fn stop(&mut self, id: &str) {
        if let Some(future) = self.reconciling.remove(id) {
            discard(future);
        }
    }

    /// Drops everything but the drivers.
    pub(super) fn clear(&mut self) {
        if let Some(listing) = self.listing.take() {
            discard(listing);
        }
        for (_, future) in core::mem::take(&mut self.reconciling) {
            discard(future);
        }
    }

    /// Polls all of it. Returns what has come of it.
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
        // The end of a driver is told by its report.
        while let Poll::Ready(Some(())) = self.drivers.poll_next_unpin(context) {}
        events
    }
}

/// Awaits a call of the executor, whose panics are errors.
async fn contained<T>(
    call: impl Future<Output = Result<T, ControllerError>>,
) -> Result<T, ControllerError> {
    let mut call = core::pin::pin!(call);
    let answer = core::future::poll_fn(|context| poll_caught(call.as_mut(), context)).await;
    answer.unwrap_or_else(|panic| Err(panic.of("executor")))
}

/// Drops a future of the embedder's, which may panic.
fn discard<F>(future: F) {
    if let Err(panic) = caught(|| drop(future)) {
        tracing::error!(%panic, "executor panicked when a call was dropped");
    }
}
