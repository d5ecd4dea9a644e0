//! The reporter: delivers the newest status of each task over a connection that may fail.

mod queue;

use super::panic::{discard, drop_caught, poll_caught, text_of};
use super::policy::Backoff;
use super::runtime::{self, Runtime, Sleep};
use super::sink::StatusSink;
use crate::lifecycle::TaskStatus;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::future::{Future, poll_fn};
use core::iter;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use queue::{Batch, StatusQueue};

/// The maximum number of statuses in one call.
const BATCH: usize = 1000;

/// A connection to a manager: sends the statuses of tasks, for example over a network.
///
/// In SwarmKit: `agent.StatusReporter` and the dispatcher's `UpdateTaskStatus`.
pub trait StatusReporter: Send {
    /// Sends these statuses, at most one of each task.
    ///
    /// The reporter makes one call at a time, and waits without a limit until it returns. If the
    /// call may hang, add a timeout, and return [`ReportError::Unreachable`] when it expires.
    ///
    /// # Errors
    ///
    /// Some or all statuses did not arrive; see [`ReportError`]. A panic counts as
    /// [`ReportError::Unreachable`].
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the statuses may have arrived or not. They are sent again.
    fn report(
        &mut self,
        updates: &[StatusUpdate],
    ) -> impl Future<Output = Result<(), ReportError>> + Send;
}

/// The newest status of a task, for a manager.
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StatusUpdate {
    /// The task's id.
    pub id: Arc<str>,
    /// Its status.
    #[cfg_attr(feature = "serde", serde(with = "crate::lifecycle::stored_status"))]
    pub status: TaskStatus,
}

/// Why a [`StatusReporter`] could not deliver statuses.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReportError {
    /// The connection failed. The reporter sends all statuses again, after its back-off.
    Unreachable(Box<dyn Error + Send + Sync>),
    /// The manager refused the whole call because of one or several statuses. The reporter sends
    /// smaller and smaller parts, to find them.
    Refused(Box<dyn Error + Send + Sync>),
    /// All statuses arrived, except for the ones with these indexes.
    Tasks(Vec<(usize, TaskReportError)>),
}

/// Why the manager did not accept one status.
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskReportError {
    /// The manager does not know the task any more. The status counts as delivered.
    UnknownTask,
    /// Any other reason. The reporter sends this status again, and does not delay the others.
    Refused(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for TaskReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownTask => f.write_str("the manager does not know the task"),
            Self::Refused(error) => write!(f, "the status was refused: {error}"),
        }
    }
}

impl Error for TaskReportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Refused(error) => error.source(),
            Self::UnknownTask => None,
        }
    }
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "statuses did not arrive: {error}"),
            Self::Refused(error) => write!(f, "statuses were refused: {error}"),
            Self::Tasks(tasks) => write!(f, "{} statuses were refused", tasks.len()),
        }
    }
}

impl Error for ReportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable(error) | Self::Refused(error) => error.source(),
            Self::Tasks(_) => None,
        }
    }
}

/// Delivers the newest status of each task to a manager, over a connection that may fail.
///
/// It sends batches and retries them until they have arrived. It never sends a lower state after
/// a higher one. Spawn [`run`](Self::run), and pass [`handle`](Self::handle) to a worker or a
/// driver as its [sink](StatusSink).
///
/// ```
/// use futures::SinkExt;
/// use futures::channel::mpsc;
/// use onward::agent::reporter::{ReportError, StatusUpdate};
/// use onward::agent::{Reporter, StatusReporter, StatusSink, TokioRuntime};
/// use onward::{TaskState, TaskStatus};
/// use std::sync::Arc;
///
/// /// A connection to a manager: here a channel.
/// struct Manager(mpsc::Sender<Vec<StatusUpdate>>);
///
/// impl StatusReporter for Manager {
///     async fn report(&mut self, updates: &[StatusUpdate]) -> Result<(), ReportError> {
///         let sent = self.0.send(updates.to_vec()).await;
///         sent.map_err(|error| ReportError::Unreachable(error.into()))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), mpsc::TryRecvError> {
/// let (sender, mut receiver) = mpsc::channel(8);
/// let mut reporter = Reporter::new(Manager(sender), Arc::new(TokioRuntime::current()));
/// let sink = reporter.handle();
/// let delivering = tokio::spawn(async move { reporter.run().await });
///
/// sink.changed("web.1", TaskStatus::new(TaskState::Starting));
/// sink.changed("web.1", TaskStatus::new(TaskState::Running));
/// while sink.pending() > 0 {
///     tokio::task::yield_now().await;
/// }
/// assert_eq!(receiver.try_recv()?[0].status.state, TaskState::Running);
/// # delivering.abort();
/// # Ok(())
/// # }
/// ```
///
/// In SwarmKit: `statusReporter` (`agent/reporter.go`).
pub struct Reporter<R> {
    shared: Arc<StatusQueue>,
    upstream: R,
    runtime: Arc<dyn Runtime>,
    /// The last reading of the runtime's clock.
    now: Duration,
    backoff: Backoff,
}

impl<R: StatusReporter> Reporter<R> {
    /// A reporter with the default [`Backoff`].
    pub fn new(upstream: R, runtime: Arc<dyn Runtime>) -> Self {
        let (now, backoff) = (Duration::ZERO, Backoff::default());
        Self { shared: Arc::default(), upstream, runtime, now, backoff }
    }

    /// Sets the delays between attempts.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// A handle of this reporter: the sink for a worker or a driver.
    pub fn handle(&self) -> ReporterHandle {
        ReporterHandle(Arc::clone(&self.shared))
    }

    /// Delivers statuses as they come. It never returns.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, nothing is lost. If you then call it again, it sends the batch that
    /// was in flight once more.
    pub async fn run(&mut self) {
        loop {
            self.deliver().await;
            self.wait().await;
        }
    }

    /// Delivers all statuses that wait, until a deadline on the clock of the runtime. For example,
    /// `runtime.now() + Duration::from_secs(5)`. Call it at the end of an agent.
    ///
    /// First it sends every status once, in batches, even during a back-off. If a batch fails, it
    /// continues with the next one at once. Then it works like [`run`](Self::run): it retries
    /// after the back-off, and sends new statuses. It returns when no status waits.
    ///
    /// When the deadline expires, it drops the call in flight. Batches that were never sent are
    /// still tried: each call is polled once, and dropped if it is not ready. So `flush` does not
    /// wait after the deadline.
    ///
    /// # Errors
    ///
    /// The statuses that did not arrive. If a call was dropped, its statuses are among them,
    /// although they may have arrived.
    ///
    /// # Cancel safety
    ///
    /// If you drop its future, nothing is lost. You can call it again.
    pub async fn flush(&mut self, until: Duration) -> Result<(), Vec<StatusUpdate>> {
        let mut late = Sleep::until(&*self.runtime, until);
        let mut is_late = false;
        let mut is_late = |context: &mut Context<'_>| {
            is_late = is_late || Pin::new(&mut late).poll(context).is_ready();
            is_late
        };
        self.try_each(&mut is_late).await;
        let shared = Arc::clone(&self.shared);
        let mut retrying = pin!(self.deliver_before(until));
        poll_fn(|context| {
            if retrying.as_mut().poll(context).is_ready() || is_late(context) {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
        if shared.is_empty() { Ok(()) } else { Err(shared.pending()) }
    }

    /// Sends every status that waits once. After the deadline, each call is polled once.
    async fn try_each(&mut self, is_late: &mut impl FnMut(&mut Context<'_>) -> bool) {
        let mut is_reachable = true;
        let mut round = self.shared.hurry();
        while let Some(batch) = self.shared.next_of(&mut round, BATCH) {
            let mut reporting = pin!(self.report(&batch));
            poll_fn(|context| match reporting.as_mut().poll(context) {
                Poll::Ready(is_delivered) => {
                    is_reachable = is_delivered;
                    Poll::Ready(())
                }
                Poll::Pending if is_late(context) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            })
            .await;
        }
        if !is_reachable {
            let now = self.read_clock();
            self.shared.unreachable(now, &self.backoff);
        }
    }

    /// Delivers statuses until none waits, or until a time.
    async fn deliver_before(&mut self, until: Duration) {
        while !self.shared.is_empty() {
            let now = self.read_clock();
            if now >= until {
                return;
            }
            let batch = self.shared.due(now, BATCH);
            if batch.updates.is_empty() {
                self.wait().await;
            } else {
                self.attempt(&batch).await;
            }
        }
    }

    /// Sends all statuses that are due.
    async fn deliver(&mut self) {
        loop {
            let now = self.read_clock();
            let batch = self.shared.due(now, BATCH);
            if batch.updates.is_empty() {
                return;
            }
            self.attempt(&batch).await;
        }
    }

    /// Sends a batch. If the connection fails, the back-off begins.
    async fn attempt(&mut self, batch: &Batch) {
        if !self.report(batch).await {
            let now = self.read_clock();
            self.shared.unreachable(now, &self.backoff);
        }
    }

    /// Sends a batch, in parts if the manager refuses it. Returns whether the manager was
    /// reachable.
    async fn report(&mut self, batch: &Batch) -> bool {
        let mut parts: Vec<_> = iter::once(0..batch.updates.len()).collect();
        while let Some(part) = parts.pop() {
            let Some(updates) = batch.updates.get(part.clone()) else { continue };
            let reported = match contained(&mut self.upstream, updates).await {
                Err(ReportError::Refused(error)) if updates.len() == 1 => {
                    Err(ReportError::Tasks(vec![(0, TaskReportError::Refused(error))]))
                }
                reported => reported,
            };
            match reported {
                Ok(()) => self.shared.delivered(batch, part),
                Err(ReportError::Unreachable(error)) => {
                    tracing::warn!(error = text_of(&error), "reporter cannot reach the manager");
                    discard("error", error);
                    return false;
                }
                Err(ReportError::Refused(_)) => {
                    let middle = part.start + updates.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
                Err(ReportError::Tasks(failed)) => {
                    let failed: BTreeMap<usize, _> = failed.into_iter().collect();
                    for index in 0..updates.len() {
                        let at = part.start + index;
                        match failed.get(&index) {
                            Some(TaskReportError::Refused(error)) => {
                                self.refused(batch, at, &**error);
                            }
                            Some(TaskReportError::UnknownTask) | None => {
                                self.shared.delivered(batch, at..at + 1);
                            }
                        }
                    }
                }
            }
        }
        true
    }

    fn refused(&mut self, batch: &Batch, index: usize, error: &(dyn Error + Send + Sync)) {
        if let Some(update) = batch.updates.get(index) {
            tracing::warn!(
                task.id = &*update.id,
                error = text_of(&error),
                "manager refused the status"
            );
        }
        let now = self.read_clock();
        self.shared.refused(batch, index, now, &self.backoff);
    }

    fn read_clock(&mut self) -> Duration {
        self.now = runtime::now(&*self.runtime, self.now);
        self.now
    }

    /// Waits until a status is due.
    async fn wait(&mut self) {
        let Self { shared, runtime, now, .. } = self;
        let mut watching = shared.changes.watch();
        let mut sleep = None;
        poll_fn(|context| {
            // Registered first: later changes wake it.
            while watching.poll(context).is_ready() {}
            let Some(due) = shared.next_due() else { return Poll::Pending };
            *now = runtime::now(&**runtime, *now);
            if due <= *now {
                return Poll::Ready(());
            }
            // The sleep need not be replaced: a new status is due at once, or after the same
            // back-off.
            let sleep = sleep.get_or_insert_with(|| (due, Sleep::until(&**runtime, due)));
            Pin::new(&mut sleep.1).poll(context).map(|()| *now = sleep.0.max(*now))
        })
        .await;
    }
}

/// Calls `report`, and makes an error of its panic.
async fn contained<R: StatusReporter>(
    upstream: &mut R,
    updates: &[StatusUpdate],
) -> Result<(), ReportError> {
    let mut call = pin!(Some(async { upstream.report(updates).await }));
    let reported = poll_fn(|context| match call.as_mut().as_pin_mut() {
        Some(call) => poll_caught(call, context),
        None => Poll::Pending,
    });
    let reported = reported.await;
    if let Err(panic) = drop_caught(call) {
        tracing::error!(%panic, "reporter panicked when a call was dropped");
    }
    match reported {
        Ok(reported) => reported,
        Err(panic) => {
            let error = panic.of("reporter").to_string();
            Err(ReportError::Unreachable(error.into()))
        }
    }
}

impl<R> fmt::Debug for Reporter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter").field("pending", &self.shared.len()).finish_non_exhaustive()
    }
}

/// The sink of a [`Reporter`]: queues the statuses that the reporter delivers. It is cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct ReporterHandle(Arc<StatusQueue>);

impl ReporterHandle {
    /// The number of statuses that were not delivered yet.
    pub fn pending(&self) -> usize {
        self.0.len()
    }
}

impl StatusSink for ReporterHandle {
    fn changed(&self, id: &str, status: TaskStatus) {
        self.0.put(id, status);
    }

    /// Forgets the task when its last status has arrived.
    fn removed(&self, id: &str) {
        self.0.removed(id);
    }
}
