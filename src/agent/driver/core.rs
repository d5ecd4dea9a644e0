//! All decisions of a driver, as plain data and plain functions.
//!
//! The driver calls [`Core::next`], does what it returns, and reports the result. The handle
//! reports updates, a removal and a close. Nothing here waits, calls a controller, reads a clock
//! or logs: the time is an argument, and log entries are return values. A definition is a number
//! here, so no value of the embedder is dropped under the lock that guards the core.
//!
//! The numbers in comments are those of the rules in `docs/driver.md`.

mod answer;
mod call;
#[cfg(test)]
#[allow(
    clippy::pedantic,
    clippy::wildcard_enum_match_arm,
    clippy::type_complexity,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod explore;
mod logs;
mod moment;
mod next;
mod rare;
mod requests;
mod retries;
#[cfg(test)]
#[allow(
    clippy::pedantic,
    clippy::wildcard_enum_match_arm,
    clippy::type_complexity,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests;

use super::history::History;
use crate::agent::policy::{Jitter, Policy};
use crate::agent::runtime::Now;
use crate::exec::FromError;
use crate::lifecycle::{AnyTask, Failure, TaskState};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::time::Duration;
use time::UtcDateTime;

pub(super) use answer::{Definition, Problem};
pub(super) use call::{Call, Next};
pub(super) use logs::{Log, Logs, deadline_passed};
pub(super) use moment::At;
use rare::Rare;
pub(super) use requests::Refusal;
use retries::Retries;

/// The goal of a driver.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Goal {
    /// Move the task to its desired state.
    Live,
    /// Remove the task, then close the controller.
    Remove,
    /// Close the controller. The task is unchanged.
    Close,
    /// The driver has ended.
    Ended,
}

/// Whether the driver has a controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Has {
    /// It has none: not yet, or no longer.
    Nothing,
    Controller,
    /// The executor failed for good. The driver asks again only if something changes.
    Refusal,
    /// It has a controller whose `close` was called.
    ClosedController,
}

/// How the driver ends; see [`DriverExit`](super::DriverExit).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exit {
    Closed,
    Removed,
    /// The error is in [`Rare::removal_error`].
    RemovalFailed,
}

/// Why the driver calls `terminate`. It decides the state of the task afterwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum TerminateReason {
    /// `shutdown` failed, or its grace expired. The task will be SHUTDOWN.
    Shutdown,
    /// An operation failed like this, and the workload may run. The task will be FAILED, or
    /// REJECTED before STARTING.
    Failure(Box<Failure>),
}

/// The definitions of a task, as numbers. 0 is none. Equal definitions have the same number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Definitions {
    /// The wanted definition.
    pub(super) wanted: u32,
    /// The definition that the controller was made with, or has accepted last. If there is no
    /// controller yet, the definition that the executor was asked for.
    pub(super) applied: u32,
    /// Whether a controller has `applied`.
    pub(super) is_taken: bool,
    /// The definition that the controller refused last.
    pub(super) refused: u32,
    /// Whether `wanted` has changed since the last `update` (5).
    pub(super) is_changed: bool,
    /// Whether an `update` has begun and not returned. The controller may have accepted a part.
    pub(super) is_offered: bool,
    /// The definition that the executor refused last.
    pub(super) unresolvable: u32,
    /// The highest number so far.
    pub(super) highest: u32,
}

/// The state of a driver: the task, the desired state, the goal, delays and deadlines.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Core {
    pub(super) task: AnyTask,
    /// Since when the task has been in its state.
    pub(super) since: UtcDateTime,
    pub(super) desired: TaskState,
    pub(super) policy: Arc<Policy>,
    pub(super) goal: Goal,
    pub(super) has: Has,
    pub(super) exit: Exit,
    pub(super) definitions: Definitions,
    /// Whether a workload may run although the task was not started by this driver. If so, the
    /// driver calls `terminate` before the task fails in `prepare` (14).
    may_run: bool,
    /// Whether a removal waits for the end of a shutdown.
    pub(super) remove_later: bool,
    /// The time of the next attempt of an operation, `remove`, or `Executor::controller`.
    retry_at: At,
    /// The deadline of the current phase.
    deadline: At,
    /// The time that has certainly passed. It moves when a sleep of the runtime ends, so that
    /// everything else that happens at the same time is handled first.
    passed: At,
    /// The time of the first `shutdown`.
    pub(super) shutting_down: Option<UtcDateTime>,
    rare: Option<Box<Rare>>,
    pub(super) history: History,
    jitter: Jitter,
    inspection_due: bool,
    /// Whether the next call waits for a place in the limit of the worker.
    pub(super) is_queued: bool,
    /// The container status of the last failure. It counts more than an inspection.
    from_error: FromError,
    /// Whether a shutdown was requested and `shutdown` was not called yet.
    urgent: bool,
    /// Whether there is a request that the driver has not read.
    pub(super) news: bool,
    /// Whether there is a change that was not reported.
    pub(super) unreported: bool,
    /// Whether the worker was notified of changes that it has not collected.
    pub(super) is_flagged: bool,
}

impl Core {
    pub(super) fn new(
        id: &str,
        task: AnyTask,
        desired: TaskState,
        definitions: Definitions,
        now: UtcDateTime,
    ) -> Self {
        // An earlier agent may have crashed before the operation returned.
        let was_started = matches!(task.state(), TaskState::Starting | TaskState::Running);
        Self {
            since: task.timestamp().unwrap_or(now),
            task,
            desired,
            policy: Policy::shared(),
            goal: Goal::Live,
            has: Has::Nothing,
            exit: Exit::Closed,
            definitions,
            may_run: false,
            remove_later: false,
            shutting_down: None,
            rare: None,
            retry_at: At::NEVER,
            deadline: At::NEVER,
            passed: At::NEVER,
            history: History::default(),
            jitter: Jitter::of(id),
            inspection_due: was_started && desired < TaskState::Shutdown,
            is_queued: false,
            from_error: FromError::default(),
            urgent: false,
            news: false,
            unreported: false,
            is_flagged: false,
        }
    }

    /// The driver was dropped before its end, with its controller. Another driver will continue.
    pub(super) fn abandoned(&mut self) {
        if self.goal == Goal::Ended {
            return;
        }
        self.is_queued = false;
        if matches!(self.has, Has::Controller | Has::ClosedController) {
            self.has = Has::Nothing;
            self.may_run = true;
            self.definitions.unresolvable = 0;
            // All deadlines and retries begin again with the next controller.
            self.retry_at = At::NEVER;
            self.change_rare(|rare| rare.update_retry_at = None);
            self.deadline = At::NEVER;
            self.change_rare(|rare| rare.update_deadline = None);
            self.inspection_due = self.was_started() && !self.is_shutting_down();
        }
    }

    /// Records that a workload may run in any state of the task: an earlier agent may have
    /// started it, and crashed before that was stored. If no applied definition is known, the
    /// wanted one may be applied. Returns true in that case.
    pub(super) fn may_run(&mut self) -> bool {
        self.may_run = true;
        let asks = self.definitions.applied == 0;
        if asks {
            self.definitions.applied = self.definitions.wanted;
        }
        asks
    }

    fn was_started(&self) -> bool {
        matches!(self.task.state(), TaskState::Starting | TaskState::Running)
    }

    /// Another driver retries a failed removal.
    pub(super) fn restarted(&mut self, goal: Goal) {
        self.goal = goal;
        self.has = Has::Nothing;
        self.exit = Exit::Closed;
        self.deadline = At::NEVER;
        self.retry_at = At::NEVER;
        self.change_rare(|rare| rare.retries = Retries::default());
        self.news = true;
    }

    /// Stores a line of progress. It is ignored unless the task is in PREPARING.
    pub(super) fn report_progress(&mut self, line: Cow<'static, str>) {
        if self.task.state() == TaskState::Preparing {
            self.rare_mut().progress = Some(line);
        }
    }

    /// A sleep until this time has ended.
    pub(super) fn sleep_ended(&mut self, moment: Duration) {
        self.passed = self.passed.get().max(Some(moment)).into();
    }

    /// A call has ended. All earlier times have passed. A deadline at exactly this time has not,
    /// until a sleep ends at it.
    fn over(&mut self, now: Now) {
        let before_now = now.monotonic.checked_sub(Duration::from_nanos(1));
        self.passed = self.passed.get().max(before_now).into();
    }

    fn has_passed(&self, moment: Duration) -> bool {
        self.passed.get() >= Some(moment)
    }

    /// Whether the driver must call `update`. A definition that changed back is offered too: the
    /// controller may have accepted a part of the one in between.
    fn is_changed(&self) -> bool {
        self.definitions.is_changed || self.definitions.is_offered
    }

    fn is_shutting_down(&self) -> bool {
        self.desired >= TaskState::Shutdown
    }
}

impl Definitions {
    /// The wanted definition, and the applied definition of an earlier agent.
    pub(super) fn new(applied: Applied) -> Self {
        let (wanted, applied, is_taken) = match applied {
            Applied::Nothing => (1, 0, false),
            Applied::Wanted => (1, 1, true),
            Applied::Other => (2, 1, true),
        };
        Self {
            wanted,
            applied,
            is_taken,
            refused: 0,
            is_changed: false,
            is_offered: false,
            unresolvable: 0,
            highest: wanted,
        }
    }

    /// The executor has returned a controller of [`applied`](Self::applied).
    fn made(&mut self) {
        self.is_taken = true;
        self.is_offered = false;
        self.is_changed = self.wanted != self.applied && self.wanted != self.refused;
    }
}

/// The applied definition of an earlier agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Applied {
    Nothing,
    /// It is equal to the wanted one.
    Wanted,
    Other,
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
