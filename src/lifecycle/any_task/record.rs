//! `AnyTask::record` and `resolved`: recording the results of a controller and of an
//! executor.

use super::{AnyTask, noted};
use crate::lifecycle::answer::{Answer, InvalidOperationError};
use crate::lifecycle::decision::Operation;
use crate::lifecycle::edge::Live;
use crate::lifecycle::event::{EventKind, Failure};
use crate::lifecycle::state::State;
use crate::lifecycle::task::Task;
use alloc::borrow::Cow;
use time::UtcDateTime;

impl AnyTask {
    /// Records the answer of a controller's operation: moves the task to its next state,
    /// or notes the error in its status.
    ///
    /// It is not `async` and cannot be interrupted, so no other code sees the task
    /// between two states.
    ///
    /// # Errors
    ///
    /// [`InvalidOperationError`] if the operation cannot run in the task's state. The
    /// task is unchanged.
    #[inline]
    pub fn record(
        &mut self,
        operation: Operation,
        answer: Answer,
        at: UtcDateTime,
    ) -> Result<(), InvalidOperationError> {
        match operation {
            Operation::Prepare => moves!(self;
                Preparing (task) => settle(task, answer, at, Task::prepared, Task::rejected),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
            Operation::Start => moves!(self;
                Starting (task) => settle(task, answer, at, Task::started, Task::failed),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
            Operation::Wait => moves!(self;
                Running (task) => settle(task, answer, at, Task::finished, Task::failed),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
            Operation::Shutdown => moves!(self;
                New | Pending | Assigned | Accepted | Preparing | Ready (task)
                    => settle(task, answer, at, Task::shut_down, Task::rejected),
                Starting | Running (task)
                    => settle(task, answer, at, Task::shut_down, Task::failed),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
            Operation::Terminate => moves!(self;
                New | Pending | Assigned | Accepted | Preparing | Ready (task)
                    => settle(task, answer, at, Task::terminated, Task::rejected),
                Starting | Running (task)
                    => settle(task, answer, at, Task::terminated, Task::failed),
                _ => return Err(InvalidOperationError::new(self.state(), operation)),
            ),
        }
        Ok(())
    }

    /// Records whether the executor has a controller for the task. Returns the kind of
    /// event that was recorded, if any. It never fails.
    ///
    /// | State of the task | With a controller | Without one |
    /// |---|---|---|
    /// | before ACCEPTED | → ACCEPTED | → REJECTED |
    /// | ACCEPTED, PREPARING, READY | unchanged | → REJECTED |
    /// | STARTING, RUNNING | unchanged | → FAILED |
    /// | terminal | unchanged | the error is noted |
    ///
    /// The failure's exit code and container status are ignored, because there was no
    /// workload.
    pub fn resolved(&mut self, answer: Result<(), Failure>, at: UtcDateTime) -> Option<EventKind> {
        match answer {
            Ok(()) => {
                moves!(self;
                    New | Pending | Assigned (task) => task.accepted(at),
                    _ => return None,
                );
                Some(EventKind::Accepted)
            }
            Err(failure) => {
                self.unresolved(failure.err, at);
                Some(EventKind::Unresolved)
            }
        }
    }

    #[inline(never)]
    pub(super) fn unresolved(&mut self, err: Cow<'static, str>, at: UtcDateTime) {
        each!(self, task => task.unresolved(err.clone(), at));
        let failure = Failure::new(err);
        moves!(self;
            New | Pending | Assigned | Accepted | Preparing | Ready (task)
                => task.rejected(failure, at),
            Starting | Running (task) => task.failed(failure, at),
            Complete | Shutdown | Failed | Rejected | Remove | Orphaned (task) => task,
        );
    }
}

/// The task after this answer of an operation: moved by `succeeded` or `failed`, or in
/// the same state with a note.
fn settle<S: Live, Next: State, End: State>(
    task: Task<S>,
    answer: Answer,
    at: UtcDateTime,
    succeeded: impl FnOnce(Task<S>, UtcDateTime) -> Task<Next>,
    failed: impl FnOnce(Task<S>, Failure, UtcDateTime) -> Task<End>,
) -> AnyTask
where
    AnyTask: From<Task<S>> + From<Task<Next>> + From<Task<End>>,
{
    match answer {
        Answer::Succeeded => succeeded(task, at).into(),
        Answer::Delayed(failure) => noted(task, |task| task.delayed(*failure, at)),
        Answer::Interrupted(failure) => noted(task, |task| task.interrupted(*failure, at)),
        Answer::Failed(failure) => failed(task, *failure, at).into(),
    }
}
