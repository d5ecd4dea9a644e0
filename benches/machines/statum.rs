//! The life of a task with statum: its states are types. The record is boxed, as in `onward`,
//! because each transition moves it.

use super::record::{At, Record};
use statum::{machine, state, transition};

#[state]
#[derive(Debug)]
pub enum TaskState {
    New,
    Pending,
    Assigned,
    Accepted,
    Preparing,
    Ready,
    Starting,
    Running,
    Complete,
    Shutdown,
    Failed,
    Rejected,
    Remove,
    Orphaned,
}

#[machine]
#[derive(Debug)]
pub struct Task<TaskState> {
    pub record: Box<Record>,
}

#[transition]
impl Task<New> {
    pub fn allocated(mut self, at: At) -> Task<Pending> {
        self.record.done("pending task scheduling", at);
        self.transition()
    }

    pub fn accepted(mut self, at: At) -> Task<Accepted> {
        self.record.done("accepted", at);
        self.transition()
    }

    pub fn shut_down(mut self, at: At) -> Task<Shutdown> {
        self.record.done("shutdown", at);
        self.transition()
    }

    pub fn rejected(mut self, at: At) -> Task<Rejected> {
        self.record.ended("failed", at);
        self.transition()
    }
}

#[transition]
impl Task<Pending> {
    pub fn assigned(mut self, at: At) -> Task<Assigned> {
        self.record.done("scheduler assigned task to node", at);
        self.transition()
    }

    pub fn accepted(mut self, at: At) -> Task<Accepted> {
        self.record.done("accepted", at);
        self.transition()
    }

    pub fn shut_down(mut self, at: At) -> Task<Shutdown> {
        self.record.done("shutdown", at);
        self.transition()
    }

    pub fn rejected(mut self, at: At) -> Task<Rejected> {
        self.record.ended("failed", at);
        self.transition()
    }
}

#[transition]
impl Task<Assigned> {
    pub fn accepted(mut self, at: At) -> Task<Accepted> {
        self.record.done("accepted", at);
        self.transition()
    }

    pub fn shut_down(mut self, at: At) -> Task<Shutdown> {
        self.record.done("shutdown", at);
        self.transition()
    }

    pub fn rejected(mut self, at: At) -> Task<Rejected> {
        self.record.ended("failed", at);
        self.transition()
    }

    pub fn orphaned(mut self, at: At) -> Task<Orphaned> {
        self.record.done("orphaned", at);
        self.transition()
    }
}

#[transition]
impl Task<Accepted> {
    pub fn preparing(mut self, at: At) -> Task<Preparing> {
        self.record.done("preparing", at);
        self.transition()
    }

    pub fn shut_down(mut self, at: At) -> Task<Shutdown> {
        self.record.done("shutdown", at);
        self.transition()
    }

    pub fn rejected(mut self, at: At) -> Task<Rejected> {
        self.record.ended("failed", at);
        self.transition()
    }

    pub fn orphaned(mut self, at: At) -> Task<Orphaned> {
        self.record.done("orphaned", at);
        self.transition()
    }
}

#[transition]
impl Task<Preparing> {
    pub fn prepared(mut self, at: At) -> Task<Ready> {
        self.record.done("prepared", at);
        self.transition()
    }

    pub fn shut_down(mut self, at: At) -> Task<Shutdown> {
        self.record.done("shutdown", at);
        self.transition()
    }

    pub fn rejected(mut self, at: At) -> Task<Rejected> {
        self.record.ended("failed", at);
        self.transition()
    }

    pub fn orphaned(mut self, at: At) -> Task<Orphaned> {
        self.record.done("orphaned", at);
        self.transition()
    }
}

#[transition]
impl Task<Ready> {
    pub fn starting(mut self, at: At) -> Task<Starting> {
        self.record.done("starting", at);
        self.transition()
    }

    pub fn shut_down(mut self, at: At) -> Task<Shutdown> {
        self.record.done("shutdown", at);
        self.transition()
    }

    pub fn rejected(mut self, at: At) -> Task<Rejected> {
        self.record.ended("failed", at);
        self.transition()
    }

    pub fn orphaned(mut self, at: At) -> Task<Orphaned> {
        self.record.done("orphaned", at);
        self.transition()
    }
}

#[transition]
impl Task<Starting> {
    pub fn started(mut self, at: At) -> Task<Running> {
        self.record.done("started", at);
        self.transition()
    }

    pub fn shut_down(mut self, at: At) -> Task<Shutdown> {
        self.record.done("shutdown", at);
        self.transition()
    }

    pub fn failed(mut self, at: At) -> Task<Failed> {
        self.record.ended("failed", at);
        self.transition()
    }

    pub fn orphaned(mut self, at: At) -> Task<Orphaned> {
        self.record.done("orphaned", at);
        self.transition()
    }
}

#[transition]
impl Task<Running> {
    pub fn finished(mut self, at: At) -> Task<Complete> {
        self.record.done("finished", at);
        self.transition()
    }

    pub fn shut_down(mut self, at: At) -> Task<Shutdown> {
        self.record.done("shutdown", at);
        self.transition()
    }

    pub fn failed(mut self, at: At) -> Task<Failed> {
        self.record.ended("failed", at);
        self.transition()
    }

    pub fn orphaned(mut self, at: At) -> Task<Orphaned> {
        self.record.done("orphaned", at);
        self.transition()
    }
}

/// A task in any state, written by hand: statum has no such type.
pub enum AnyTask {
    New(Task<New>),
    Pending(Task<Pending>),
    Assigned(Task<Assigned>),
    Accepted(Task<Accepted>),
    Preparing(Task<Preparing>),
    Ready(Task<Ready>),
    Starting(Task<Starting>),
    Running(Task<Running>),
    Complete(Task<Complete>),
    Shutdown(Task<Shutdown>),
    Failed(Task<Failed>),
    Rejected(Task<Rejected>),
    Remove(Task<Remove>),
    Orphaned(Task<Orphaned>),
}

impl AnyTask {
    /// Applies an event, or returns the task unchanged.
    pub fn apply(self, event: super::plain::Event, at: At) -> Result<Self, Self> {
        use super::plain::Event;
        Ok(match (self, event) {
            (Self::New(task), Event::Allocated) => Self::Pending(task.allocated(at)),
            (Self::Pending(task), Event::Assigned) => Self::Assigned(task.assigned(at)),
            (Self::New(task), Event::Accepted) => Self::Accepted(task.accepted(at)),
            (Self::Pending(task), Event::Accepted) => Self::Accepted(task.accepted(at)),
            (Self::Assigned(task), Event::Accepted) => Self::Accepted(task.accepted(at)),
            (Self::Accepted(task), Event::Preparing) => Self::Preparing(task.preparing(at)),
            (Self::Preparing(task), Event::Prepared) => Self::Ready(task.prepared(at)),
            (Self::Ready(task), Event::Starting) => Self::Starting(task.starting(at)),
            (Self::Starting(task), Event::Started) => Self::Running(task.started(at)),
            (Self::Running(task), Event::Finished) => Self::Complete(task.finished(at)),
            (task, Event::ShutDown) => return task.shut_down(at),
            (task, Event::Failed) => return task.failed(at),
            (task, Event::Orphaned) => return task.orphaned(at),
            (task, _) => return Err(task),
        })
    }

    fn shut_down(self, at: At) -> Result<Self, Self> {
        Ok(Self::Shutdown(match self {
            Self::New(task) => task.shut_down(at),
            Self::Pending(task) => task.shut_down(at),
            Self::Assigned(task) => task.shut_down(at),
            Self::Accepted(task) => task.shut_down(at),
            Self::Preparing(task) => task.shut_down(at),
            Self::Ready(task) => task.shut_down(at),
            Self::Starting(task) => task.shut_down(at),
            Self::Running(task) => task.shut_down(at),
            task => return Err(task),
        }))
    }

    fn failed(self, at: At) -> Result<Self, Self> {
        Ok(Self::Rejected(match self {
            Self::New(task) => task.rejected(at),
            Self::Pending(task) => task.rejected(at),
            Self::Assigned(task) => task.rejected(at),
            Self::Accepted(task) => task.rejected(at),
            Self::Preparing(task) => task.rejected(at),
            Self::Ready(task) => task.rejected(at),
            Self::Starting(task) => return Ok(Self::Failed(task.failed(at))),
            Self::Running(task) => return Ok(Self::Failed(task.failed(at))),
            task => return Err(task),
        }))
    }

    fn orphaned(self, at: At) -> Result<Self, Self> {
        Ok(Self::Orphaned(match self {
            Self::Assigned(task) => task.orphaned(at),
            Self::Accepted(task) => task.orphaned(at),
            Self::Preparing(task) => task.orphaned(at),
            Self::Ready(task) => task.orphaned(at),
            Self::Starting(task) => task.orphaned(at),
            Self::Running(task) => task.orphaned(at),
            task => return Err(task),
        }))
    }
}
