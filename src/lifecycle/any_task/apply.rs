//! `AnyTask::apply` and `advance`: events from outside, for example a manager's moves or
//! a replayed log.

use super::{AnyTask, noted};
use crate::lifecycle::event::{Event, Failure};
use crate::lifecycle::state::TaskState;
use alloc::boxed::Box;
use core::fmt;
use time::UtcDateTime;

impl AnyTask {
    /// Applies an event to a task in a field or behind a reference; see
    /// [`apply`](Self::apply).
    ///
    /// It is not `async` and cannot be interrupted, so no other code sees the task
    /// between two states.
    ///
    /// # Errors
    ///
    /// [`InvalidTransitionError`] if the table has no such edge. The task is unchanged.
    #[inline]
    pub fn advance(&mut self, event: Event, at: UtcDateTime) -> Result<(), InvalidTransitionError> {
        match event {
            Event::Allocated => moves!(self;
                New (task) => task.allocated(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Assigned => moves!(self;
                Pending (task) => task.assigned(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Accepted => moves!(self;
                New | Pending | Assigned (task) => task.accepted(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Preparing => moves!(self;
                Accepted (task) => task.preparing(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Prepared => moves!(self;
                Preparing (task) => task.prepared(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Starting => moves!(self;
                Ready (task) => task.starting(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Started => moves!(self;
                Starting (task) => task.started(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Finished => moves!(self;
                Running (task) => task.finished(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::ShutDown => moves!(self;
                New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                    => task.shut_down(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Terminated => moves!(self;
                New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                    => task.terminated(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Orphaned => moves!(self;
                Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                    => task.orphaned(at),
                _ => return Err(self.refuses(event)),
            ),
            Event::Failed(failure) => return self.failed(failure, at),
            Event::Delayed(failure) => return self.delayed(failure, at),
            Event::Interrupted(failure) => return self.interrupted(failure, at),
            Event::Unresolved(failure) => self.unresolved(failure.err, at),
        }
        Ok(())
    }

    // Events with a failure have their own functions, so that the other events do not
    // reserve stack space for a failure.

    #[inline(never)]
    fn failed(
        &mut self,
        failure: Box<Failure>,
        at: UtcDateTime,
    ) -> Result<(), InvalidTransitionError> {
        moves!(self;
            New | Pending | Assigned | Accepted | Preparing | Ready (task)
                => task.rejected(*failure, at),
            Starting | Running (task) => task.failed(*failure, at),
            _ => return Err(self.refuses(Event::Failed(failure))),
        );
        Ok(())
    }

    #[inline(never)]
    fn delayed(
        &mut self,
        failure: Box<Failure>,
        at: UtcDateTime,
    ) -> Result<(), InvalidTransitionError> {
        moves!(self;
            New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                => noted(task, |task| task.delayed(*failure, at)),
            _ => return Err(self.refuses(Event::Delayed(failure))),
        );
        Ok(())
    }

    #[inline(never)]
    fn interrupted(
        &mut self,
        failure: Box<Failure>,
        at: UtcDateTime,
    ) -> Result<(), InvalidTransitionError> {
        moves!(self;
            New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running (task)
                => noted(task, |task| task.interrupted(*failure, at)),
            _ => return Err(self.refuses(Event::Interrupted(failure))),
        );
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn refuses(&self, event: Event) -> InvalidTransitionError {
        InvalidTransitionError { from: self.state(), event }
    }
}

/// The error of an event whose edge the table does not have.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InvalidTransitionError {
    /// The state of the task, which has not changed.
    pub from: TaskState,
    /// The event that was refused.
    pub event: Event,
}

impl fmt::Display for InvalidTransitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, event } = self;
        let event = event.kind();
        write!(f, "cannot apply `{event}` in state {from}: ")?;
        if from.is_terminal() {
            return f.write_str("the state is terminal");
        }
        if let Some(to) = event.leads_to(*from) {
            write!(f, "no edge leads to {to}; ")?;
        }
        let last = from.successors().last();
        for (i, legal) in from.successors().enumerate() {
            f.write_str(match i {
                0 => "expected ",
                _ if Some(legal) == last => " or ",
                _ => ", ",
            })?;
            write!(f, "{legal}")?;
        }
        Ok(())
    }
}

impl core::error::Error for InvalidTransitionError {}

/// The error of [`AnyTask::apply`], which returns the task.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct ApplyError {
    /// The task, unchanged.
    pub task: AnyTask,
    /// The reason. Its text is also the text of this error.
    pub reason: InvalidTransitionError,
}
