//! What a driver does next: its whole logic, without a single `.await`.
//!
//! The driver asks [`Life::next`], does that, and tells what came of it; its
//! handle tells what somebody wants. Nothing here waits, calls a controller or
//! reads a clock, so nothing here can be interrupted.
//!
//! The numbers in comments are those of the rules in `docs/driver.md`.

mod answer;
mod wish;

use super::Ended;
use super::history::History;
use crate::agent::policy::{Jitter, Policy};
use crate::agent::timer::Timer;
use crate::exec::{Assignment, FromError, WallClock};
use crate::lifecycle::{AnyTask, Decision, Event, Failure, Operation, TaskState, decide};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::mem;
use core::time::Duration;
use time::UtcDateTime;

/// What a driver calls on a controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Call {
    /// An operation whose outcome moves the task.
    Operate(Operation),
    Update,
    Inspect,
    Remove,
    Close,
}

/// What a driver does next.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Record this; no call is needed for it.
    Record(Event),
    /// Call this.
    Call(Call),
    /// Wait for news, or until this moment.
    Wait(Option<Duration>),
    /// Nothing, ever again.
    Nothing,
}

/// How far the driver is to go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Goal {
    /// Take the task to its desired state.
    Live,
    /// Remove what the task has, then close.
    Remove,
    /// Close the controller, and leave the task as it is.
    Close,
    /// `close` was called, and is not called again.
    Closing,
    /// Done.
    Gone,
}

/// Why a task is terminated, and so what it is when that has succeeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Because {
    /// Its shutdown did not succeed, or not in time: it is shut down.
    Shutdown,
    /// It did not start in time: it has failed.
    StartDeadline,
}

/// One task's life, and all that is wanted of it.
pub(super) struct Life<D> {
    pub(super) task: AnyTask,
    /// Since when the task has been in its state.
    pub(super) since: UtcDateTime,
    pub(super) desired: TaskState,
    pub(super) version: u64,
    pub(super) definition: D,
    pub(super) policy: Arc<Policy>,
    pub(super) goal: Goal,
    /// Since when the workload is asked to end.
    pub(super) shutting_down: Option<UtcDateTime>,
    /// Since when the workload is being ended by force.
    pub(super) terminating: Option<UtcDateTime>,
    /// Why it is, or is about to be, ended by force.
    last_resort: Option<Because>,
    /// When what is next to be called is to be called again.
    pub(super) retry_at: Option<Duration>,
    pub(super) retries: Retries,
    pub(super) history: History,
    /// The definition that the controller refused, and what it said.
    pub(super) refused: Option<Box<(u64, String)>>,
    /// How it has ended, as far as it has.
    pub(super) ended: Ended,
    update_retry_at: Option<Duration>,
    /// When the phase that the task is in has lasted too long.
    deadline: Option<Duration>,
    /// The last moment that the timer has said has come. No clock is asked whether
    /// it has: what comes first at the same moment is then the timer's to say.
    pub(super) passed: Option<Duration>,
    /// Counts the changes of the definition; the controller has taken so many.
    changes: u32,
    taken: u32,
    inspection_due: bool,
    from_error: FromError,
    /// Somebody wants the end, and it has not been called for.
    urgent: bool,
    /// Somebody wants something that the driver has not seen.
    pub(super) news: bool,
    jitter: Jitter,
}

/// How often each call has been tried again, in its row.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Retries([u16; 7]);

impl Retries {
    /// Of those calls that are made again; the others are made but once.
    fn place(call: Call) -> Option<usize> {
        Some(match call {
            Call::Operate(Operation::Prepare) => 0,
            Call::Operate(Operation::Start) => 1,
            Call::Operate(Operation::Wait) => 2,
            Call::Operate(Operation::Shutdown) => 3,
            Call::Operate(Operation::Terminate) => 4,
            Call::Update => 5,
            Call::Remove => 6,
            Call::Inspect | Call::Close => return None,
        })
    }

    fn of(&self, call: Call) -> Option<u16> {
        self.0.get(Self::place(call)?).copied()
    }

    /// The call has returned, and is made again or not. Gives how often it was
    /// before.
    fn count(&mut self, call: Call, again: bool) -> Option<u16> {
        let retries = self.0.get_mut(Self::place(call)?)?;
        Some(mem::replace(retries, if again { retries.saturating_add(1) } else { 0 }))
    }
}

impl<D> Life<D> {
    pub(super) fn new(
        task: AnyTask,
        assignment: Assignment<D>,
        policy: Arc<Policy>,
        since: UtcDateTime,
    ) -> Self {
        let Assignment { id, version, desired_state, definition, .. } = assignment;
        let jitter = Jitter::of(&id);
        // Whoever was here before may have gone before the answer.
        let was_started = matches!(task.state(), TaskState::Starting | TaskState::Running);
        let inspection_due = was_started && desired_state < TaskState::Shutdown;
        Self {
            since: task.timestamp().unwrap_or(since),
            task,
            desired: desired_state,
            version,
            definition,
            policy,
            goal: Goal::Live,
            shutting_down: None,
            terminating: None,
            last_resort: None,
            retry_at: None,
            retries: Retries::default(),
            history: History::default(),
            refused: None,
            ended: Ended::Closed,
            update_retry_at: None,
            deadline: None,
            passed: None,
            changes: 0,
            taken: 0,
            inspection_due,
            from_error: FromError::default(),
            urgent: false,
            news: false,
            jitter,
        }
    }

    /// What to do next.
    pub(super) fn next(&mut self) -> Next {
        self.news = false;
        if self.goal == Goal::Live {
            if self.inspection_due {
                return Next::Call(Call::Inspect);
            }
            if self.deadline.is_some_and(|deadline| self.has_passed(deadline)) {
                return self.too_late();
            }
        }
        let next = self.course();
        let Next::Call(call) = next else { return next };
        match self.retry_of(call) {
            Some(at) if !self.has_passed(at) => Next::Wait(earlier(Some(at), self.deadline)),
            _ => next,
        }
    }

    /// What the task is at: what is to be done next, whether it is time for it or
    /// not.
    fn course(&self) -> Next {
        match self.goal {
            Goal::Closing | Goal::Gone => return Next::Nothing,
            Goal::Close => return Next::Call(Call::Close),
            Goal::Remove => return Next::Call(Call::Remove),
            Goal::Live => {}
        }
        match decide(self.task.state(), self.desired) {
            _ if self.task.state().is_terminal() => Next::Wait(None),
            _ if self.last_resort.is_some() => Next::Call(Call::Operate(Operation::Terminate)),
            _ if self.is_changed() && self.desired < TaskState::Shutdown => {
                Next::Call(Call::Update)
            }
            Decision::Rest => Next::Wait(None),
            Decision::Record(event) => Next::Record(event),
            Decision::Perform(operation) => Next::Call(Call::Operate(operation)),
        }
    }

    /// When this is to be called again.
    fn retry_of(&self, call: Call) -> Option<Duration> {
        match call {
            Call::Operate(_) | Call::Remove => self.retry_at,
            Call::Update => self.update_retry_at,
            Call::Inspect | Call::Close => None,
        }
    }

    /// Which attempt of its call the task is at, from 1, and when the next one is
    /// made; 0 where it has nothing to call, or calls it but once.
    pub(super) fn attempt(&self) -> (u32, Option<Duration>) {
        let Next::Call(call) = self.course() else { return (0, None) };
        let attempt = self.retries.of(call).map_or(0, |retries| u32::from(retries) + 1);
        (attempt, self.retry_of(call))
    }

    fn has_passed(&self, moment: Duration) -> bool {
        self.passed >= Some(moment)
    }

    /// A call is over: what came due meanwhile has passed. What comes due just now
    /// is the timer's to say.
    pub(super) fn over(&mut self, timer: &impl Timer) {
        if self.retry_at.is_some() || self.update_retry_at.is_some() {
            let before_now = timer.now().checked_sub(Duration::from_nanos(1));
            self.passed = self.passed.max(before_now);
        }
    }

    /// The deadline of the phase has passed (rules 4 and 10).
    fn too_late(&mut self) -> Next {
        self.deadline = None;
        if self.desired >= TaskState::Shutdown {
            return self.resort(Because::Shutdown);
        }
        if self.task.state() == TaskState::Starting {
            return self.resort(Because::StartDeadline);
        }
        Next::Record(Event::failed(exceeded(Operation::Prepare, self.policy.prepare_deadline)))
    }

    /// From here on nothing but `terminate` is called, until it has done it.
    fn resort(&mut self, because: Because) -> Next {
        let because_of = match because {
            Because::Shutdown => "shutdown",
            Because::StartDeadline => "start",
        };
        tracing::warn!(did_not_succeed = because_of, "task is terminated");
        self.last_resort = Some(because);
        self.deadline = None;
        self.retry_at = None;
        Next::Call(Call::Operate(Operation::Terminate))
    }

    /// A call begins.
    pub(super) fn begin(&mut self, call: Call, timer: &impl Timer, clock: &impl WallClock) {
        match call {
            Call::Operate(operation) => {
                self.retry_at = None;
                self.begin_operation(operation, timer, clock);
            }
            Call::Remove => self.retry_at = None,
            Call::Update => self.update_retry_at = None,
            Call::Inspect => {}
            // Dropped or not, it is not called again.
            Call::Close => self.goal = Goal::Closing,
        }
    }

    fn begin_operation(
        &mut self,
        operation: Operation,
        timer: &impl Timer,
        clock: &impl WallClock,
    ) {
        let allowed = match operation {
            Operation::Prepare => self.policy.prepare_deadline,
            Operation::Start => self.policy.start_deadline,
            Operation::Shutdown => {
                self.urgent = false;
                // The grace runs from the first call.
                if self.shutting_down.is_some() {
                    return;
                }
                self.shutting_down = Some(clock.now());
                self.policy.shutdown_grace
            }
            Operation::Terminate => {
                self.urgent = false;
                self.terminating.get_or_insert_with(|| clock.now());
                return;
            }
            Operation::Wait => return,
        };
        if self.deadline.is_none() {
            self.deadline = allowed.and_then(|allowed| timer.now().checked_add(allowed));
        }
    }

    /// Whether a call in flight is no longer wanted (rules 3, 5 and 9).
    pub(super) fn interrupts(&self, call: Call) -> bool {
        match (self.goal, call) {
            (Goal::Closing | Goal::Gone, _) | (Goal::Live, Call::Operate(Operation::Terminate)) => {
                false
            }
            (Goal::Live, Call::Operate(Operation::Wait)) => self.urgent || self.is_changed(),
            (Goal::Live, _) => self.urgent,
            (Goal::Remove, call) => call != Call::Remove,
            (Goal::Close, _) => true,
        }
    }

    /// When a call in flight has taken too long. A `terminate` never does: it is
    /// the last resort (rule 4).
    pub(super) fn deadline_of(&self, call: Call, timer: &impl Timer) -> Option<Duration> {
        match call {
            Call::Operate(Operation::Terminate) | Call::Remove | Call::Close => None,
            Call::Operate(_) | Call::Update => self.deadline,
            Call::Inspect => {
                let allowed = self.policy.inspect_deadline;
                let inquiry = allowed.and_then(|allowed| timer.now().checked_add(allowed));
                earlier(self.deadline, inquiry)
            }
        }
    }

    pub(super) fn taken_version(&self) -> Option<u64> {
        let is_refused = self.refused.as_ref().is_some_and(|refused| refused.0 == self.version);
        (!self.is_changed() && !is_refused).then_some(self.version)
    }

    fn is_changed(&self) -> bool {
        self.changes != self.taken
    }
}

impl<D: Clone> Life<D> {
    /// What is offered to the controller by an `update` now.
    pub(super) fn offer(&self) -> Offer<D> {
        Offer { changes: self.changes, version: self.version, definition: self.definition.clone() }
    }
}

/// What is offered to the controller in an `update`.
pub(super) struct Offer<D> {
    changes: u32,
    version: u64,
    pub(super) definition: D,
}

fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// A deadline that has passed, as the end of a task.
fn exceeded(operation: Operation, deadline: Option<Duration>) -> Failure {
    Failure::new(format!("{operation}: deadline of {:?} exceeded", deadline.unwrap_or_default()))
}
