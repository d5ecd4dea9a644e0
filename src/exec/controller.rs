//! `Controller`: the trait that you implement to run tasks of your kind.

use super::error::ControllerError;
use super::logs::SharedLogs;
use super::progress::ProgressReporter;
use crate::lifecycle::{ContainerStatus, PortStatus};
use alloc::boxed::Box;
use core::fmt;
use core::future::{self, Future};
use futures::FutureExt;
use futures::future::BoxFuture;

/// Runs one task: prepares, starts and stops its workload.
///
/// The workload is the container, the process or the request that the task runs. An
/// [`Executor`](super::Executor) makes one controller for each task. The operations take
/// `&mut self`, so the compiler allows only one at a time. `start`, `wait` and `shutdown`
/// are required. All others have a default. You can write them as `async fn`:
///
/// ```
/// use onward::exec::{Controller, ControllerError};
///
/// /// A workload that exits at once with 0.
/// struct True;
///
/// impl Controller for True {
///     type Definition = ();
///
///     async fn start(&mut self) -> Result<(), ControllerError> {
///         Ok(())
///     }
///     async fn wait(&mut self) -> Result<(), ControllerError> {
///         Ok(())
///     }
///     async fn shutdown(&mut self) -> Result<(), ControllerError> {
///         Ok(())
///     }
/// }
/// ```
///
/// # The contract
///
/// The kit in `onward::testing::contract` checks a controller against these rules. It
/// needs the feature `testing`.
///
/// ## Who calls which method
///
/// [`step`](super::step) calls `prepare`, `start`, `wait`, `shutdown` and `inspect`. The
/// driver calls the others. The driver is `agent::Driver`, or a loop that you write.
///
/// ## Order of the calls
///
/// 1. `prepare`, `start` and `wait` are called in this order. Each is called until it
///    succeeds or fails for good.
/// 2. `update` can be called before any of them.
/// 3. `shutdown` can be called at any time before the task ends, even as the very first
///    call. If it fails or takes too long, `terminate` is called.
/// 4. `remove` is called after all of these.
/// 5. `close` is the last call. It can also come at any earlier time, when the agent
///    itself stops.
///
/// ## Dropped futures
///
/// The driver drops an operation's future when the operation is no longer wanted. That
/// can happen at any `.await`. Then it calls the same operation again, or another one.
///
/// A drop must not affect the workload. Store everything that an operation begins in
/// `self` or outside of the process, never only in the future:
///
/// ```
/// # use onward::exec::{Controller, ControllerError};
/// # struct Process; impl Process { async fn spawn() -> Result<Self, ControllerError> { Ok(Self) } async fn ready(&mut self) -> Result<(), ControllerError> { Ok(()) } async fn exit(&mut self) -> Result<(), ControllerError> { Ok(()) } }
/// # struct Right { process: Option<Process> }
/// # impl Controller for Right {
/// #     type Definition = ();
/// async fn start(&mut self) -> Result<(), ControllerError> {
///     // Wrong: if the future is dropped in `ready`, the process is lost. The next
///     // call starts a second one.
///     //
///     //     let mut process = Process::spawn().await?;
///     //     process.ready().await?;
///     //     self.process = Some(process);
///     //
///     // Right: the process is stored as soon as it exists.
///     let process = match &mut self.process {
///         Some(process) => process,
///         none => none.insert(Process::spawn().await?),
///     };
///     process.ready().await
/// }
/// #     async fn wait(&mut self) -> Result<(), ControllerError> { Ok(()) }
/// #     async fn shutdown(&mut self) -> Result<(), ControllerError> { Ok(()) }
/// # }
/// ```
///
/// Dropping a future does not stop a thread-pool job or a request already sent. Store the
/// job's handle where the next operation can await it, even on a new controller. Make
/// `shutdown` and `remove` leave a marker, so that a late request is rejected.
///
/// ## Restarts of the agent
///
/// After a restart, the agent makes a new controller for a task that an earlier one has
/// prepared or started. It calls the operation of the task's state: `start` in STARTING,
/// without `prepare` before it; `wait` in RUNNING, without either.
///
/// The new controller must find out how far the task is, from what exists outside of the
/// process. Return [`already_prepared`](ControllerError::already_prepared) or
/// [`already_started`](ControllerError::already_started) if the work was done before. If
/// `prepare` leaves something only in memory, `start` must create it again.
///
/// A workload inside the agent's process, for example a thread, dies with it. For such a
/// workload:
///
/// - `start` leaves a marker outside of the process before it starts the workload.
/// - The workload stores its result outside of the process when it ends. The next
///   controller's `wait` returns that result.
/// - If there is a marker and no result, the workload is lost. `wait` then fails with an
///   error that is not temporary, because no other call starts the workload again.
///   `shutdown`, `terminate` and `remove` succeed, because there is nothing to stop.
/// - Start the workload again only if all its effects were undone, for example by a
///   transaction that was rolled back. That counts as its first start.
///
/// `examples/11_threads.rs` is a complete program.
///
/// A workload inside the agent's process can also be resumable: it keeps its progress outside
/// of the process, as a download does in its file. If there is a marker and no result, the
/// workload is then not lost:
///
/// - `start` and `wait` of the next controller continue it. This is not a second start.
/// - If `shutdown` or `terminate` comes first, it stores a result: the workload was stopped.
///   `start` and `wait` then do not continue it.
///
/// ## Reused ids
///
/// Ids can be reused after `remove`. If you use the id as an idempotency key, discard
/// that key in `remove`.
///
/// ## Errors
///
/// | Error | What the driver does |
/// |---|---|
/// | [temporary](ControllerError::temporary), [interrupted](ControllerError::interrupted) | calls the operation again later |
/// | [`already_prepared`](ControllerError::already_prepared) of `prepare`, [`already_started`](ControllerError::already_started) of `start` | treats it as success |
/// | [`update_rejected`](ControllerError::update_rejected) of `update` | continues with the old definition |
/// | any other | ends the task: REJECTED before STARTING, FAILED from STARTING on |
///
/// Three methods are exceptions. If `shutdown` fails for good, `agent::Driver` calls
/// `terminate` before the task ends. Errors of `remove` and `close` never change the task.
///
/// To classify an error, match on its code, never on its text. Keep the cause as the
/// [source](ControllerError::with_source): `.map_err(ControllerError::wrap)?` does that
/// for any error.
///
/// In SwarmKit: `exec.Controller` (`agent/exec/controller.go`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a controller",
    label = "this type cannot run a task",
    note = "a controller implements `onward::exec::Controller`, which requires `start`, `wait` and \
            `shutdown`"
)]
pub trait Controller: Send {
    /// The definition of a task: an image, a command. See
    /// [`Executor::Definition`](super::Executor::Definition).
    type Definition: Send + Sync + 'static;

    /// Changes the task to a new definition.
    ///
    /// - **Called** before the next operation, if the definition has changed. One call
    ///   can contain several changes. It can come in any state before the task ends. It
    ///   is not called once the task has ended or is shutting down.
    /// - **Must** apply the whole definition or nothing of it. If one part cannot be
    ///   changed, reject all of it.
    ///
    /// Default: rejects every change, because a controller without `update` would
    /// otherwise claim a change that it never made.
    ///
    /// # Errors
    ///
    /// - [`update_rejected`](ControllerError::update_rejected): the task continues with
    ///   its current definition.
    /// - A temporary error: `update` is called again before any other operation.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, `update` is called again, possibly with a newer
    /// definition.
    fn update(
        &mut self,
        definition: &Self::Definition,
    ) -> impl Future<Output = Result<(), ControllerError>> + Send {
        let _ = definition;
        future::ready(Err(ControllerError::update_rejected(
            "this controller does not support updates",
        )))
    }

    /// Creates everything that the workload needs, for example pulls an image.
    ///
    /// - **Called** in PREPARING, until it succeeds or fails for good. After a restart of
    ///   the agent it is not called again if it had succeeded.
    /// - **Must** leave nothing for [`start`](Self::start) to create. A task can then
    ///   wait in READY and start at once.
    /// - **May** return `already_prepared`. It means that the preparation is complete. An earlier
    ///   call may have died half-way, so record the preparation last, or complete first what is
    ///   missing.
    ///
    /// Default: does nothing.
    ///
    /// # Errors
    ///
    /// - [`already_prepared`](ControllerError::already_prepared): counts as success.
    /// - A temporary error: `prepare` is called again later.
    /// - Any other error: the task is REJECTED.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, `prepare`, `shutdown` or `remove` is called next. That
    /// call must find everything that was created so far.
    fn prepare(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send {
        future::ready(Ok(()))
    }

    /// Starts the workload. Returns when the workload runs, and is healthy if you can
    /// check that.
    ///
    /// - **Called** in STARTING, until it succeeds or fails for good.
    /// - **Must** never start the workload twice, even if its future was dropped or the
    ///   agent was restarted.
    /// - **May** return `already_started`, even if the workload has ended since. `wait`
    ///   then returns the result.
    ///
    /// # Errors
    ///
    /// - [`already_started`](ControllerError::already_started): counts as success.
    /// - A temporary error: `start` is called again later.
    /// - Any other error: the task is FAILED, so leave nothing running.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the start may continue. The next call of `start`
    /// completes it. If the next call is `shutdown`, it stops what was begun.
    fn start(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send;

    /// Waits until the workload has ended.
    ///
    /// - **Called** in RUNNING, until the workload has ended. It is called again each
    ///   time its future was dropped.
    /// - **Must** return the same result on every call. Store the exit, so that a later
    ///   call can return it.
    ///
    /// # Errors
    ///
    /// - The workload failed: return an error with its [exit
    ///   code](ControllerError::with_exit_code). For a signal n the exit code is 128 + n.
    ///   The task is FAILED.
    /// - The state of the workload cannot be read, and it may still run: return a
    ///   temporary error. `wait` is called again later. Do not return a temporary error
    ///   because the workload has exited.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the workload continues to run.
    fn wait(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send;

    /// Stops the workload gracefully. Returns when the workload has ended.
    ///
    /// - **Called** in any state before the task ends, when the task has to end. Usually its
    ///   desired state is then SHUTDOWN.
    /// - **Must** succeed if there is nothing to stop: the workload was never prepared,
    ///   never started, has ended, or is gone.
    /// - **May** take as long as the workload's own grace period. The exit code does not
    ///   matter.
    ///
    /// # Errors
    ///
    /// - A temporary error: the workload may still run, and `shutdown` is called again
    ///   later.
    /// - Any other error: SwarmKit's `Do` and [`step`](super::step) end the task.
    ///   `agent::Driver` calls `terminate` first.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the request to stop stays in force. The next call of
    /// `shutdown`, `terminate` or `remove` continues from there.
    fn shutdown(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send;

    /// Stops the workload by force. Returns when the workload has ended.
    ///
    /// - **Called** after a `shutdown` that failed or took too long.
    /// - **Must** succeed if there is nothing to stop.
    ///
    /// Default: calls `shutdown`.
    ///
    /// # Errors
    ///
    /// - A temporary error: the workload may still run, and `terminate` is called again
    ///   later.
    /// - Any other error ends the task.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, `terminate` or `remove` is called next.
    fn terminate(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send {
        self.shutdown()
    }

    /// Removes everything that exists of the task: its workload, if it still runs, and
    /// everything that `prepare` created.
    ///
    /// - **Called** after all other operations, in any state, when the task is no longer
    ///   assigned.
    /// - **Must** succeed if there is nothing to remove.
    ///
    /// Default: calls [`terminate`](Self::terminate). That is enough for a controller
    /// without its own `prepare`.
    ///
    /// # Errors
    ///
    /// - A temporary error: something is left. `agent::Driver` calls `remove` again after longer
    ///   and longer delays, up to the maximum of its back-off. It never gives up, unless the
    ///   policy has a `remove_deadline`.
    /// - Any other error, or a panic: the removal has failed. `agent::Driver` ends.
    ///   `agent::Worker` keeps the task with the error, and calls `remove` on another controller
    ///   with the next full set of assignments, and after a restart.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, `remove` is called again, possibly on another controller
    /// after a restart.
    fn remove(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send {
        self.terminate()
    }

    /// Releases what belongs to this controller only: connections, watchers, open files.
    ///
    /// - **Called** last, and once.
    /// - **Must** keep the workload and everything that `prepare` created, because
    ///   another controller may continue the task.
    /// - **Must** make all later operations fail with
    ///   [`closed`](ControllerError::closed), if it has released something. The driver
    ///   does not call any.
    ///
    /// Default: does nothing, and later operations still work. Dropping the controller
    /// then releases everything.
    ///
    /// # Errors
    ///
    /// An error is logged. `close` is not called again.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, the controller is dropped next.
    fn close(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send {
        future::ready(Ok(()))
    }

    /// Returns the status of the container and of its ports.
    ///
    /// - **Called** after every step that leaves the task in STARTING or above, even if
    ///   the step did nothing. It is not called while `wait` runs.
    /// - **Must** return soon, because the step waits for it.
    /// - **Must** return the exit code that `wait` returned, once the workload has ended.
    ///   This status is final.
    ///
    /// Default: reports no change.
    ///
    /// # Cancel safety
    ///
    /// If its future is dropped, `inspect` is called again after the next step.
    fn inspect(&mut self) -> impl Future<Output = Inspection> + Send {
        // Made when the future is polled. A future that stored it would be larger in
        // every driver.
        async { Inspection::default() }
    }

    /// Receives the reporter for lines of progress.
    ///
    /// - **Called** once, before the first operation, by the driver of the task.
    /// - **May** keep the reporter and call it in [`prepare`](Self::prepare), for example
    ///   with "pulling layer 3 of 7". The driver shows the last line while the task is in
    ///   PREPARING.
    ///
    /// Default: ignores it.
    fn set_progress(&mut self, progress: ProgressReporter) {
        let _ = progress;
    }

    /// Returns a handle on the logs of the workload, if there are any.
    ///
    /// It is called once, before the first operation. The handle must work while
    /// operations run.
    fn logs(&self) -> Option<SharedLogs> {
        None
    }

    /// Erases the type of this controller, so that different controllers fit in one list.
    fn boxed(self) -> BoxController<Self::Definition>
    where
        Self: Sized + 'static,
    {
        self.boxed_for(|definition| Some(definition))
    }

    /// Erases the type of this controller, for an agent with several kinds of tasks.
    ///
    /// Such an agent has an enum as its definition. `select` returns the controller's own
    /// part of the enum. If `select` returns `None` for an update, the update is
    /// rejected, because a task cannot change its kind.
    ///
    /// ```
    /// use onward::exec::{BoxController, Controller, ControllerError};
    ///
    /// struct Image(String);
    /// struct Command(Vec<String>);
    /// enum Work {
    ///     Container(Image),
    ///     Process(Command),
    /// }
    /// # struct ContainerController;
    /// # struct ProcessController;
    /// # impl Controller for ContainerController { type Definition = Image;
    /// #     async fn start(&mut self) -> Result<(), ControllerError> { Ok(()) }
    /// #     async fn wait(&mut self) -> Result<(), ControllerError> { Ok(()) }
    /// #     async fn shutdown(&mut self) -> Result<(), ControllerError> { Ok(()) } }
    /// # impl Controller for ProcessController { type Definition = Command;
    /// #     async fn start(&mut self) -> Result<(), ControllerError> { Ok(()) }
    /// #     async fn wait(&mut self) -> Result<(), ControllerError> { Ok(()) }
    /// #     async fn shutdown(&mut self) -> Result<(), ControllerError> { Ok(()) } }
    ///
    /// fn controller(work: &Work) -> BoxController<Work> {
    ///     match work {
    ///         Work::Container(_) => ContainerController.boxed_for(|work| match work {
    ///             Work::Container(image) => Some(image),
    ///             Work::Process(_) => None,
    ///         }),
    ///         Work::Process(_) => ProcessController.boxed_for(|work| match work {
    ///             Work::Process(command) => Some(command),
    ///             Work::Container(_) => None,
    ///         }),
    ///     }
    /// }
    /// # controller(&Work::Container(Image(String::new())));
    /// ```
    fn boxed_for<D>(self, select: fn(&D) -> Option<&Self::Definition>) -> BoxController<D>
    where
        Self: Sized + 'static,
        D: Send + Sync + 'static,
    {
        BoxController(Box::new(Selected { controller: self, select }))
    }
}

/// The status of a controller's container and ports, as [`Controller::inspect`] returns it.
///
/// ```
/// use onward::ControllerError;
/// use onward::exec::Inspection;
/// use onward::lifecycle::ContainerStatus;
///
/// /// The inspection of a process that may be gone.
/// fn inspection(pid: Option<i32>) -> Inspection {
///     let pid = pid.ok_or_else(|| ControllerError::new("the process cannot be found"));
///     let status = pid.map(|pid| ContainerStatus { pid: Some(pid), ..Default::default() });
///     Inspection::default().with_container_status(status)
/// }
/// # use onward::exec::Inspected;
/// # assert!(matches!(inspection(Some(7)).container_status, Inspected::Known(status) if status.pid == Some(7)));
/// # assert!(matches!(inspection(None).container_status, Inspected::Failed(_)));
/// ```
///
/// In SwarmKit: `ContainerStatuser` and `PortStatuser`.
#[derive(Clone, Default, Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The container's status. An empty status means that there is no container.
    pub container_status: Inspected<ContainerStatus>,
    /// The published ports. An empty list means that there are no ports.
    pub port_status: Inspected<PortStatus>,
}

impl Inspection {
    /// Adds the container's status, or the error of reading it.
    #[must_use]
    pub fn with_container_status(self, status: impl Into<Inspected<ContainerStatus>>) -> Self {
        Self { container_status: status.into(), ..self }
    }

    /// Adds the ports, or the error of reading them.
    #[must_use]
    pub fn with_port_status(self, ports: impl Into<Inspected<PortStatus>>) -> Self {
        Self { port_status: ports.into(), ..self }
    }
}

/// One part of an [`Inspection`]: a value, an error, or no change.
#[derive(Clone, Default, Debug)]
pub enum Inspected<T> {
    /// No change. The task keeps its value.
    #[default]
    Unchanged,
    /// The current value.
    Known(T),
    /// The value cannot be read. The task keeps its value, and the error is logged.
    Failed(ControllerError),
}

impl<T> From<T> for Inspected<T> {
    fn from(value: T) -> Self {
        Self::Known(value)
    }
}

impl<T> From<Result<T, ControllerError>> for Inspected<T> {
    fn from(result: Result<T, ControllerError>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(error) => Self::Failed(error),
        }
    }
}

/// A controller whose type is erased, for tasks with the definition `D`.
///
/// [`Controller::boxed`] and [`Controller::boxed_for`] make it. Each call costs one allocation.
///
/// ```
/// use onward::testing::{NoopController, Script, ScriptedController};
/// use onward::{BoxController, Controller};
///
/// let scripted = ScriptedController::<()>::new(Script::new());
/// let controllers: Vec<BoxController<()>> = vec![NoopController::Runs.boxed(), scripted.boxed()];
/// # assert_eq!(controllers.len(), 2);
/// ```
pub struct BoxController<D>(Box<dyn ErasedController<D>>);

impl<D> fmt::Debug for BoxController<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxController").finish_non_exhaustive()
    }
}

impl<D: Send + Sync + 'static> Controller for BoxController<D> {
    type Definition = D;

    async fn update(&mut self, definition: &D) -> OperationResult {
        self.0.update(definition).await
    }
    fn prepare(&mut self) -> impl Future<Output = OperationResult> + Send {
        self.0.prepare()
    }
    fn start(&mut self) -> impl Future<Output = OperationResult> + Send {
        self.0.start()
    }
    fn wait(&mut self) -> impl Future<Output = OperationResult> + Send {
        self.0.wait()
    }
    fn shutdown(&mut self) -> impl Future<Output = OperationResult> + Send {
        self.0.shutdown()
    }
    fn terminate(&mut self) -> impl Future<Output = OperationResult> + Send {
        self.0.terminate()
    }
    fn remove(&mut self) -> impl Future<Output = OperationResult> + Send {
        self.0.remove()
    }
    fn close(&mut self) -> impl Future<Output = OperationResult> + Send {
        self.0.close()
    }
    fn inspect(&mut self) -> impl Future<Output = Inspection> + Send {
        self.0.inspect()
    }
    fn set_progress(&mut self, progress: ProgressReporter) {
        self.0.set_progress(progress);
    }
    fn logs(&self) -> Option<SharedLogs> {
        self.0.logs()
    }
    fn boxed(self) -> BoxController<D> {
        self
    }
}

/// The result of an operation.
type OperationResult = Result<(), ControllerError>;

/// [`Controller`] with boxed futures. It is private, because a public trait with the same
/// methods would make `controller.prepare()` ambiguous.
trait ErasedController<D>: Send {
    fn update<'a>(&'a mut self, definition: &'a D) -> BoxFuture<'a, OperationResult>;
    fn prepare(&mut self) -> BoxFuture<'_, OperationResult>;
    fn start(&mut self) -> BoxFuture<'_, OperationResult>;
    fn wait(&mut self) -> BoxFuture<'_, OperationResult>;
    fn shutdown(&mut self) -> BoxFuture<'_, OperationResult>;
    fn terminate(&mut self) -> BoxFuture<'_, OperationResult>;
    fn remove(&mut self) -> BoxFuture<'_, OperationResult>;
    fn close(&mut self) -> BoxFuture<'_, OperationResult>;
    fn inspect(&mut self) -> BoxFuture<'_, Inspection>;
    fn set_progress(&mut self, progress: ProgressReporter);
    fn logs(&self) -> Option<SharedLogs>;
}

/// A controller, and the function that selects its own definition from an enum.
struct Selected<C: Controller, D> {
    controller: C,
    select: fn(&D) -> Option<&C::Definition>,
}

impl<C: Controller, D: Send + Sync + 'static> ErasedController<D> for Selected<C, D> {
    fn update<'a>(&'a mut self, definition: &'a D) -> BoxFuture<'a, OperationResult> {
        if let Some(definition) = (self.select)(definition) {
            return self.controller.update(definition).boxed();
        }
        let refused = "a task cannot change its kind";
        future::ready(Err(ControllerError::update_rejected(refused))).boxed()
    }
    fn prepare(&mut self) -> BoxFuture<'_, OperationResult> {
        self.controller.prepare().boxed()
    }
    fn start(&mut self) -> BoxFuture<'_, OperationResult> {
        self.controller.start().boxed()
    }
    fn wait(&mut self) -> BoxFuture<'_, OperationResult> {
        self.controller.wait().boxed()
    }
    fn shutdown(&mut self) -> BoxFuture<'_, OperationResult> {
        self.controller.shutdown().boxed()
    }
    fn terminate(&mut self) -> BoxFuture<'_, OperationResult> {
        self.controller.terminate().boxed()
    }
    fn remove(&mut self) -> BoxFuture<'_, OperationResult> {
        self.controller.remove().boxed()
    }
    fn close(&mut self) -> BoxFuture<'_, OperationResult> {
        self.controller.close().boxed()
    }
    fn inspect(&mut self) -> BoxFuture<'_, Inspection> {
        self.controller.inspect().boxed()
    }
    fn set_progress(&mut self, progress: ProgressReporter) {
        self.controller.set_progress(progress);
    }
    fn logs(&self) -> Option<SharedLogs> {
        self.controller.logs()
    }
}
