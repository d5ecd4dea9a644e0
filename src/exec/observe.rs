//! `ObservedExecutor`: measures and counts the calls of an executor, for metrics.

use super::call::Call;
use super::controller::{Controller, Inspected, Inspection};
use super::error::{ControllerError, ErrorKind};
use super::executor::{Assignment, Executor};
use super::logs::SharedLogs;
use super::progress::ProgressReporter;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

/// Observes the calls of an [`ObservedExecutor`] and its controllers, for example to
/// measure their duration.
///
/// Its methods run in the code that polls or drops the call. They must return soon and
/// must not panic.
pub trait CallObserver: Send + Sync {
    /// A value that is kept from the beginning of a call to its end, for example the time
    /// of the beginning.
    type Begun: Send;

    /// Called when a call begins. `task` is the task's id. [`Call::List`] has no task.
    fn begun(&self, call: Call, task: Option<&str>) -> Self::Begun;

    /// Called when a call has ended: once for each call that has begun, unless the call's
    /// future is leaked.
    fn ended(&self, call: Call, task: Option<&str>, begun: Self::Begun, outcome: CallOutcome<'_>);
}

/// How a call of an executor or a controller ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum CallOutcome<'a> {
    /// It succeeded. [Already prepared](ControllerError::already_prepared) is success of
    /// `prepare`, and [already started](ControllerError::already_started) of `start`.
    Succeeded,
    /// It failed and can be called again: the error is temporary, or an interruption.
    Temporary(&'a ControllerError),
    /// It failed for good. For an inspection: one of its parts failed.
    Failed(&'a ControllerError),
    /// Its future was dropped before it returned, for example because a deadline expired.
    Dropped,
    /// It panicked.
    Panicked,
}

impl<'a> CallOutcome<'a> {
    /// The name of the outcome for a metric label: `ok`, `temporary`, `error`, `dropped`
    /// or `panicked`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "ok",
            Self::Temporary(_) => "temporary",
            Self::Failed(_) => "error",
            Self::Dropped => "dropped",
            Self::Panicked => "panicked",
        }
    }

    fn of_error(call: Call, error: &'a ControllerError) -> Self {
        match (call, error.kind()) {
            (Call::Prepare, ErrorKind::AlreadyPrepared)
            | (Call::Start, ErrorKind::AlreadyStarted) => Self::Succeeded,
            (_, ErrorKind::Interrupted) => Self::Temporary(error),
            _ if error.is_temporary() => Self::Temporary(error),
            _ => Self::Failed(error),
        }
    }
}

/// The return type of a call.
trait Returned {
    fn outcome(&self, call: Call) -> CallOutcome<'_>;
}

impl<T> Returned for Result<T, ControllerError> {
    fn outcome(&self, call: Call) -> CallOutcome<'_> {
        self.as_ref()
            .map_or_else(|error| CallOutcome::of_error(call, error), |_| CallOutcome::Succeeded)
    }
}

impl Returned for Inspection {
    fn outcome(&self, call: Call) -> CallOutcome<'_> {
        match (&self.container_status, &self.port_status) {
            (Inspected::Failed(error), _) | (_, Inspected::Failed(error)) => {
                CallOutcome::of_error(call, error)
            }
            _ => CallOutcome::Succeeded,
        }
    }
}

/// A call in progress.
struct PendingCall<'a, O: CallObserver> {
    observer: &'a O,
    call: Call,
    task: Option<&'a str>,
    /// `None` after the end.
    begun: Option<O::Begun>,
    /// Whether the call's future is being polled. If the call is dropped then, it has
    /// panicked.
    is_polled: bool,
}

impl<'a, O: CallObserver> PendingCall<'a, O> {
    fn new(observer: &'a O, call: Call, task: Option<&'a str>) -> Self {
        let begun = Some(observer.begun(call, task));
        Self { observer, call, task, begun, is_polled: true }
    }

    fn poll<T>(&mut self, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
        self.is_polled = true;
        let polled = poll();
        self.is_polled = false;
        polled
    }

    fn end(&mut self, outcome: CallOutcome<'_>) {
        if let Some(begun) = self.begun.take() {
            self.observer.ended(self.call, self.task, begun, outcome);
        }
    }
}

impl<O: CallObserver> Drop for PendingCall<'_, O> {
    fn drop(&mut self) {
        self.end(if self.is_polled { CallOutcome::Panicked } else { CallOutcome::Dropped });
    }
}

/// Awaits a call and reports its beginning and end to the observer.
///
/// It is a macro because a function would take the future by value and store it twice.
macro_rules! observed {
    ($observer:expr, $call:expr, $task:expr, $future:expr) => {{
        let mut guard = PendingCall::new($observer, $call, $task);
        let mut future = pin!($future);
        let returned = poll_fn(|context| guard.poll(|| future.as_mut().poll(context))).await;
        guard.end(returned.outcome($call));
        returned
    }};
}

/// An executor that forwards all calls to another one, and reports them to a
/// [`CallObserver`].
///
/// The calls of its controllers are reported too.
///
/// ```
/// use onward::exec::{Call, CallObserver, CallOutcome, ObservedExecutor};
/// use onward::testing::{Script, ScriptedExecutor};
/// use std::time::Instant;
///
/// /// Prints how long each call has taken.
/// struct Stopwatch;
///
/// impl CallObserver for Stopwatch {
///     type Begun = Instant;
///
///     fn begun(&self, _: Call, _: Option<&str>) -> Instant {
///         Instant::now()
///     }
///     fn ended(&self, call: Call, task: Option<&str>, begun: Instant, outcome: CallOutcome<'_>) {
///         let (task, outcome) = (task.unwrap_or_default(), outcome.as_str());
///         println!("{task} {call} {outcome} {:?}", begun.elapsed());
///     }
/// }
///
/// // Your executor.
/// let executor = ScriptedExecutor::<()>::new(|_| Script::new());
/// let executor = ObservedExecutor::new(executor, Stopwatch);
/// # _ = executor;
/// ```
pub struct ObservedExecutor<E, O> {
    executor: E,
    observer: Arc<O>,
}

impl<E, O> ObservedExecutor<E, O> {
    /// Wraps `executor`, and reports its calls to `observer`.
    pub fn new(executor: E, observer: impl Into<Arc<O>>) -> Self {
        Self { executor, observer: observer.into() }
    }
}

impl<E: Clone, O> Clone for ObservedExecutor<E, O> {
    fn clone(&self) -> Self {
        Self { executor: self.executor.clone(), observer: Arc::clone(&self.observer) }
    }
}

impl<E: fmt::Debug, O> fmt::Debug for ObservedExecutor<E, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ObservedExecutor");
        debug.field("executor", &self.executor).finish_non_exhaustive()
    }
}

impl<E: Executor, O: CallObserver> Executor for ObservedExecutor<E, O> {
    type Definition = E::Definition;
    type Controller = ObservedController<E::Controller, O>;

    async fn controller(
        &self,
        assignment: &Assignment<E::Definition>,
    ) -> Result<Self::Controller, ControllerError> {
        let Self { executor, observer } = self;
        let task = Some(&*assignment.id);
        let made = observed!(&**observer, Call::Controller, task, executor.controller(assignment));
        made.map(|controller| {
            let (task, observer) = (Arc::clone(&assignment.id), Arc::clone(observer));
            ObservedController { controller, task, observer }
        })
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        observed!(&*self.observer, Call::List, None, self.executor.list())
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        observed!(&*self.observer, Call::Reconcile, Some(id), self.executor.reconcile(id))
    }
}

/// A controller whose calls are observed; see [`ObservedExecutor`].
pub struct ObservedController<C, O> {
    controller: C,
    task: Arc<str>,
    observer: Arc<O>,
}

impl<C: fmt::Debug, O> fmt::Debug for ObservedController<C, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ObservedController");
        debug.field("controller", &self.controller).finish_non_exhaustive()
    }
}

/// Calls the method of the inner controller.
macro_rules! call {
    ($self:ident, $call:expr, $method:ident($($argument:expr)?)) => {{
        let Self { controller, task, observer } = $self;
        observed!(&**observer, $call, Some(&**task), controller.$method($($argument)?))
    }};
}

impl<C: Controller, O: CallObserver> Controller for ObservedController<C, O> {
    type Definition = C::Definition;

    async fn update(&mut self, definition: &Self::Definition) -> Result<(), ControllerError> {
        call!(self, Call::Update, update(definition))
    }

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        call!(self, Call::Prepare, prepare())
    }

    async fn start(&mut self) -> Result<(), ControllerError> {
        call!(self, Call::Start, start())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        call!(self, Call::Wait, wait())
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        call!(self, Call::Shutdown, shutdown())
    }

    async fn terminate(&mut self) -> Result<(), ControllerError> {
        call!(self, Call::Terminate, terminate())
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        call!(self, Call::Remove, remove())
    }

    async fn close(&mut self) -> Result<(), ControllerError> {
        call!(self, Call::Close, close())
    }

    async fn inspect(&mut self) -> Inspection {
        call!(self, Call::Inspect, inspect())
    }

    fn set_progress(&mut self, progress: ProgressReporter) {
        self.controller.set_progress(progress);
    }

    fn logs(&self) -> Option<SharedLogs> {
        self.controller.logs()
    }
}
