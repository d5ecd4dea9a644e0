//! What a driver does next: all of its decisions, as plain data and plain functions.
//!
//! The driver asks [`Core::next`], does that, and reports the outcome. Its handle reports what
//! is wanted. Time comes in as a value. Nothing here waits, calls a controller, reads a clock
//! or logs: a function returns what is to be logged. A definition is a number here, so no
//! value of an embedder's is ever dropped under the lock that guards this.
//!
//! The numbers in comments are those of the rules in `docs/driver.md`.

mod answer;
mod call;
mod course;
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
mod rare;
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
mod wish;

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
use retries::Retries;
pub(super) use wish::Refusal;

/// How far the driver is to go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Goal {
    /// Take the task to its desired state.
    Live,
    /// Remove what the task has, then close.
    Remove,
    /// Close the controller, and leave the task as it is.
    Close,
    /// Done.
    Ended,
}

/// Whether the driver has a controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Has {
    /// Not yet, or no longer.
    Nothing,
    Controller,
    /// The executor refused for good. It is not asked again by itself.
    Refusal,
    /// Its `close` was called.
    ClosedController,
}

/// How the driver ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Exit {
    Closed,
    Removed,
    /// The error is in [`Rare::removal_error`].
    RemovalFailed,
}

/// Why a task is terminated, and so what it is when `terminate` has succeeded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum LastResort {
    /// Its shutdown did not succeed, or not in time: it is SHUTDOWN.
    Shutdown,
    /// It has failed like this, and its workload may run.
    Failure(Box<Failure>),
}

/// The definitions, as numbers. 0 is none; two equal definitions have the same number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Definitions {
    /// What is wanted.
    pub(super) wanted: u32,
    /// What the controller was made with or has taken last. While none was made, what the
    /// executor was asked for.
    pub(super) applied: u32,
    /// Whether a controller has it.
    pub(super) is_taken: bool,
    /// What the controller refused last.
    pub(super) refused: u32,
    /// The wanted one has changed since the controller was offered one (5).
    pub(super) is_changed: bool,
    /// The controller was offered one and has not answered. It may have taken a part of it.
    pub(super) is_offered: bool,
    /// What the executor refused last.
    pub(super) unresolvable: u32,
    /// The highest number so far.
    pub(super) highest: u32,
}

/// One task's life, and all that is wanted of it.
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
    /// A workload may run before the task was started here, so a failure before the start is
    /// preceded by `terminate` (14).
    may_run: bool,
    /// The removal waits for the end of a shutdown.
    pub(super) remove_later: bool,
    /// When the operation, the removal or the executor is called again.
    retry_at: At,
    /// When the phase that the task is in has lasted too long.
    deadline: At,
    /// The last moment that has passed. A moment passes when the runtime's sleep says so, so
    /// that what else comes at the same moment comes first.
    passed: At,
    /// Since when the workload is asked to end.
    pub(super) shutting_down: Option<UtcDateTime>,
    rare: Option<Box<Rare>>,
    pub(super) history: History,
    jitter: Jitter,
    inspection_due: bool,
    /// The next call waits for a place in the worker's limit.
    pub(super) is_queued: bool,
    /// What the last failure told of the container: it comes before an inspection.
    from_error: FromError,
    /// The end is wanted, and `shutdown` was not called yet.
    urgent: bool,
    /// Something is wanted that the driver has not seen.
    pub(super) news: bool,
    /// Something has changed that was not reported yet.
    pub(super) touched: bool,
}

impl Core {
    pub(super) fn new(
        id: &str,
        task: AnyTask,
        desired: TaskState,
        definitions: Definitions,
        now: UtcDateTime,
    ) -> Self {
        // An earlier agent may have died before the answer.
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
            touched: false,
        }
    }

    /// The driver was dropped before its end, and its controller with it. Another driver goes
    /// on from here.
    pub(super) fn abandoned(&mut self) {
        if self.goal == Goal::Ended {
            return;
        }
        self.is_queued = false;
        if matches!(self.has, Has::Controller | Has::ClosedController) {
            self.has = Has::Nothing;
            self.may_run = true;
            self.definitions.unresolvable = 0;
            // Every phase begins anew with the next controller.
            self.retry_at = At::NEVER;
            self.ease(|rare| rare.update_retry_at = None);
            self.deadline = At::NEVER;
            self.ease(|rare| rare.update_deadline = None);
            self.inspection_due = self.was_started() && !self.is_shutting_down();
        }
    }

    /// A workload may run, whatever the status says: an earlier agent may have started it, and
    /// died before that was stored. If no definition is known to be taken, it may be the wanted
    /// one. Returns whether the executor is to be asked for that one first.
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

    /// The removal has failed, and is tried again by another driver.
    pub(super) fn restarted(&mut self, goal: Goal) {
        self.goal = goal;
        self.has = Has::Nothing;
        self.exit = Exit::Closed;
        self.deadline = At::NEVER;
        self.retry_at = At::NEVER;
        self.ease(|rare| rare.retries = Retries::default());
        self.news = true;
    }

    /// A line of progress. Only a task in PREPARING has one.
    pub(super) fn report_progress(&mut self, line: Cow<'static, str>) {
        if self.task.state() == TaskState::Preparing {
            self.rare_mut().progress = Some(line);
        }
    }

    /// A sleep until this moment is over.
    pub(super) fn woke(&mut self, moment: Duration) {
        self.passed = self.passed.get().max(Some(moment)).into();
    }

    /// A call is over: what came due meanwhile has passed. What comes due just now has not,
    /// until a sleep says so.
    fn over(&mut self, now: Now) {
        let before_now = now.monotonic.checked_sub(Duration::from_nanos(1));
        self.passed = self.passed.get().max(before_now).into();
    }

    fn has_passed(&self, moment: Duration) -> bool {
        self.passed.get() >= Some(moment)
    }

    /// Whether a definition is to be offered to the controller. One that it had before is
    /// offered too: it may have taken a part of the one that came in between.
    fn is_changed(&self) -> bool {
        self.definitions.is_changed || self.definitions.is_offered
    }

    fn is_shutting_down(&self) -> bool {
        self.desired >= TaskState::Shutdown
    }
}

impl Definitions {
    /// What is wanted, and what a controller of an earlier agent has taken.
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

    /// A controller was made, with [`applied`](Self::applied).
    fn made(&mut self) {
        self.is_taken = true;
        self.is_offered = false;
        self.is_changed = self.wanted != self.applied && self.wanted != self.refused;
    }
}

/// What a controller of an earlier agent has taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Applied {
    Nothing,
    /// The same as is wanted now.
    Wanted,
    Other,
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
