//! The logs of several tasks, also of those that come later.

use super::handle::WorkerHandle;
use super::seat::Seat;
use crate::exec::{Assignment, ControllerError, LogPublisher, LogSubscriptionOptions};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

/// Whose logs are wanted: of these tasks, and of all tasks of these services.
///
/// ```
/// use onward::Assignment;
/// use onward::agent::LogSelector;
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
        self.task_ids.contains(&task.id)
            || service.is_some_and(|service| self.service_ids.contains(service))
    }
}

impl<D: Clone + PartialEq + Send + Sync + 'static> WorkerHandle<D> {
    /// Publishes the logs of all tasks that are selected, each by the publisher that
    /// is opened for its id. If the options say *follow*, those of tasks that come
    /// later too, until the worker is closed.
    ///
    /// Gives the tasks whose logs could not be read to their end; the others are not
    /// affected.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it stops publishing. Nothing else is affected.
    ///
    /// In SwarmKit: `Worker.Subscribe`.
    pub async fn logs<P: LogPublisher>(
        &self,
        selector: &LogSelector,
        options: &LogSubscriptionOptions,
        mut open: impl FnMut(&str) -> P,
    ) -> Vec<(String, ControllerError)> {
        let mut reading = FuturesUnordered::new();
        let mut begun: Vec<Arc<Seat<D>>> = Vec::new();
        let mut failed = Vec::new();
        poll_fn(|context| {
            self.shared.watch(context);
            let (seats, closing) = self.selected(selector);
            // What is gone is not kept for the sake of its logs.
            begun.retain(|seat| seats.iter().any(|other| Arc::ptr_eq(seat, other)));
            for seat in seats {
                if begun.iter().any(|other| Arc::ptr_eq(&seat, other)) {
                    continue;
                }
                if let Some(logs) = seat.logs() {
                    let (publisher, options) = (open(&seat.id), options.clone());
                    let id = Arc::clone(&seat.id);
                    reading.push(async move { (id, logs.logs(publisher, options).await) });
                    begun.push(seat);
                }
            }
            while let Poll::Ready(Some((id, read))) = reading.poll_next_unpin(context) {
                failed.extend(read.err().map(|error| (String::from(&*id), error)));
            }
            let over = reading.is_empty() && (!options.follow || closing);
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        failed
    }

    /// The seats of the tasks that are selected, and whether no more will come.
    fn selected(&self, selector: &LogSelector) -> (Vec<Arc<Seat<D>>>, bool) {
        let book = self.shared.lock();
        let selected =
            book.tasks.values().filter(|entry| selector.selects(&entry.record.assignment));
        (selected.map(|entry| Arc::clone(&entry.seat)).collect(), book.is_closing())
    }
}
