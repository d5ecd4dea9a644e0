//! The logs of several tasks, also of those that come later.

use super::handle::WorkerHandle;
use super::view::Phase;
use crate::agent::driver::Shared;
use crate::exec::{Assignment, ControllerError, LogPublisher, LogSubscriptionOptions};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::mem;
use core::task::Poll;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

/// Whose logs are wanted: of these tasks, and of all tasks of these services.
///
/// ```
/// use onward::Assignment;
/// use onward::agent::worker::LogSelector;
///
/// let selector = LogSelector::service("web").or_task("db.1");
/// assert!(selector.selects(&Assignment::new("web.7", ()).with_service_id("web")));
/// assert!(selector.selects(&Assignment::new("db.1", ())));
/// assert!(!selector.selects(&Assignment::new("db.2", ()).with_service_id("db")));
/// ```
///
/// In SwarmKit: `api.LogSelector`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct LogSelector {
    /// The ids of tasks.
    pub task_ids: Vec<String>,
    /// The ids of services.
    pub service_ids: Vec<String>,
}

impl LogSelector {
    /// Of this task.
    pub fn task(id: impl Into<String>) -> Self {
        Self::default().or_task(id)
    }

    /// Of all tasks of this service.
    pub fn service(id: impl Into<String>) -> Self {
        Self::default().or_service(id)
    }

    /// Of this task too.
    #[must_use]
    pub fn or_task(mut self, id: impl Into<String>) -> Self {
        self.task_ids.push(id.into());
        self
    }

    /// Of all tasks of this service too.
    #[must_use]
    pub fn or_service(mut self, id: impl Into<String>) -> Self {
        self.service_ids.push(id.into());
        self
    }

    /// Whether the logs of this task are wanted.
    pub fn selects<D>(&self, task: &Assignment<D>) -> bool {
        let service = task.service_id.as_ref();
        self.task_ids.iter().any(|id| **id == *task.id)
            || service.is_some_and(|service| self.service_ids.iter().any(|id| **id == **service))
    }
}

impl<D> WorkerHandle<D> {
    /// Publishes the logs of all tasks that are selected. `open` makes the publisher for each
    /// task, from its id. If the options say *follow*, the logs of tasks that come later are
    /// published too, until the worker is closed.
    ///
    /// Returns the tasks whose logs could not be read to their end; the others are not affected.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, it stops publishing.
    ///
    /// In SwarmKit: `Worker.Subscribe`.
    pub async fn logs<P: LogPublisher>(
        &self,
        selector: &LogSelector,
        options: &LogSubscriptionOptions,
        mut open: impl FnMut(&str) -> P,
    ) -> Vec<(String, ControllerError)> {
        let view = &self.common.view;
        let mut watching = view.membership.watch();
        let mut reading = FuturesUnordered::new();
        let mut begun: BTreeMap<Arc<str>, Arc<Shared<D>>> = BTreeMap::new();
        let mut failed = Vec::new();
        poll_fn(|context| {
            while watching.poll(context).is_ready() {
                // What is gone is not kept for the sake of its logs.
                let before = mem::take(&mut begun);
                for seat in view.seats(|task| selector.selects(task)) {
                    let is_begun =
                        before.get(&seat.id).is_some_and(|other| Arc::ptr_eq(other, &seat));
                    if !is_begun {
                        let Some(logs) = seat.logs() else { continue };
                        let (publisher, options) = (open(&seat.id), options.clone());
                        let id = Arc::clone(&seat.id);
                        reading.push(async move { (id, logs.logs(publisher, options).await) });
                    }
                    begun.insert(Arc::clone(&seat.id), seat);
                }
            }
            while let Poll::Ready(Some((id, read))) = reading.poll_next_unpin(context) {
                failed.extend(read.err().map(|error| (String::from(&*id), error)));
            }
            let no_more = !options.follow || view.phase() >= Phase::Closing;
            if reading.is_empty() && no_more { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        failed
    }
}
