//! `ScriptedReporter`: a connection to a manager, with scripted replies.

use super::time::{Turn, VirtualTime};
use crate::agent::StatusReporter;
use crate::agent::reporter::{ReportError, StatusUpdate, TaskReportError};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::pending;
use core::mem;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The reply of a [`ScriptedReporter`] to one call.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Reply {
    /// The call succeeds, except for tasks with another [`Delivery`].
    #[default]
    Arrives,
    /// Like `Arrives`, but with these deliveries for these tasks.
    ArrivesExcept(Vec<(String, Delivery)>),
    /// Like `Arrives`, after this much virtual time.
    ArrivesAfter(Duration),
    /// The call fails: the connection is lost. No status arrives.
    Unreachable,
    /// The call fails: it is refused as a whole, without naming a task. No status arrives.
    Refused,
    /// The call never returns. No status arrives.
    Hangs,
}

/// Whether and how the statuses of one task arrive.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Delivery {
    /// They arrive.
    #[default]
    Arrives,
    /// They are refused, because the receiver does not know the task.
    UnknownTask,
    /// They are refused. Statuses of other tasks in the same call arrive.
    Refused,
    /// They make the whole call fail.
    FailsCall,
}

/// A [`StatusReporter`] whose replies a test chooses.
///
/// Every status arrives, unless you choose another reply. Clones are the same connection.
///
/// ```
/// use onward::agent::{Reporter, StatusSink};
/// use onward::testing::{Delivery, Reply, ScriptedReporter, VirtualPool, VirtualTime};
/// use onward::{TaskState, TaskStatus};
/// use std::sync::Arc;
///
/// let pool = VirtualPool::new(VirtualTime::new(), 0);
/// let upstream = ScriptedReporter::new(pool.time().clone());
/// upstream.reply([Reply::Unreachable]);
/// upstream.set_delivery("b", Delivery::UnknownTask);
///
/// let mut reporter = Reporter::new(upstream.clone(), Arc::new(pool.clone()));
/// for id in ["a", "b"] {
///     reporter.handle().changed(id, TaskStatus::new(TaskState::Running));
/// }
/// assert!(pool.run_until(reporter.run()).is_none(), "`run` never returns");
/// let arrived = upstream.take_arrived();
/// assert_eq!((arrived.len(), &*arrived[0].id), (1, "a"));
/// assert_eq!(upstream.take_calls().len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct ScriptedReporter {
    time: VirtualTime,
    shared: Arc<Mutex<Upstream>>,
}

/// The other end of the connection: its replies, and what it received.
#[derive(Default, Debug)]
struct Upstream {
    replies: VecDeque<Reply>,
    deliveries: BTreeMap<String, Delivery>,
    calls: Vec<(Duration, Vec<StatusUpdate>)>,
    arrived: Vec<StatusUpdate>,
}

impl ScriptedReporter {
    /// A connection in this virtual time.
    pub fn new(time: VirtualTime) -> Self {
        Self { time, shared: Arc::default() }
    }

    /// Appends the replies to the next calls.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        let replies: Vec<_> = replies.into_iter().collect();
        self.lock().replies.extend(replies);
    }

    /// Sets whether and how the statuses of this task arrive from now on. A reply that names the
    /// task takes precedence.
    pub fn set_delivery(&self, id: impl Into<String>, delivery: Delivery) {
        let id = id.into();
        self.lock().deliveries.insert(id, delivery);
    }

    /// The calls since the last `take_calls`, each with its time.
    pub fn take_calls(&self) -> Vec<(Duration, Vec<StatusUpdate>)> {
        mem::take(&mut self.lock().calls)
    }

    /// The statuses that arrived since the last `take_arrived`, in their order.
    pub fn take_arrived(&self) -> Vec<StatusUpdate> {
        mem::take(&mut self.lock().arrived)
    }

    fn lock(&self) -> MutexGuard<'_, Upstream> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StatusReporter for ScriptedReporter {
    async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
        let reply = {
            let mut shared = self.lock();
            shared.calls.push((self.time.now(), updates.to_vec()));
            shared.replies.pop_front().unwrap_or_default()
        };
        let mut exceptions = Vec::new();
        match reply {
            Reply::Arrives => {}
            Reply::ArrivesExcept(named) => exceptions = named,
            Reply::ArrivesAfter(takes) => {
                let until = self.time.now().saturating_add(takes);
                self.time.sleep_until(until, Turn::Controller).await;
            }
            Reply::Unreachable => return Err(ReportError::Unreachable("unreachable".into())),
            Reply::Refused => return Err(ReportError::Refused("refused".into())),
            Reply::Hangs => pending().await,
        }
        self.lock().arrive(updates, &exceptions)
    }
}

impl Upstream {
    fn arrive(
        &mut self,
        updates: &[StatusUpdate],
        exceptions: &[(String, Delivery)],
    ) -> Result<(), ReportError> {
        let delivery = |update: &StatusUpdate| {
            let named =
                exceptions.iter().find(|(id, _)| **id == *update.id).map(|(_, delivery)| *delivery);
            named.or(self.deliveries.get(&*update.id).copied()).unwrap_or_default()
        };
        if updates.iter().any(|update| delivery(update) == Delivery::FailsCall) {
            return Err(ReportError::Refused("one status makes the whole call fail".into()));
        }
        let mut failed = Vec::new();
        for (index, update) in updates.iter().enumerate() {
            match delivery(update) {
                Delivery::UnknownTask => failed.push((index, TaskReportError::UnknownTask)),
                Delivery::Refused => {
                    failed.push((index, TaskReportError::Refused("refused".into())));
                }
                Delivery::Arrives | Delivery::FailsCall => self.arrived.push(update.clone()),
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(ReportError::Tasks(failed)) }
    }
}
