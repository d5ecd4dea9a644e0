//! Applying events, which come from outside: a manager's moves, a replayed log.

use super::{AnyTask, noted};
use crate::lifecycle::event::{Event, Failure};
use crate::lifecycle::state::TaskState;
use alloc::boxed::Box;
use core::fmt;
use time::UtcDateTime;

impl AnyTask {
    /// [`apply`](Self::apply) for a task in a field or behind a reference.
    ///
    /// It cannot be interrupted: the task is never seen between two states.
    ///
    /// # Errors
    ///
    /// [`InvalidTransitionError`] if the table has no such edge. The task has not
    /// changed then.
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

    // The events with a failure have functions of their own, so that the others need
    // no room for a failure on the stack.

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

/// The table has no edge for an event in the task's state.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct InvalidTransitionError {
    /// The state of the task. It has not changed.
    pub from: TaskState,
    /// The event.
    pub event: Event,
}

impl fmt::Display for InvalidTransitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, event } = self;
        let event = event.kind();
        match event.leads_to(*from) {
            Some(to) => write!(f, "`{event}` leads to {to}, where no edge leads from {from}: ")?,
            None => write!(f, "`{event}` cannot happen to a task that is {from}: ")?,
        }
        if from.is_terminal() {
            return f.write_str("nothing follows a terminal state");
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

/// [`AnyTask::apply`] failed. The error gives the task back.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct ApplyError {
    /// The task, unchanged.
    pub task: AnyTask,
    /// The reason. Its text is the text of this error.
    pub reason: InvalidTransitionError,
}
