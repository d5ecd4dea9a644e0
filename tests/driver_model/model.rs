//! The model: the expected next event, after the events so far.
//!
//! It is written from the rules of `docs/driver.md` (the numbers in comments) and of
//! `docs/swarmkit.md` (those with a letter), and not from the driver. It is sequential and has no
//! futures. It gets one event after the other, and fails at the first wrong one.

use super::event::{Bad, Event, Op};
use super::record::{Known, Record};
use onward::agent::Policy;
use onward::lifecycle::TaskState;
use std::time::Duration;

pub(crate) type Verdict = Result<(), String>;

/// A time: exact, or within the bounds of the jitter.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Window {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Goal {
    Live,
    Remove,
    Close,
    /// `close` was called.
    Closed,
}

/// Whether there is a controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Has {
    Nothing,
    Controller,
    /// The executor has failed for good, or its deadline expired.
    Refusal,
}

/// Why `terminate` is called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Because {
    Shutdown,
    /// The task will fail like this, and its workload may run (4, 10, 12).
    Failure(String, Bad),
}

/// The expected next action of the driver.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Next {
    Report,
    Move(TaskState, &'static str),
    /// The deadline of `prepare` has expired.
    Reject,
    /// The deadline of the executor has expired.
    Unresolved,
    /// The deadline of `remove` has expired.
    GiveUp,
    /// The deadline of `update` has expired.
    RefuseUpdate,
    Call(Op),
    Drop(Op),
    /// Wait, until a time.
    Rest(Option<Window>),
    End,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct Model {
    pub(crate) policy: Policy,
    pub(crate) record: Record,
    pub(crate) desired: TaskState,
    /// The wanted definition, and the applied one.
    pub(crate) version: u64,
    pub(crate) applied: Option<u64>,
    pub(crate) has: Has,
    /// An earlier agent may have started the workload.
    pub(crate) may_run: bool,
    pub(crate) goal: Goal,
    /// The removal waits for the shutdown.
    pub(crate) remove_later: bool,
    /// The error of a removal, an update or the executor that is retried.
    pub(crate) last_error: Option<String>,
    pub(crate) ended: bool,
    /// How the run ends.
    pub(crate) end: String,
    /// The call in flight, its deadline, and whether that has expired.
    pub(crate) flight: Option<(Op, Option<Duration>)>,
    pub(crate) late: bool,
    /// The container status that the inspection must keep.
    pub(crate) inspection: Option<Known>,
    /// The call that is retried, and the time of the retry.
    pub(crate) retry: Option<(Op, Window)>,
    pub(crate) update_retry: Option<Window>,
    /// The successive retries of each operation.
    pub(crate) retries: [u32; 10],
    pub(crate) deadline: Option<Duration>,
    pub(crate) update_deadline: Option<Duration>,
    /// When the `terminate` in flight began.
    pub(crate) terminate_began: Duration,
    /// The latest time at which a sleep of the driver has ended.
    pub(crate) passed: Option<Duration>,
    pub(crate) because: Option<Because>,
    /// Whether the definition has changed since the last update, and whether an update has begun
    /// and not returned.
    pub(crate) changed: bool,
    pub(crate) offered: Option<u64>,
    /// The definition that the executor is asked for until it refuses, if a workload of it may run.
    pub(crate) asked: Option<u64>,
    pub(crate) refused: Option<String>,
    /// Why the definition may be refused. The next snapshot shows whether it is.
    pub(crate) may_be_refused: Option<String>,
    /// A shutdown was requested, and `shutdown` was not called yet.
    pub(crate) urgent: bool,
    /// There was a request while the driver was polled.
    pub(crate) told: bool,
    pub(crate) polled: bool,
    pub(crate) stopping: bool,
}

impl Model {
    pub(crate) fn new(policy: Policy, record: Record, desired: TaskState, may_run: bool) -> Self {
        // 13: a task that was started before is inspected.
        let state = record.status.state;
        let inspection = matches!(state, TaskState::Starting | TaskState::Running)
            && desired < TaskState::Shutdown;
        Self {
            policy,
            record,
            desired,
            version: 1,
            applied: None,
            has: Has::Nothing,
            may_run,
            goal: Goal::Live,
            remove_later: false,
            last_error: None,
            ended: false,
            end: "Closed".into(),
            flight: None,
            late: false,
            inspection: inspection.then(super::record::Known::default),
            retry: None,
            update_retry: None,
            retries: [0; 10],
            deadline: None,
            update_deadline: None,
            terminate_began: Duration::ZERO,
            passed: None,
            because: None,
            changed: false,
            offered: None,
            asked: may_run.then_some(1),
            refused: None,
            may_be_refused: None,
            urgent: false,
            told: false,
            polled: false,
            stopping: false,
        }
    }

    /// Whether `update` is due: never during a shutdown (5).
    pub(crate) fn wants_update(&self) -> bool {
        self.changed && self.desired < TaskState::Shutdown && self.because.is_none()
    }

    /// A call has ended: earlier times have passed, without a sleep.
    pub(crate) fn over(&mut self, now: Duration) {
        self.passed = self.passed.max(now.checked_sub(Duration::from_nanos(1)));
    }

    pub(crate) fn has_passed(&self, deadline: Option<Duration>) -> bool {
        deadline.is_some_and(|deadline| Some(deadline) <= self.passed)
    }

    /// The expected next action.
    pub(crate) fn next(&self) -> Next {
        if self.record.unreported {
            return Next::Report;
        }
        if let Some((op, until)) = self.flight {
            let drop = self.late || self.stopping || self.is_unwanted(op);
            return if drop { Next::Drop(op) } else { Next::Rest(until.map(exactly)) };
        }
        match self.goal {
            Goal::Close if self.has == Has::Controller => return Next::Call(Op::Close),
            Goal::Close | Goal::Closed => return Next::End,
            Goal::Remove if self.has_passed(self.deadline) => return Next::GiveUp,
            Goal::Remove if self.has == Has::Controller => return self.when_due(Op::Remove),
            Goal::Remove | Goal::Live => {}
        }
        if self.has != Has::Controller {
            return match self.has {
                _ if self.has_passed(self.deadline) => Next::Unresolved,
                Has::Refusal => Next::Rest(None),
                _ => self.when_due(Op::Controller),
            };
        }
        let state = self.record.status.state;
        if self.inspection.is_some() {
            return Next::Call(Op::Inspect);
        }
        if state.is_terminal() {
            return Next::Rest(None);
        }
        // 10; and 4: the grace of a shutdown.
        if self.has_passed(self.deadline) {
            let preparing = self.desired < TaskState::Shutdown && state == TaskState::Preparing;
            let reject = preparing && !self.may_run;
            return if reject { Next::Reject } else { Next::Call(Op::Terminate) };
        }
        if self.because.is_some() {
            return self.when_due(Op::Terminate);
        }
        // 5: before anything else.
        if self.wants_update() {
            if self.has_passed(self.update_deadline) {
                return Next::RefuseUpdate;
            }
            return self.wait_or(self.update_retry, Op::Update);
        }
        self.toward_the_desired_state(state)
    }

    /// D3 to D7.
    fn toward_the_desired_state(&self, state: TaskState) -> Next {
        use TaskState::{Accepted, Preparing, Ready, Running, Shutdown, Starting};
        let desired = self.desired;
        match state {
            _ if desired >= Shutdown => self.when_due(Op::Shutdown),
            Preparing if desired >= Preparing => self.when_due(Op::Prepare),
            Starting if desired >= Starting => self.when_due(Op::Start),
            Running if desired >= Running => self.when_due(Op::Wait),
            Accepted if desired > Accepted => Next::Move(Preparing, "preparing"),
            Ready if desired > Ready => Next::Move(Starting, "starting"),
            _ if state < Accepted && desired > state => Next::Move(Accepted, "accepted"),
            _ => Next::Rest(None),
        }
    }

    /// 7: only a retry waits.
    fn when_due(&self, op: Op) -> Next {
        self.wait_or(self.retry.filter(|(retried, _)| *retried == op).map(|(_, at)| at), op)
    }

    fn wait_or(&self, retry: Option<Window>, op: Op) -> Next {
        match retry {
            Some(at) if Some(at.from) > self.passed => {
                let update = self.update_deadline.filter(|_| op == Op::Update);
                let deadlines = self.deadline.into_iter().chain(update);
                Next::Rest(Some(deadlines.fold(at, Window::or)))
            }
            _ => Next::Call(op),
        }
    }

    /// 3, 5, 9.
    fn is_unwanted(&self, op: Op) -> bool {
        match self.goal {
            Goal::Closed => false,
            Goal::Close => true,
            Goal::Remove => !matches!(op, Op::Remove | Op::Controller),
            Goal::Live => match op {
                // A shutdown needs a controller.
                Op::Terminate | Op::Controller => false,
                Op::Wait => self.urgent || self.wants_update(),
                _ => self.urgent,
            },
        }
    }

    pub(crate) fn check(&mut self, now: Duration, event: &Event) -> Verdict {
        super::follow::follow(self, now, event)
    }
}

pub(crate) fn exactly(at: Duration) -> Window {
    Window { from: at, to: at }
}

impl Window {
    /// The earlier of two times.
    fn or(self, other: Duration) -> Self {
        Self { from: self.from.min(other), to: self.to.min(other) }
    }

    pub(crate) fn contains(self, at: Duration) -> bool {
        self.from <= at && at <= self.to
    }
}
