//! A connection that does what a script says.

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

/// What becomes of one call.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Reply {
    /// It arrives, as far as its tasks are [taken](Taken).
    #[default]
    Arrives,
    /// It arrives, but the statuses of these tasks are taken in this way.
    ArrivesBut(Vec<(String, Taken)>),
    /// It arrives after so long.
    ArrivesAfter(Duration),
    /// Nothing arrives: the connection has failed.
    Unreachable,
    /// Nothing is taken, and nobody says because of which task.
    Refused,
    /// There is no answer, ever, and nothing has arrived.
    Hangs,
}

/// How the statuses of one task are taken.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Taken {
    /// They arrive.
    #[default]
    Taken,
    /// Nobody knows the task.
    Unknown,
    /// They are refused, and hold up no others.
    Refused,
    /// A call with one of them is refused whole.
    Spoils,
}

/// Takes statuses as it is told to. Everything arrives unless something else is said.
/// Clones are the same connection.
///
/// ```
/// use onward::agent::{Reporter, StatusSink};
/// use onward::testing::{Reply, ScriptedReporter, Taken, VirtualPool, VirtualTime};
/// use onward::{TaskState, TaskStatus};
/// use std::sync::Arc;
///
/// let pool = VirtualPool::new(VirtualTime::new(), 0);
/// let upstream = ScriptedReporter::new(pool.time().clone());
/// upstream.reply([Reply::Unreachable]);
/// upstream.set_taken("b", Taken::Unknown);
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

/// What the other end of the connection replies, and what it was sent.
#[derive(Default, Debug)]
struct Upstream {
    replies: VecDeque<Reply>,
    taken: BTreeMap<String, Taken>,
    calls: Vec<(Duration, Vec<StatusUpdate>)>,
    arrived: Vec<StatusUpdate>,
}

impl ScriptedReporter {
    /// A connection in this time.
    pub fn new(time: VirtualTime) -> Self {
        Self { time, shared: Arc::default() }
    }

    /// Says what becomes of the next calls, after what was said before.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        let replies: Vec<_> = replies.into_iter().collect();
        self.lock().replies.extend(replies);
    }

    /// Says how the statuses of the task of this id are taken from now on, where a reply
    /// does not say it.
    pub fn set_taken(&self, id: impl Into<String>, taken: Taken) {
        let id = id.into();
        self.lock().taken.insert(id, taken);
    }

    /// What was called since this was asked last, and when.
    pub fn take_calls(&self) -> Vec<(Duration, Vec<StatusUpdate>)> {
        mem::take(&mut self.lock().calls)
    }

    /// What has arrived since this was asked last, in its order.
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
        let mut but = Vec::new();
        match reply {
            Reply::Arrives => {}
            Reply::ArrivesBut(those) => but = those,
            Reply::ArrivesAfter(takes) => {
                let until = self.time.now().saturating_add(takes);
                self.time.sleep_until(until, Turn::Controller).await;
            }
            Reply::Unreachable => return Err(ReportError::Unreachable("unreachable".into())),
            Reply::Refused => return Err(ReportError::Refused("refused".into())),
            Reply::Hangs => pending().await,
        }
        self.lock().arrive(updates, &but)
    }
}

impl Upstream {
    fn arrive(
        &mut self,
        updates: &[StatusUpdate],
        but: &[(String, Taken)],
    ) -> Result<(), ReportError> {
        let taken = |update: &StatusUpdate| {
            let said = but.iter().find(|(id, _)| **id == *update.id).map(|(_, taken)| *taken);
            said.or(self.taken.get(&*update.id).copied()).unwrap_or_default()
        };
        if updates.iter().any(|update| taken(update) == Taken::Spoils) {
            return Err(ReportError::Refused("one of them is spoilt".into()));
        }
        let mut failed = Vec::new();
        for (index, update) in updates.iter().enumerate() {
            match taken(update) {
                Taken::Unknown => failed.push((index, TaskReportError::UnknownTask)),
                Taken::Refused => failed.push((index, TaskReportError::Refused("refused".into()))),
                Taken::Taken | Taken::Spoils => self.arrived.push(update.clone()),
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(ReportError::Tasks(failed)) }
    }
}
