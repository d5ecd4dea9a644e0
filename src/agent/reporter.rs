//! Delivers statuses to whoever is in charge, over a connection that may fail.

mod queue;

use super::driver::StatusSink;
use super::policy::Policy;
use super::timer::Timer;
use crate::lifecycle::TaskStatus;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::future::{Future, poll_fn};
use core::iter;
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;
use futures::future::{Either, select};
use queue::{Batch, Shared};

/// How many statuses go into one call, at most.
const BATCH: usize = 1000;

/// Takes the statuses of an agent's tasks to whoever is in charge of them: over a
/// network, into a log.
///
/// In SwarmKit: `agent.StatusReporter` and the dispatcher's `UpdateTaskStatus`.
pub trait StatusReporter: Send {
    /// Reports these statuses, of one task each.
    ///
    /// It is waited for as long as it takes, and nothing else is reported meanwhile: a
    /// call that may hang needs a time-out of its own, and is
    /// [`Unreachable`](ReportError::Unreachable) after it.
    ///
    /// # Errors
    ///
    /// What became of them, as far as it is known: see [`ReportError`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, they may have arrived or not; they are reported again.
    fn report(
        &mut self,
        updates: &[StatusUpdate],
    ) -> impl Future<Output = Result<(), ReportError>> + Send;
}

/// The newest status of a task.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct StatusUpdate {
    /// The task's id.
    pub id: Arc<str>,
    /// Its status.
    pub status: TaskStatus,
}

/// What became of statuses that could not all be delivered.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReportError {
    /// Nothing arrived: the connection failed. All of them are reported again.
    Unreachable(Box<dyn Error + Send + Sync>),
    /// The call was refused because of one or several of them, and it is not known
    /// which: they are found by reporting ever smaller parts.
    Refused(Box<dyn Error + Send + Sync>),
    /// All arrived but these, by their index.
    Tasks(Vec<(usize, TaskReportError)>),
}

/// Why one status was not taken.
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskReportError {
    /// Nobody knows the task any more. That is as good as delivered.
    UnknownTask,
    /// Anything else: this one is reported again, and holds up no other.
    Refused(Box<dyn Error + Send + Sync>),
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "statuses did not arrive: {error}"),
            Self::Refused(error) => write!(f, "statuses were refused: {error}"),
            Self::Tasks(tasks) => write!(f, "{} statuses were not taken", tasks.len()),
        }
    }
}

impl Error for ReportError {}

/// Delivers the newest status of every task: in batches, again and again until it
/// has arrived, and never a lower state after a higher one.
///
/// [`handle`](Self::handle) takes the statuses and is the
/// [sink](StatusSink) of drivers; [`run`](Self::run) delivers them.
///
/// ```
/// use futures::SinkExt;
/// use futures::channel::mpsc;
/// use onward::agent::{
///     Policy, ReportError, Reporter, StatusReporter, StatusSink, StatusUpdate, TokioTimer,
/// };
/// use onward::{TaskState, TaskStatus};
/// use std::sync::Arc;
///
/// /// Whoever is in charge is at the other end of a channel.
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
/// let (manager, mut told) = mpsc::channel(8);
/// let policy = Arc::new(Policy::default());
/// let mut reporter = Reporter::new(Manager(manager), TokioTimer::new(), policy);
/// let sink = reporter.handle();
/// let delivering = tokio::spawn(async move { reporter.run().await });
///
/// sink.changed("web.1", TaskStatus::new(TaskState::Starting));
/// sink.changed("web.1", TaskStatus::new(TaskState::Running));
/// while sink.pending() > 0 {
///     tokio::task::yield_now().await;
/// }
/// assert_eq!(told.try_recv()?[0].status.state, TaskState::Running);
/// # delivering.abort();
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Reporter<R, T> {
    shared: Arc<Shared>,
    upstream: R,
    timer: T,
    policy: Arc<Policy>,
}

impl<R: StatusReporter, T: Timer> Reporter<R, T> {
    /// A reporter that tries again as the policy's back-off says.
    pub fn new(upstream: R, timer: T, policy: Arc<Policy>) -> Self {
        Self { shared: Arc::default(), upstream, timer, policy }
    }

    /// What takes the statuses. It is cheap to clone.
    pub fn handle(&self) -> ReporterHandle {
        ReporterHandle(Arc::clone(&self.shared))
    }

    /// Delivers statuses as they come, for ever.
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing is lost; it can be called again. What was under way is
    /// delivered once more.
    pub async fn run(&mut self) {
        loop {
            self.deliver().await;
            self.wait().await;
        }
    }

    /// Delivers what there is, until a moment in the timer's time (`timer.now()` and so
    /// long): the end of an agent. Gives back what could not be delivered.
    ///
    /// # Errors
    ///
    /// The statuses that have not arrived by then.
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing is lost; it can be called again.
    pub async fn flush(&mut self, until: Duration) -> Result<(), Vec<StatusUpdate>> {
        let shared = Arc::clone(&self.shared);
        let timer = &self.timer;
        let late = pin!(timer.sleep_until(until));
        let Self { upstream, policy, .. } = self;
        let delivered = pin!(async {
            loop {
                deliver(&shared, upstream, timer, policy).await;
                if shared.is_empty() {
                    return;
                }
                wait(&shared, timer).await;
            }
        });
        match select(delivered, late).await {
            Either::Left(_) => Ok(()),
            Either::Right(_) => Err(shared.pending()),
        }
    }

    async fn deliver(&mut self) {
        deliver(&self.shared, &mut self.upstream, &self.timer, &self.policy).await;
    }

    async fn wait(&self) {
        wait(&self.shared, &self.timer).await;
    }
}

/// Reports everything that is due.
async fn deliver<R: StatusReporter>(
    shared: &Shared,
    upstream: &mut R,
    timer: &impl Timer,
    policy: &Policy,
) {
    loop {
        let batch = shared.due(timer.now(), BATCH);
        if batch.updates.is_empty() {
            return;
        }
        report(shared, upstream, timer, policy, &batch).await;
    }
}

/// Reports a batch, in parts where it must be, as long as the connection holds.
async fn report<R: StatusReporter>(
    shared: &Shared,
    upstream: &mut R,
    timer: &impl Timer,
    policy: &Policy,
    batch: &Batch,
) {
    let mut parts: Vec<_> = iter::once(0..batch.updates.len()).collect();
    while let Some(part) = parts.pop() {
        let Some(updates) = batch.updates.get(part.clone()) else { continue };
        let told = match upstream.report(updates).await {
            Err(ReportError::Refused(error)) if updates.len() == 1 => {
                Err(ReportError::Tasks(vec![(0, TaskReportError::Refused(error))]))
            }
            told => told,
        };
        match told {
            Ok(()) => shared.delivered(batch, part),
            Err(ReportError::Unreachable(error)) => {
                tracing::warn!(%error, "statuses did not arrive");
                shared.unreachable(timer.now(), policy);
                return;
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
                            shared.refused(batch, at, &**error, timer.now(), policy);
                        }
                        Some(TaskReportError::UnknownTask) | None => {
                            shared.delivered(batch, at..at + 1);
                        }
                    }
                }
            }
        }
    }
}

/// Waits until something is due.
async fn wait(shared: &Shared, timer: &impl Timer) {
    let mut sleep: Option<Pin<Box<_>>> = None;
    poll_fn(|context| {
        shared.reporter.register(context.waker());
        let Some(due) = shared.next_due() else { return Poll::Pending };
        if due <= timer.now() {
            return Poll::Ready(());
        }
        // What comes meanwhile is due at once, or not before this either: the connection
        // has failed, and something waits for it already.
        sleep.get_or_insert_with(|| Box::pin(timer.sleep_until(due))).as_mut().poll(context)
    })
    .await;
}

/// Takes the statuses that a [`Reporter`] delivers.
#[derive(Clone, Debug)]
pub struct ReporterHandle(Arc<Shared>);

impl ReporterHandle {
    /// How many statuses are still to be delivered.
    pub fn pending(&self) -> usize {
        self.0.len()
    }
}

impl StatusSink for ReporterHandle {
    fn changed(&self, id: &str, status: TaskStatus) {
        self.0.put(id, status);
    }

    /// The task is forgotten when its last status has arrived.
    fn gone(&self, id: &str) {
        self.0.gone(id);
    }
}
