//! The handle of a driver: changes the wanted assignment, and shows the task.

use super::core::Refusal;
use super::shared::Shared;
use super::snapshot::Snapshot;
use super::update_error::UpdateError;
use crate::agent::panic::are_equal;
use crate::agent::policy::Policy;
use crate::agent::signal::Watcher;
use crate::exec::{Assignment, SharedLogs};
use crate::lifecycle::TaskStatus;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures::Stream;

/// Controls a [`Driver`](super::Driver): changes the definition and the desired state of its task,
/// removes it, and shows its status.
///
/// It is cheap to clone and works from any thread. A call takes effect at once, and wakes the
/// driver.
pub struct DriverHandle<D> {
    pub(in crate::agent) shared: Arc<Shared<D>>,
}

impl<D> DriverHandle<D> {
    pub(in crate::agent) fn new(shared: Arc<Shared<D>>) -> Self {
        Self { shared }
    }

    /// The task's id.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// Sets the wanted definition and the desired state of the task.
    ///
    /// It never blocks. If several updates come before the driver is polled, the last one counts.
    /// An update that changes nothing does nothing. A definition has changed if it is not equal to
    /// the one that was wanted before.
    ///
    /// # Errors
    ///
    /// The update is for another task, would lower the desired state, or comes after
    /// [`remove`](Self::remove) or [`close`](Self::close). Such an update has no effect, and is
    /// logged.
    pub fn update(&self, assignment: impl Into<Arc<Assignment<D>>>) -> Result<(), UpdateError>
    where
        D: PartialEq,
    {
        let refused = self.try_update(&assignment.into(), false);
        refused.inspect_err(|error| {
            tracing::warn!(task.id = self.id(), %error, "driver refused the update");
        })
    }

    /// Sets the assignment of a worker, and whether the task is being removed. If the executor has
    /// failed for good, the driver asks it again.
    pub(in crate::agent) fn want(&self, assignment: &Arc<Assignment<D>>, is_removed: bool)
    where
        D: PartialEq,
    {
        match self.try_update(assignment, is_removed) {
            Ok(()) => {}
            // The worker will see that end, and start another driver if the task needs one.
            Err(error @ UpdateError::Ended) => {
                tracing::debug!(task.id = self.id(), %error, "driver has ended and ignores the assignment");
            }
            // The worker refuses such an assignment before it comes here.
            Err(error) => {
                tracing::error!(task.id = self.id(), %error, "driver refused an accepted assignment");
            }
        }
        self.shared.request(|state| state.core.ask_again());
    }

    /// `is_removed`: the task is no longer assigned.
    fn try_update(
        &self,
        assignment: &Arc<Assignment<D>>,
        is_removed: bool,
    ) -> Result<(), UpdateError>
    where
        D: PartialEq,
    {
        loop {
            let (wanted, applied, is_over) = self.shared.with(|state| {
                let is_over = state.core.takes_no_update();
                (Arc::clone(&state.wanted), state.applied.clone(), is_over)
            });
            if is_over {
                return Err(UpdateError::Ended);
            }
            if *assignment.id != *self.shared.id {
                let (id, given) = (String::from(self.id()), String::from(&*assignment.id));
                return Err(UpdateError::OtherTask { id, given });
            }
            // Compared outside of the lock: this is code of the embedder.
            let same = |other: &Arc<Assignment<D>>| {
                Arc::ptr_eq(other, assignment)
                    || are_equal(&other.definition, &assignment.definition)
            };
            let (is_wanted, is_applied) = (same(&wanted), applied.as_ref().is_some_and(same));
            let told = self.shared.request(|state| {
                let is_present = |a: &Arc<_>, b: &Arc<_>| Arc::ptr_eq(a, b);
                let unchanged = is_present(&state.wanted, &wanted)
                    && match (&state.applied, &applied) {
                        (Some(a), Some(b)) => is_present(a, b),
                        (None, None) => true,
                        _ => false,
                    };
                if !unchanged {
                    return None;
                }
                let definitions = state.core.definitions;
                let number = match (is_wanted, is_applied) {
                    (true, _) => definitions.wanted,
                    (false, true) => definitions.applied,
                    (false, false) => definitions.highest.wrapping_add(1).max(1),
                };
                let desired = assignment.desired_state;
                let wanted = state.core.want(desired, number);
                if is_removed {
                    state.core.remove();
                }
                Some(wanted.map(|()| {
                    // Equal definitions share their memory.
                    let applied = (number == definitions.applied)
                        .then(|| state.applied.replace(Arc::clone(assignment)));
                    (mem::replace(&mut state.wanted, Arc::clone(assignment)), applied)
                }))
            });
            match told {
                // Another call came in between: compare again.
                None => {}
                Some(Ok(before)) => {
                    drop(before);
                    return Ok(());
                }
                Some(Err(Refusal::Ended)) => return Err(UpdateError::Ended),
                Some(Err(Refusal::LowerDesiredState { present })) => {
                    let given = assignment.desired_state;
                    return Err(UpdateError::LowerDesiredState { present, given });
                }
            }
        }
    }

    /// Sets the retry policy and the deadlines of the task. A deadline that has begun is not
    /// moved.
    pub fn set_policy(&self, policy: impl Into<Arc<Policy>>) {
        let policy = policy.into();
        let before = self.shared.with(|state| state.core.set_policy(policy));
        drop(before);
    }

    /// Removes the task: the driver calls `remove` of the controller, then `close`, and ends.
    ///
    /// If it has no controller, it gets one first. It does not drop `Executor::controller` if that
    /// is in flight: set a [`Policy::controller_deadline`] if your executor may hang.
    ///
    /// If [`Policy::shutdown_before_removal`] is set, the task is shut down first. A later
    /// [`update`](Self::update) is an error, and a later `remove` does nothing.
    /// [`close`](Self::close) still ends the driver.
    pub fn remove(&self) {
        self.shared.request(|state| state.core.remove());
    }

    /// Ends the driver: it closes the controller and leaves the task as it is. Another driver can
    /// continue the task.
    ///
    /// Later calls of the handle have no effect.
    pub fn close(&self) {
        self.shared.request(|state| state.core.close());
    }

    /// The newest status of the task.
    pub fn status(&self) -> TaskStatus {
        self.shared.with(|state| state.core.task.status())
    }

    /// The logs of the task's controller, if it has any. You can read them during operations.
    pub fn logs(&self) -> Option<SharedLogs> {
        self.shared.logs()
    }

    /// The status of the task and the progress of the driver.
    pub fn snapshot(&self) -> Snapshot {
        self.shared.with(|state| Snapshot::of(state))
    }

    /// A stream of the newest status: the current one first, then again after each change. If the
    /// status changes faster than you read, you get only the newest. The stream ends with the
    /// driver.
    pub fn watch(&self) -> Watch<D, TaskStatus> {
        self.stream(Self::status)
    }

    /// A stream of the newest snapshot: the current one first, then again after each change. The
    /// stream ends with the driver.
    pub fn snapshots(&self) -> Watch<D, Snapshot> {
        self.stream(Self::snapshot)
    }

    fn stream<V>(&self, look: fn(&Self) -> V) -> Watch<D, V> {
        Watch { handle: self.clone(), watcher: Watcher::default(), last: None, look }
    }
}

impl<D> Clone for DriverHandle<D> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<D> fmt::Debug for DriverHandle<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverHandle").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// A stream of statuses or snapshots of a task; see [`DriverHandle::watch`] and
/// [`DriverHandle::snapshots`].
#[must_use = "a stream does nothing until it is polled"]
pub struct Watch<D, V> {
    handle: DriverHandle<D>,
    watcher: Watcher,
    last: Option<V>,
    look: fn(&DriverHandle<D>) -> V,
}

// Nothing in it is pinned.
impl<D, V> Unpin for Watch<D, V> {}

impl<D, V: Clone + PartialEq> Stream for Watch<D, V> {
    type Item = V;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<V>> {
        let Self { handle, watcher, last, look } = &mut *self;
        loop {
            // Read before the view is made, so that the last view comes before the end.
            let has_ended = handle.shared.has_ended();
            if handle.shared.steps.poll(watcher, context).is_pending() && !has_ended {
                return Poll::Pending;
            }
            let view = look(handle);
            if last.as_ref() != Some(&view) {
                *last = Some(view.clone());
                return Poll::Ready(Some(view));
            }
            if has_ended {
                return Poll::Ready(None);
            }
        }
    }
}

impl<D, V> Drop for Watch<D, V> {
    fn drop(&mut self) {
        self.handle.shared.steps.forget(&self.watcher);
    }
}

impl<D, V> fmt::Debug for Watch<D, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("id", &self.handle.id()).finish_non_exhaustive()
    }
}
