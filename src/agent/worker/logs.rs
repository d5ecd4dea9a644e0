//! The logs of several tasks, including tasks that are assigned later.

use super::handle::WorkerHandle;
use super::view::{Phase, Row, Topic};
use crate::agent::driver::Shared;
use crate::exec::{Assignment, ControllerError, LogPublisher, LogSubscriptionOptions};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;
use futures::StreamExt;
use futures::stream::FuturesUnordered;

/// Selects the logs of tasks: all of them, or by task id and by service id.
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
    /// Whether all tasks are selected.
    pub all: bool,
}

impl LogSelector {
    /// Selects all tasks.
    pub fn all() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// Selects this task.
    pub fn task(id: impl Into<String>) -> Self {
        Self::default().or_task(id)
    }

    /// Selects all tasks of this service.
    pub fn service(id: impl Into<String>) -> Self {
        Self::default().or_service(id)
    }

    /// Adds this task.
    #[must_use]
    pub fn or_task(mut self, id: impl Into<String>) -> Self {
        self.task_ids.push(id.into());
        self
    }

    /// Adds all tasks of this service.
    #[must_use]
    pub fn or_service(mut self, id: impl Into<String>) -> Self {
        self.service_ids.push(id.into());
        self
    }

    /// Whether this task is selected.
    pub fn selects<D>(&self, task: &Assignment<D>) -> bool {
        let service = task.service_id.as_ref();
        self.all
            || self.task_ids.iter().any(|id| **id == *task.id)
            || service.is_some_and(|service| self.service_ids.iter().any(|id| **id == **service))
    }
}

/// A [`LogSelector`] for many tasks: it does not search its lists for each of them.
struct Selection<'a> {
    task_ids: BTreeSet<&'a str>,
    service_ids: BTreeSet<&'a str>,
    all: bool,
}

impl<'a> Selection<'a> {
    fn new(selector: &'a LogSelector) -> Self {
        let LogSelector { task_ids, service_ids, all } = selector;
        let set = |ids: &'a [String]| ids.iter().map(|id| &**id).collect();
        Self { task_ids: set(task_ids), service_ids: set(service_ids), all: *all }
    }

    fn selects<D>(&self, task: &Assignment<D>) -> bool {
        let service = task.service_id.as_ref();
        self.all
            || self.task_ids.contains(&*task.id)
            || service.is_some_and(|service| self.service_ids.contains(&**service))
    }
}

impl<D> WorkerHandle<D> {
    /// Publishes the logs of all selected tasks. `open` makes the publisher of a task, from its id.
    /// With [`follow`](LogSubscriptionOptions::follow), the logs of tasks that are assigned later are
    /// published too, until the worker is closed.
    ///
    /// Returns the errors of logs that could not be read to their end, with the ids of their tasks.
    /// Other logs are not affected.
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
        let selection = Selection::new(selector);
        let mut follower = view.follow(Topic::Membership);
        let mut reading = FuturesUnordered::new();
        let mut begun: BTreeMap<Arc<str>, Arc<Shared<D>>> = BTreeMap::new();
        let mut failed = Vec::new();
        poll_fn(|context| {
            while let Poll::Ready(seen) = follower.poll(context) {
                for (id, row) in seen {
                    // The driver of a task that is gone is not kept for its logs.
                    let before = begun.remove(&id);
                    let Some(Row { record, seat, .. }) = row else { continue };
                    if !selection.selects(&record.assignment) {
                        continue;
                    }
                    if !before.is_some_and(|other| Arc::ptr_eq(&other, &seat)) {
                        let Some(logs) = seat.logs() else { continue };
                        let (publisher, options) = (open(&id), options.clone());
                        let id = Arc::clone(&id);
                        reading.push(async move { (id, logs.logs(publisher, options).await) });
                    }
                    begun.insert(id, seat);
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

#[cfg(all(test, not(shuttle)))]
mod tests;
