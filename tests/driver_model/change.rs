//! What calls and words change in the model, and what a snapshot says of it.

use super::event::Op;
use super::model::{Because, Goal, Model, Window};
use onward::agent::UpdateRefused;
use onward::lifecycle::TaskState;
use std::time::Duration;

impl Model {
    /// Which attempt of its call the task is at, from 1; 0 where it has none.
    pub(crate) fn attempt(&self) -> u32 {
        self.course().map_or(0, |op| self.retries[op as usize] + 1)
    }

    /// When the task waits for another attempt of that call, if it does.
    pub(crate) fn next_attempt(&mut self) -> Option<&mut Window> {
        match self.course()? {
            Op::Update => self.update_retry.as_mut(),
            _ => self.retry.as_mut().map(|(_, at)| at),
        }
    }

    /// What the task is at, whether it is time for it or not.
    fn course(&self) -> Option<Op> {
        use TaskState::{Preparing, Running, Shutdown, Starting};
        let state = self.record.status.state;
        Some(match state {
            _ if self.goal == Goal::Remove => Op::Remove,
            _ if self.goal != Goal::Live || state.is_terminal() => return None,
            _ if self.because.is_some() => Op::Terminate,
            _ if self.desired >= Shutdown => Op::Shutdown,
            _ if self.changed || self.offered.is_some() => Op::Update,
            Preparing if self.desired >= Preparing => Op::Prepare,
            Starting if self.desired >= Starting => Op::Start,
            Running if self.desired >= Running => Op::Wait,
            _ => return None,
        })
    }

    /// A call has begun.
    pub(crate) fn begin(&mut self, op: Op, now: Duration) {
        if op == Op::Terminate && self.because.is_none() {
            // It was the deadline that asked for it: the grace, or the start's.
            let shutdown = self.desired >= TaskState::Shutdown;
            self.because = Some(if shutdown { Because::Shutdown } else { Because::StartDeadline });
        }
        let wall = self.record.wall(now);
        let allowed = match op {
            Op::Prepare => self.policy.prepare_deadline,
            Op::Start => self.policy.start_deadline,
            // 4: the grace runs from the first call, and covers the retries.
            Op::Shutdown if self.record.shutting_down.is_none() => self.policy.shutdown_grace,
            _ => None,
        };
        self.deadline = self.deadline.or(allowed.map(|allowed| now + allowed));
        match op {
            Op::Shutdown => _ = self.record.shutting_down.get_or_insert(wall),
            Op::Terminate => {
                self.record.terminating.get_or_insert(wall);
                self.deadline = None;
            }
            Op::Update => {
                self.offered = Some(self.version);
                self.changed = false;
                self.update_retry = None;
            }
            Op::Close => self.goal = Goal::Closed,
            _ => {}
        }
        self.urgent &= !matches!(op, Op::Shutdown | Op::Terminate);
        if !matches!(op, Op::Update | Op::Inspect) {
            self.retry = None;
        }
        let inquiry = self.policy.inspect_deadline.map(|allowed| now + allowed);
        let until = match op {
            Op::Terminate | Op::Remove | Op::Close => None,
            Op::Inspect => inquiry.into_iter().chain(self.deadline).min(),
            _ => self.deadline,
        };
        self.flight = Some((op, until));
        self.late = false;
    }

    /// What an update must be answered (11), and what it brings about.
    pub(crate) fn update(
        &mut self,
        id: &str,
        desired: TaskState,
        version: u64,
    ) -> Result<(), UpdateRefused> {
        if self.goal != Goal::Live || self.ended {
            return Err(UpdateRefused::Ended);
        }
        if id != "t" {
            return Err(UpdateRefused::OtherTask { id: "t".into(), given: id.into() });
        }
        if desired < self.desired {
            let present = self.desired;
            return Err(UpdateRefused::LowerDesiredState { present, given: desired });
        }
        let raised = desired > self.desired;
        let shuts_down = self.desired < TaskState::Shutdown && desired >= TaskState::Shutdown;
        let changed = self.version != version;
        (self.desired, self.version) = (desired, version);
        if self.record.status.state.is_terminal() {
            return Ok(());
        }
        if shuts_down {
            self.urgent = true;
            // T14: no inquiry stands in the way.
            if self.flight.is_none_or(|(op, _)| op != Op::Inspect) {
                self.inspection = None;
            }
            self.deadline = None;
        }
        let matters = changed && desired < TaskState::Shutdown && self.because.is_none();
        self.changed |= matters;
        if raised || matters {
            (self.retry, self.update_retry) = (None, None);
        }
        Ok(())
    }

    /// The timer was set for this moment, or a snapshot told it: what a jitter
    /// left open is known.
    pub(crate) fn learn(&mut self, at: Duration) {
        let updates = self.wants_update() && self.goal == Goal::Live;
        let window = if updates {
            self.update_retry.as_mut()
        } else {
            self.retry.as_mut().map(|(_, at)| at)
        };
        if let Some(window) =
            window.filter(|_| self.flight.is_none()).filter(|window| window.contains(at))
        {
            // At the same moment it is the deadline that was waited for.
            let until = if self.deadline == Some(at) { window.to } else { at };
            *window = Window { from: at, to: until };
        }
    }

    /// The same, of a retry that could have come before now, and did not: nobody
    /// saw its moment while the driver was at something else.
    pub(crate) fn learn_late(&mut self, at: Duration) {
        let passed = self.passed;
        if let Some(window) = self.next_attempt().filter(|window| window.contains(at))
            && Some(window.from) <= passed
            && Some(at) > passed
        {
            *window = super::model::exactly(at);
        }
    }
}
