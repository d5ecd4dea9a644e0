//! The stream of the changed tasks of a worker.

use super::task::TaskView;
use super::view::{Follower, Phase, Topic, View};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures::Stream;

/// An item of a [`Changes`] stream: the tasks that have changed since the last item.
///
/// Each task is in it once, even if it has changed several times. A task that was removed and
/// assigned again counts as changed. A task that was assigned and removed since the last item is not
/// in it. So a stream that is polled rarely never holds more ids than it has yielded and than there
/// are tasks.
///
/// ```
/// use futures::StreamExt;
/// use onward::agent::worker::{TaskView, WorkerHandle};
/// use std::collections::BTreeSet;
///
/// /// Prints how many tasks have not ended.
/// async fn count(handle: &WorkerHandle<String>) {
///     let mut unfinished = BTreeSet::new();
///     let mut changes = handle.changes();
///     while let Some(changed) = changes.next().await {
///         for id in &changed.removed {
///             unfinished.remove(&**id);
///         }
///         for task in &changed.tasks {
///             if task.has_ended() {
///                 unfinished.remove(task.id());
///             } else {
///                 unfinished.insert(task.id().to_owned());
///             }
///         }
///         println!("{} tasks have not ended", unfinished.len());
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ChangedTasks<D> {
    /// The new and changed tasks in their current form, in the order of their ids.
    pub tasks: Vec<TaskView<D>>,
    /// The ids of the tasks that were removed, in order. An earlier item had each of them.
    pub removed: Vec<Arc<str>>,
}

/// A stream of the changed tasks; see
/// [`WorkerHandle::changes`](super::WorkerHandle::changes).
#[must_use = "a stream does nothing until it is polled"]
pub struct Changes<D> {
    view: Arc<View<D>>,
    follower: Follower<D>,
    /// The first item is yielded even if there are no tasks.
    is_first: bool,
}

impl<D> Changes<D> {
    pub(super) fn new(view: &Arc<View<D>>) -> Self {
        let (view, follower) = (Arc::clone(view), view.follow(Topic::Changes));
        Self { view, follower, is_first: true }
    }
}

impl<D> Stream for Changes<D> {
    type Item = ChangedTasks<D>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { view, follower, is_first } = &mut *self;
        loop {
            // Read before the tasks, so that the last change comes before the end.
            let has_ended = view.phase() == Phase::Ended;
            let Poll::Ready(seen) = follower.poll(context) else {
                return if has_ended { Poll::Ready(None) } else { Poll::Pending };
            };
            if mem::take(is_first) || !seen.is_empty() {
                let (mut tasks, mut removed) = (Vec::with_capacity(seen.len()), Vec::new());
                for (id, row) in seen {
                    match row {
                        Some(row) => tasks.push(row.into()),
                        None => removed.push(id),
                    }
                }
                return Poll::Ready(Some(ChangedTasks { tasks, removed }));
            }
        }
    }
}

impl<D> fmt::Debug for Changes<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").finish_non_exhaustive()
    }
}
