//! Comparison and copies of states.

use super::super::{Core, Definitions, Exit, TerminateReason};
use super::{Mode, State};
use crate::agent::driver::history::History;
use crate::exec::FromError;
use crate::lifecycle::AnyTask;
use alloc::sync::Arc;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::time::Duration;

/// The distance of a time.
#[derive(PartialEq, Eq, Hash, Debug)]
enum Away {
    Passed,
    /// It has not passed, but time is beyond it.
    Overdue,
    In(Duration),
}

impl State {
    fn away(&self, moment: Option<Duration>) -> Option<Away> {
        let moment = moment?;
        Some(match moment.checked_sub(self.now) {
            _ if self.core.has_passed(moment) => Away::Passed,
            Some(distance) => Away::In(distance),
            None => Away::Overdue,
        })
    }

    /// The numbers of definitions grow, so only their comparisons count.
    fn number(&self, number: u32) -> (bool, bool) {
        let Definitions { wanted, applied, .. } = self.core.definitions;
        (number == wanted, number == applied)
    }

    #[rustfmt::skip]
    fn key(&self) -> impl Hash + PartialEq + use<> {
        let core = &self.core;
        let definitions = core.definitions;
        let terminate_reason = match core.terminate_reason() {
            None => 0,
            Some(TerminateReason::Shutdown) => 1,
            Some(TerminateReason::Failure(_)) => 2,
        };
        let exit = match &core.exit {
            Exit::Closed => 0,
            Exit::Removed => 1,
            Exit::RemovalFailed => 2,
        };
        let (mode, until, number) = match self.mode {
            Mode::Calling { call, about, number, deadline } => {
                let mode = Mode::Calling { call, about, number: 0, deadline: None };
                (mode, self.away(deadline), self.number(number))
            }
            Mode::Waiting(until) => (Mode::Waiting(None), self.away(until), (until.is_some(), false)),
            mode => (mode, None, (false, false)),
        };
        (
            (core.task.state(), core.desired, core.goal as u8, core.has as u8, exit, terminate_reason),
            (self.wanted, self.applied, definitions.is_taken, definitions.wanted == definitions.applied),
            (self.number(definitions.refused), self.number(definitions.unresolvable)),
            (core.may_run, core.remove_later, core.shutting_down.is_some(), core.rare().terminating.is_some()),
            (self.away(core.retry_at.get()), self.away(core.rare().update_retry_at)),
            (self.away(core.deadline.get()), self.away(core.rare().update_deadline)),
            (core.inspection_due, core.urgent, core.news),
            (mode, until, number, self.world, self.rules, self.broken),
        )
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { core, wanted, applied, mode, now, world, rules, broken } = self;
        write!(f, "{now:?} {mode:?} {} of {}, {:?}", core.task.state(), core.desired, core.goal)?;
        write!(f, " {:?} wanted {wanted} applied {applied:?} {:?}", core.has, core.definitions)?;
        write!(
            f,
            " retry {:?} deadline {:?} {world:?} {rules:?} {broken:?}",
            core.retry_at, core.deadline
        )
    }
}

impl Clone for State {
    fn clone(&self) -> Self {
        Self { core: copy(&self.core), ..*self }
    }
}

/// A task is not `Clone`, so a copy is resumed from its status.
pub(super) fn copy(core: &Core) -> Core {
    Core {
        rare: core.rare.clone(),
        task: AnyTask::resume(core.task.status()),
        policy: Arc::clone(&core.policy),
        history: History::default(),
        jitter: core.jitter.clone(),
        from_error: FromError::default(),
        ..*core
    }
}
