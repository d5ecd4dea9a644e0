//! What operates a task: the trait that an embedder implements.

use super::error::ControllerError;
use super::logs::SharedLogs;
use super::progress::ProgressReporter;
use crate::lifecycle::{ContainerStatus, PortStatus};
use alloc::boxed::Box;
use core::fmt;
use core::future::{self, Future};
use futures::FutureExt;
use futures::future::BoxFuture;

/// Operates one task: prepares, starts and ends its workload.
///
/// A controller is made by an [`Executor`](super::Executor). Its operations
/// take `&mut self`, so that there is at most one in flight: the compiler sees
/// to it. Most have a default; `start`, `wait` and `shutdown` are what a
/// controller is. They can be written as plain `async fn`:
///
/// ```
/// use onward::exec::{Controller, ControllerError};
///
/// /// Runs `true` without running anything.
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
/// **Who calls.** [`step`](super::step) calls `prepare`, `start`, `wait`,
/// `shutdown` and `inspect`. The driver of the task (`agent::Driver`, or a loop of
/// yours) calls the others, and `logs`.
///
/// **Order.** `prepare`, `start` and `wait` are called in this order, each
/// until it succeeds or fails for good. `update` may come before any of them.
/// `shutdown` may come at any time before the end, first of all calls too,
/// and after it comes `terminate`, if it does not succeed. `remove` comes
/// after the last of them, and then `close`, which is last of all and may also
/// come at any other time.
///
/// **Dropped futures.** An operation that is no longer wanted is dropped, at
/// any `.await`. The workload must not notice: what goes on in the world goes
/// on, or can be taken up. The same operation, or another one, is called next.
/// So what an operation begins belongs to `self` or to the world, never to the
/// future:
///
/// ```
/// # use onward::exec::{Controller, ControllerError};
/// # struct Process; impl Process { async fn spawn() -> Result<Self, ControllerError> { Ok(Self) } async fn ready(&mut self) -> Result<(), ControllerError> { Ok(()) } async fn exit(&mut self) -> Result<(), ControllerError> { Ok(()) } }
/// # struct Right { process: Option<Process> }
/// # impl Controller for Right {
/// #     type Definition = ();
/// async fn start(&mut self) -> Result<(), ControllerError> {
///     // Wrong: dropped while it gets ready, the process is lost, and the next
///     // call starts another one.
///     //
///     //     let mut process = Process::spawn().await?;
///     //     process.ready().await?;
///     //     self.process = Some(process);
///     //
///     // Right: the process is kept as soon as it is there.
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
/// Dropping a future does not stop a thread-pool job or a request already sent.
/// Store the job's handle where the next operation can await it, even on a new
/// controller. Make `shutdown` and `remove` leave a marker so that a late request is
/// rejected.
///
/// **Restarts.** An agent that comes up again makes a new controller for a
/// task that another instance prepared or started, and calls what its state asks
/// for: `start` in STARTING, without `prepare`, and `wait` in RUNNING, without
/// either. The controller finds by itself how far things are, in the world:
/// [already prepared](ControllerError::already_prepared) and
/// [already started](ControllerError::already_started) are good answers. What
/// `prepare` had only in memory, `start` makes anew.
///
/// A workload that lived in the agent's process has died with it. So `start` first
/// leaves a mark in the world, and the workload leaves its end there. The next
/// instance tells that end. Where there is the mark and no end, `wait` answers an
/// error that is not temporary, since nobody would begin it again, and `shutdown`,
/// `terminate` and `remove` find nothing to end. Only if all that came of it was
/// undone, as a transaction is, may it be begun anew: that is its first start then.
/// `examples/11_threads.rs` has all of that.
///
/// Ids can be reused after `remove`. If you use the id as an idempotency key, discard
/// that key in `remove`.
///
/// **Errors.** [Temporary](ControllerError::temporary) ones and
/// [interruptions](ControllerError::interrupted) are tried again; what else each
/// operation may answer stands with it; all other errors end the task. Match on
/// codes, never on texts, and keep the cause as
/// [source](ControllerError::with_source): `.map_err(ControllerError::wrap)?` does
/// that for any error.
///
/// In SwarmKit: `exec.Controller` (`agent/exec/controller.go`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a controller",
    label = "this cannot operate a task",
    note = "a controller implements `onward::exec::Controller`, which asks for `start`, `wait` and \
            `shutdown`"
)]
pub trait Controller: Send {
    /// What a task is; see [`Executor::Definition`](super::Executor::Definition).
    type Definition: Send + Sync + 'static;

    /// Takes a changed definition.
    ///
    /// *Called* before the next operation if the definition has changed. Several
    /// changes may come in one call. It is not called after the task has ended,
    /// nor on the way to its end. *Must* take all of the definition or nothing. If
    /// it cannot change something, it refuses all of it. *May* be called in any
    /// state before the end.
    ///
    /// The default refuses: a controller that knows nothing of updates must not
    /// be believed to have taken one.
    ///
    /// # Errors
    ///
    /// [`update_rejected`](ControllerError::update_rejected): the task goes on
    /// with the definition that it has. A temporary error: it is called again,
    /// before anything else.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is called again, perhaps with a newer definition.
    fn update(
        &mut self,
        definition: &Self::Definition,
    ) -> impl Future<Output = Result<(), ControllerError>> + Send {
        let _ = definition;
        future::ready(Err(ControllerError::update_rejected("this kind of task cannot be changed")))
    }

    /// Gets everything that the workload needs.
    ///
    /// *Called* in PREPARING, until it succeeds or fails for good. *Must* leave
    /// nothing for [`start`](Self::start) to create, so that a task can wait in
    /// READY and then start at once. *May* answer that it was prepared before. After
    /// a restart of the agent it is not called again where it had succeeded.
    ///
    /// The default does nothing.
    ///
    /// # Errors
    ///
    /// [`already_prepared`](ControllerError::already_prepared) is success. A
    /// temporary error: called again later. Any other: the task is rejected.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is called again, or `shutdown` or `remove` is: what it has
    /// got so far is kept for the next call, or found by it.
    fn prepare(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send {
        future::ready(Ok(()))
    }

    /// Starts the workload; returns when it runs, and is healthy if that can be
    /// told.
    ///
    /// *Called* in STARTING, until it succeeds or fails for good. *Must* never
    /// start it twice, also after it was dropped or the agent was restarted.
    /// *May* answer that it was started before, even that it has ended since:
    /// `wait` says how.
    ///
    /// # Errors
    ///
    /// [`already_started`](ControllerError::already_started) is success. A
    /// temporary error: called again later. Any other: the task has failed, so
    /// leave nothing running.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the start goes on or is taken up by the next call; if that is
    /// `shutdown`, it ends what was begun.
    fn start(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send;

    /// Waits until the workload has ended.
    ///
    /// *Called* in RUNNING, until the workload ends, and anew whenever it was
    /// dropped. *Must* answer the same however often it is asked: an exit is
    /// not an event that can be missed.
    ///
    /// # Errors
    ///
    /// The workload ended badly: the error has its
    /// [exit code](ControllerError::with_exit_code), 128 + n for signal n. A
    /// temporary error: it cannot be told, and may run; called again later.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the workload runs on.
    fn wait(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send;

    /// Ends the workload in its own good time; returns when it has ended.
    ///
    /// *Called* in any state before the end, when the task is to be ended.
    /// *Must* succeed where there is nothing to end: never prepared, never
    /// started, ended before, gone. *May* take as long as the workload's own
    /// grace; how it ended does not matter.
    ///
    /// # Errors
    ///
    /// The workload may still run. A temporary error: called again later. Any
    /// other ends the task in SwarmKit's `Do` and in [`step`](super::step).
    ///
    /// # Cancel safety
    ///
    /// Dropped, the workload is still asked to end. The next call goes on from
    /// there, or `terminate` or `remove` does.
    fn shutdown(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send;

    /// Ends the workload by force; returns when it has ended.
    ///
    /// *Called* after a `shutdown` that took too long or failed. *Must* succeed
    /// where there is nothing to end. The default asks `shutdown` once more.
    ///
    /// # Errors
    ///
    /// The workload may still run. A temporary error: called again later. Any
    /// other ends the task.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is called again, or `remove` is.
    fn terminate(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send {
        self.shutdown()
    }

    /// Frees everything that the task has in the world: its workload, if that
    /// still runs, and all that `prepare` made.
    ///
    /// *Called* when the task is no longer assigned, after the last other
    /// operation, in any state. *Must* succeed if there is nothing.
    /// The default ends the workload, by [`terminate`](Self::terminate): all
    /// that a controller with no `prepare` of its own can have.
    ///
    /// # Errors
    ///
    /// Something is left. A temporary error: called again later. Any other is
    /// logged and given up on.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is called again: perhaps by another instance, after a
    /// restart.
    fn remove(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send {
        self.terminate()
    }

    /// Frees what belongs to this instance: connections, watchers, files.
    ///
    /// *Called* last of all, once. *Must* leave the workload and all that
    /// `prepare` made as they are: another instance may take them up. Nothing is
    /// called after it; one that has freed something answers
    /// [`closed`](ControllerError::closed) to every operation from then on.
    ///
    /// The default does nothing, and so the operations go on as before: dropping the
    /// controller then does it all.
    ///
    /// # Errors
    ///
    /// They are logged. It is not called again.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the controller is dropped next.
    fn close(&mut self) -> impl Future<Output = Result<(), ControllerError>> + Send {
        future::ready(Ok(()))
    }

    /// Says what it knows of its container and its ports.
    ///
    /// *Called* after every step that leaves the task in STARTING or above, also
    /// one that had nothing to do; not while `wait` is in flight. The default
    /// says that there is nothing new, ever. *Must* answer soon: the step waits for
    /// it. Once the workload has ended, *must* tell the exit code that `wait` told:
    /// what it says of a task that has ended stands.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it is called again after the next step.
    fn inspect(&mut self) -> impl Future<Output = Inspection> + Send {
        // Made when it is asked for: a future that holds it would take more place in every driver.
        async { Inspection::default() }
    }

    /// Takes the reporter for lines of progress.
    ///
    /// *Called* once, before the first operation, by the driver of the task. *May*
    /// keep the reporter and call it in [`prepare`](Self::prepare), for example with
    /// "pulling layer 3 of 7". The driver shows the last line while the task is in
    /// PREPARING.
    ///
    /// The default ignores it.
    fn set_progress(&mut self, progress: ProgressReporter) {
        let _ = progress;
    }

    /// The logs of the workload, if there are any.
    ///
    /// *Called* once, before the first operation. The handle works while operations
    /// run.
    fn logs(&self) -> Option<SharedLogs> {
        None
    }

    /// This controller as one of a kind with all others of its definition.
    fn boxed(self) -> BoxController<Self::Definition>
    where
        Self: Sized + 'static,
    {
        self.boxed_for(|definition| Some(definition))
    }

    /// This controller as one of a kind with others of a wider definition, of
    /// which `select` finds its own.
    ///
    /// An agent that runs several kinds of tasks has an enum for its definition.
    /// An update to what is none of the controller's own is refused.
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

/// The status of a controller's container and ports, as
/// [`Controller::inspect`] returns it.
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
    /// The container. An empty status means that there is none.
    pub container_status: Inspected<ContainerStatus>,
    /// The ports. An empty list means that there are none.
    pub port_status: Inspected<PortStatus>,
}

impl Inspection {
    /// Adds the container's status, or the error that hides it.
    #[must_use]
    pub fn with_container_status(self, status: impl Into<Inspected<ContainerStatus>>) -> Self {
        Self { container_status: status.into(), ..self }
    }

    /// Adds the ports, or the error that hides them.
    #[must_use]
    pub fn with_port_status(self, ports: impl Into<Inspected<PortStatus>>) -> Self {
        Self { port_status: ports.into(), ..self }
    }
}

/// One part of an [`Inspection`].
#[derive(Clone, Default, Debug)]
pub enum Inspected<T> {
    /// There is no news. The task keeps what is known.
    #[default]
    Unchanged,
    /// The value now.
    Known(T),
    /// The value cannot be read. The task keeps what is known, and the error is
    /// logged.
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

/// A controller of any type for tasks of the definition `D`.
///
/// It costs one allocation for each call. [`Controller::boxed`] makes it, and
/// [`Controller::boxed_for`].
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

/// [`Controller`] with its futures in boxes. It is private, since a public one
/// would make `controller.prepare()` ambiguous.
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

/// A controller, and how it finds its own definition in a wider one.
struct Selected<C: Controller, D> {
    controller: C,
    select: fn(&D) -> Option<&C::Definition>,
}

impl<C: Controller, D: Send + Sync + 'static> ErasedController<D> for Selected<C, D> {
    fn update<'a>(&'a mut self, definition: &'a D) -> BoxFuture<'a, OperationResult> {
        if let Some(definition) = (self.select)(definition) {
            return self.controller.update(definition).boxed();
        }
        let refused = "a task cannot become one of another kind";
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
