//! The state that a driver and its handles share.

use super::DriverExit;
use super::core::{Applied, At, Call, Core, Definition, Definitions, Exit, Goal, Has};
use crate::agent::panic::{are_equal, discard, wake};
use crate::agent::runtime::Now;
use crate::agent::signal::Signal;
use crate::agent::sync::Mutex;
use crate::exec::{Assignment, SharedLogs};
use crate::lifecycle::{AnyTask, TaskStatus};
use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::mem;
use core::task::{Context, Waker};
use time::UtcDateTime;

/// The state that a driver and its handles share. If the driver is dropped before its end,
/// another driver continues from this state.
pub(in crate::agent) struct Shared<D> {
    pub(in crate::agent) id: Arc<str>,
    state: Mutex<State<D>>,
    /// Wakes watchers.
    pub(super) steps: Signal,
}

/// The data under the lock. Values of the embedder are in an `Arc`, and are moved out of the lock
/// to be dropped.
pub(super) struct State<D> {
    pub(super) core: Core,
    /// The wanted assignment.
    pub(super) wanted: Arc<Assignment<D>>,
    /// The applied assignment; see [`Definitions::applied`].
    pub(super) applied: Option<Arc<Assignment<D>>>,
    logs: Option<SharedLogs>,
    /// Wakes the driver.
    waker: Option<Waker>,
}

/// The assignment of a call, and the number of its definition.
pub(super) struct Subject<D> {
    pub(super) assignment: Arc<Assignment<D>>,
    pub(super) number: u32,
}

/// When a call began, and its deadline.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) began: At,
    pub(super) deadline: At,
}

/// Changes of a task, which the worker collects.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(in crate::agent) struct Changes<D> {
    pub(in crate::agent) status: Option<TaskStatus>,
    pub(in crate::agent) applied: Option<Arc<Assignment<D>>>,
    /// Whether a controller has `applied`.
    pub(in crate::agent) is_taken: bool,
    /// Whether the executor has failed for good.
    pub(in crate::agent) is_refused: bool,
    /// Whether the removal has failed. The driver still closes its controller.
    pub(in crate::agent) is_removal_failed: bool,
    /// Whether the controller has logs.
    pub(in crate::agent) has_logs: bool,
}

impl<D> Shared<D> {
    /// `applied` is the applied assignment of an earlier agent.
    pub(in crate::agent) fn new(
        id: Arc<str>,
        task: AnyTask,
        wanted: Arc<Assignment<D>>,
        applied: Option<Arc<Assignment<D>>>,
        now: UtcDateTime,
    ) -> Self {
        let definitions = Definitions::new(match &applied {
            None => Applied::Nothing,
            Some(applied) if Arc::ptr_eq(applied, &wanted) => Applied::Wanted,
            Some(_) => Applied::Other,
        });
        let core = Core::new(&id, task, wanted.desired_state, definitions, now);
        let state = State { core, wanted, applied, logs: None, waker: None };
        Self { id, state: Mutex::new(state), steps: Signal::default() }
    }

    /// Records that a workload may run in any state of the task: an earlier agent may have started
    /// it, and crashed before that was stored.
    pub(in crate::agent) fn may_run(&self) {
        let before = self.with(|state| {
            let wanted = Arc::clone(&state.wanted);
            state.core.may_run().then(|| state.applied.replace(wanted))
        });
        drop(before);
    }

    /// Calls a function with the state, under the lock. It must not call or drop anything of the
    /// embedder.
    pub(super) fn with<R>(&self, act: impl FnOnce(&mut State<D>) -> R) -> R {
        act(&mut self.state.lock())
    }

    /// Makes a request: calls a function with the state, under the lock, and wakes the driver if
    /// it must act.
    pub(super) fn request<R>(&self, act: impl FnOnce(&mut State<D>) -> R) -> R {
        let mut state = self.state.lock();
        let result = act(&mut state);
        let waker = if state.core.news { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            wake(waker);
        }
        result
    }

    /// Registers the waker of the driver, and then calls a function with the core. Later requests
    /// wake the driver.
    pub(super) fn look<R>(&self, context: &Context<'_>, look: impl FnOnce(&Core) -> R) -> R {
        let mut fresh = None;
        loop {
            let mut state = self.state.lock();
            let is_registered =
                state.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
            if is_registered {
                return look(&state.core);
            }
            // A waker is code of the embedder: it is cloned and dropped outside of the lock.
            let Some(waker) = fresh.take() else {
                drop(state);
                fresh = Some(context.waker().clone());
                continue;
            };
            let before = state.waker.replace(waker);
            let result = look(&state.core);
            drop(state);
            drop(before);
            return result;
        }
    }

    /// Begins a call. Returns its assignment and its deadline.
    pub(super) fn begin(&self, call: Call, now: Now) -> (Subject<D>, Span) {
        let mut state = self.state.lock();
        let State { core, wanted, applied, .. } = &mut *state;
        let definition = core.begin(call, now);
        let mut before = None;
        let taken = applied.as_ref().filter(|_| definition == Definition::Applied);
        let (assignment, number) = if let Some(applied) = taken {
            (Arc::clone(applied), core.definitions.applied)
        } else {
            if call == Call::Controller {
                before = applied.replace(Arc::clone(wanted));
            }
            (Arc::clone(wanted), core.definitions.wanted)
        };
        let deadline = core.deadline_of(call, now.monotonic).into();
        drop(state);
        drop(before);
        let span = Span { began: Some(now.monotonic).into(), deadline };
        (Subject { assignment, number }, span)
    }

    /// The number of a definition that was offered. If the wanted definition is equal, its number:
    /// the definition may have changed and changed back in between.
    pub(super) fn number_of(&self, offered: &Subject<D>) -> u32
    where
        D: PartialEq,
    {
        let (wanted, number) =
            self.with(|state| (Arc::clone(&state.wanted), state.core.definitions.wanted));
        // Compared outside of the lock: this is code of the embedder.
        let is_equal = are_equal(&wanted.definition, &offered.assignment.definition);
        if is_equal { number } else { offered.number }
    }

    /// Returns whether the worker must be notified: there are changes, and it was not notified
    /// since it last collected.
    pub(super) fn flag(&self) -> bool {
        self.with(|state| {
            let unreported = mem::take(&mut state.core.unreported);
            unreported && !mem::replace(&mut state.core.is_flagged, true)
        })
    }

    /// The status, if it has changed since the last call.
    pub(super) fn take_changed(&self) -> Option<TaskStatus> {
        self.with(|state| {
            mem::take(&mut state.core.unreported);
            state.core.task.take_changed()
        })
    }

    /// The changes since the last call.
    pub(in crate::agent) fn collect(&self) -> Changes<D> {
        self.with(|state| {
            state.core.is_flagged = false;
            Changes {
                status: state.core.task.take_changed(),
                applied: state.applied.clone(),
                is_taken: state.core.definitions.is_taken,
                is_refused: state.core.has == Has::Refusal,
                is_removal_failed: state.core.exit == Exit::RemovalFailed,
                has_logs: state.logs.is_some(),
            }
        })
    }

    pub(super) fn set_logs(&self, logs: Option<SharedLogs>) {
        let before = self.with(|state| mem::replace(&mut state.logs, logs));
        discard("logs", before);
    }

    pub(in crate::agent) fn logs(&self) -> Option<SharedLogs> {
        self.with(|state| state.logs.clone())
    }

    /// Stores a line of progress.
    pub(super) fn report_progress(&self, line: Cow<'static, str>) {
        self.with(|state| state.core.report_progress(line));
        self.steps.notify();
    }

    /// Sets whether the next call waits for a place in the limit of the worker.
    pub(super) fn set_queued(&self, is_queued: bool) {
        self.with(|state| state.core.is_queued = is_queued);
        self.steps.notify();
    }

    /// The driver was dropped before its end, with its controller.
    pub(super) fn abandon(&self) {
        self.with(|state| state.core.abandoned());
        self.set_logs(None);
        self.steps.notify();
    }

    /// Lets another driver continue a task whose removal has failed.
    pub(in crate::agent) fn restart(&self) {
        self.with(|state| {
            if state.core.goal == Goal::Ended {
                state.core.restarted(Goal::Live);
            }
        });
    }

    /// Ends the driver and the streams of watchers.
    pub(super) fn end(&self) {
        let waker = self.with(|state| {
            state.core.goal = Goal::Ended;
            state.core.has = Has::Nothing;
            state.waker.take()
        });
        drop(waker);
        self.steps.notify();
    }

    /// How the driver has ended.
    pub(in crate::agent) fn exit(&self) -> DriverExit {
        self.with(|state| DriverExit::of(&state.core))
    }

    /// Whether the driver has ended, and was not only dropped.
    pub(in crate::agent) fn has_ended(&self) -> bool {
        self.with(|state| state.core.goal == Goal::Ended)
    }
}
