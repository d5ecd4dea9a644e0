//! Scripted controllers and their executor, for tests of loops and agents.

use super::script::{Behavior, Outcome, Script};
use super::time::VirtualTime;
use super::trace::{CallEvent, Trace};
use crate::exec::{Assignment, Call, Controller, ControllerError, Executor, Inspected, Inspection};
use crate::lifecycle::ContainerStatus;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::pending;
use core::marker::PhantomData;
use std::panic::resume_unwind;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A controller that does nothing. It returns at once and allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum NoopController {
    /// Its workload exits with success when `wait` is called.
    #[default]
    Ends,
    /// Its workload runs until it is shut down or terminated.
    Runs,
}

impl Controller for NoopController {
    type Definition = ();

    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        match self {
            Self::Ends => Ok(()),
            Self::Runs => pending().await,
        }
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}

/// As an executor, it makes copies of itself.
impl Executor for NoopController {
    type Definition = ();
    type Controller = Self;

    async fn controller(&self, _: &Assignment<()>) -> Result<Self, ControllerError> {
        Ok(*self)
    }
}

/// A controller that follows a [`Script`] in [`VirtualTime`] and records its calls in a
/// [`Trace`].
///
/// A new one has its own time, its own trace, and the task id `t`. If a test has several
/// controllers, give all the same time and trace. A [`ScriptedExecutor`] makes them for a
/// driver.
///
/// ```
/// use core::time::Duration;
/// use onward::Controller;
/// use onward::testing::{Behavior, Call, Script, ScriptedController, VirtualPool, VirtualTime};
///
/// let pool = VirtualPool::new(VirtualTime::new(), 0);
/// let script = Script::new()
///     .with(Call::Start, [Behavior::succeeds().after(Duration::from_secs(2))])
///     .with(Call::Wait, [Behavior::fails("it crashed").after(Duration::from_secs(60))]);
/// let mut controller = ScriptedController::<()>::new(script).with_time(pool.time().clone());
///
/// pool.run_until(controller.start()).unwrap()?;
/// let error = pool.run_until(controller.wait()).unwrap().unwrap_err();
/// assert_eq!(error.to_string(), "it crashed");
/// let last = controller.trace().entries().pop().unwrap();
/// assert_eq!((last.call, last.at), (Call::Wait, Duration::from_secs(62)));
/// # Ok::<(), onward::ControllerError>(())
/// ```
pub struct ScriptedController<D = ()> {
    id: String,
    script: Arc<Script>,
    time: VirtualTime,
    trace: Trace,
    /// The number of calls of each operation.
    calls: BTreeMap<Call, usize>,
    definition: PhantomData<fn() -> D>,
}

impl<D> ScriptedController<D> {
    /// A controller with this script.
    pub fn new(script: impl Into<Arc<Script>>) -> Self {
        Self {
            id: "t".into(),
            script: script.into(),
            time: VirtualTime::new(),
            trace: Trace::new(),
            calls: BTreeMap::new(),
            definition: PhantomData,
        }
    }

    /// The same controller for the task with this id.
    #[must_use]
    pub fn with_id(self, id: impl Into<String>) -> Self {
        Self { id: id.into(), ..self }
    }

    /// The same controller in this virtual time.
    #[must_use]
    pub fn with_time(self, time: VirtualTime) -> Self {
        Self { time, ..self }
    }

    /// The same controller with this trace.
    #[must_use]
    pub fn with_trace(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    /// The trace of its calls.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    async fn call(&mut self, call: Call) -> Result<Inspection, ControllerError> {
        let number = self.calls.entry(call).or_default();
        let behavior = self.script.behavior(call, *number);
        *number += 1;
        perform(behavior, &self.id, call, &self.time, &self.trace).await
    }

    async fn operate(&mut self, call: Call) -> Result<(), ControllerError> {
        self.call(call).await.map(drop)
    }
}

/// Runs the behavior of a call, and records it in the trace.
async fn perform(
    behavior: Behavior,
    id: &str,
    call: Call,
    time: &VirtualTime,
    trace: &Trace,
) -> Result<Inspection, ControllerError> {
    let mut guard = PendingCall { id, call, time, trace, returned: false };
    guard.record(CallEvent::Begun);
    let outcome = behavior.run(time).await;
    guard.returned = true;
    match outcome {
        Outcome::Answer(answer) => {
            guard.record(CallEvent::of(&answer));
            answer
        }
        Outcome::Panic(text) => {
            guard.record(CallEvent::Panicked(text.clone().into_owned()));
            resume_unwind(Box::new(text.into_owned()))
        }
    }
}

/// A call in progress. If it is dropped, it records that.
struct PendingCall<'a> {
    id: &'a str,
    call: Call,
    time: &'a VirtualTime,
    trace: &'a Trace,
    returned: bool,
}

impl PendingCall<'_> {
    fn record(&self, event: CallEvent) {
        self.trace.record(self.time.now(), self.id, self.call, event);
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        if !self.returned {
            self.record(CallEvent::Dropped);
        }
    }
}

impl<D: Send + Sync + 'static> Controller for ScriptedController<D> {
    type Definition = D;

    async fn update(&mut self, _: &D) -> Result<(), ControllerError> {
        self.operate(Call::Update).await
    }
    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.operate(Call::Prepare).await
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        self.operate(Call::Start).await
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.operate(Call::Wait).await
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.operate(Call::Shutdown).await
    }
    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.operate(Call::Terminate).await
    }
    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.operate(Call::Remove).await
    }
    async fn close(&mut self) -> Result<(), ControllerError> {
        self.operate(Call::Close).await
    }
    async fn inspect(&mut self) -> Inspection {
        self.call(Call::Inspect).await.unwrap_or_else(|error| {
            let failed = Inspected::<ContainerStatus>::Failed(error.clone());
            Inspection::default()
                .with_container_status(failed)
                .with_port_status(Inspected::Failed(error))
        })
    }
}

impl<D> Default for ScriptedController<D> {
    /// A controller whose operations all succeed at once.
    fn default() -> Self {
        Self::new(Script::new())
    }
}

impl<D> fmt::Debug for ScriptedController<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedController").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An executor of [`ScriptedController`]s.
///
/// A function chooses the script of each assignment. Clones are the same executor.
///
/// The behaviors of [`Call::Controller`] in a script apply to the calls of
/// [`Executor::controller`] for this id: the first call, the second, and so on.
///
/// ```
/// use onward::exec::SystemClock;
/// use onward::testing::{Behavior, Call, Script, ScriptedExecutor};
/// use onward::{AnyTask, Assignment, TaskState, TaskStatus, resolve};
///
/// let executor = ScriptedExecutor::new(|assignment: &Assignment<u8>| match assignment.definition {
///     0 => Script::new().with(Call::Controller, [Behavior::fails("no such kind")]),
///     _ => Script::new(),
/// });
/// let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
/// let assignment = Assignment::new("t", 0);
/// # futures::executor::block_on(async {
/// assert!(resolve(&mut task, &assignment, &executor, &SystemClock).await.is_err());
/// # });
/// assert_eq!((task.state(), task.err()), (TaskState::Rejected, Some("no such kind")));
/// ```
pub struct ScriptedExecutor<D = ()> {
    time: VirtualTime,
    trace: Trace,
    shared: Arc<Scripts<D>>,
}

/// The function that chooses scripts, and the tasks that the executor knows.
struct Scripts<D> {
    script: Box<FindScript<D>>,
    known: Mutex<Known>,
}

type FindScript<D> = dyn Fn(&Assignment<D>) -> Script + Send + Sync;

#[derive(Default)]
struct Known {
    /// The number of calls of `controller` for each task.
    asked: BTreeMap<String, usize>,
    found: BTreeSet<String>,
}

impl<D> ScriptedExecutor<D> {
    /// An executor whose controllers follow the script that `script` returns for their
    /// assignment.
    pub fn new(script: impl Fn(&Assignment<D>) -> Script + Send + Sync + 'static) -> Self {
        let shared = Scripts { script: Box::new(script), known: Mutex::default() };
        Self { time: VirtualTime::new(), trace: Trace::new(), shared: Arc::new(shared) }
    }

    /// The same executor in this virtual time.
    #[must_use]
    pub fn with_time(self, time: VirtualTime) -> Self {
        Self { time, ..self }
    }

    /// The trace of the calls of the executor and its controllers.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Makes [`Executor::list`] return this id until it is reconciled.
    pub fn leave(&self, id: impl Into<String>) {
        let id = id.into();
        self.known().found.insert(id);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Clone + PartialEq + Send + Sync + 'static> Executor for ScriptedExecutor<D> {
    type Definition = D;
    type Controller = ScriptedController<D>;

    async fn controller(
        &self,
        assignment: &Assignment<D>,
    ) -> Result<ScriptedController<D>, ControllerError> {
        let (id, script) = (assignment.id.clone(), (self.shared.script)(assignment));
        let behavior = {
            let mut known = self.known();
            let asked = known.asked.entry(String::from(&*id)).or_default();
            *asked += 1;
            script.behavior(Call::Controller, *asked - 1)
        };
        perform(behavior, &id, Call::Controller, &self.time, &self.trace).await?;
        let controller = ScriptedController::new(script).with_id(&*id);
        Ok(controller.with_time(self.time.clone()).with_trace(self.trace.clone()))
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        Ok(self.known().found.iter().cloned().collect())
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        let done = Behavior::succeeds();
        perform(done, id, Call::Reconcile, &self.time, &self.trace).await?;
        self.known().found.remove(id);
        Ok(())
    }
}

impl<D> Clone for ScriptedExecutor<D> {
    fn clone(&self) -> Self {
        let Self { time, trace, shared } = self;
        Self { time: time.clone(), trace: trace.clone(), shared: Arc::clone(shared) }
    }
}

impl<D> fmt::Debug for ScriptedExecutor<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedExecutor").finish_non_exhaustive()
    }
}
