//! The life of a task with an enum and a `match`.

use super::record::{At, Record};

/// The state of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
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

/// An event of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    Allocated,
    Assigned,
    Accepted,
    Preparing,
    Prepared,
    Starting,
    Started,
    Finished,
    ShutDown,
    Failed,
    Orphaned,
}

/// A task with its record.
#[derive(Debug)]
pub struct Task {
    pub state: State,
    pub record: Record,
}

impl Task {
    pub fn new() -> Self {
        Self { state: State::New, record: Record::default() }
    }

    /// Applies an event. Returns whether the state has changed.
    pub fn apply(&mut self, event: Event, at: At) -> bool {
        use State::{
            Accepted, Assigned, Complete, Failed, New, Orphaned, Pending, Preparing, Ready,
            Rejected, Running, Shutdown, Starting,
        };
        let (state, message) = match (self.state, event) {
            (New, Event::Allocated) => (Pending, "pending task scheduling"),
            (Pending, Event::Assigned) => (Assigned, "scheduler assigned task to node"),
            (New | Pending | Assigned, Event::Accepted) => (Accepted, "accepted"),
            (Accepted, Event::Preparing) => (Preparing, "preparing"),
            (Preparing, Event::Prepared) => (Ready, "prepared"),
            (Ready, Event::Starting) => (Starting, "starting"),
            (Starting, Event::Started) => (Running, "started"),
            (Running, Event::Finished) => (Complete, "finished"),
            (
                New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running,
                Event::ShutDown,
            ) => (Shutdown, "shutdown"),
            (Assigned | Accepted | Preparing | Ready | Starting | Running, Event::Orphaned) => {
                (Orphaned, "orphaned")
            }
            (New | Pending | Assigned | Accepted | Preparing | Ready, Event::Failed) => {
                return self.end(Rejected, at);
            }
            (Starting | Running, Event::Failed) => return self.end(Failed, at),
            _ => return false,
        };
        self.state = state;
        self.record.done(message, at);
        true
    }

    fn end(&mut self, state: State, at: At) -> bool {
        self.state = state;
        self.record.ended("failed", at);
        true
    }
}
