//! The life of a task with rust-fsm: its machine returns the next state and the message.

use super::record::{At, Record};
use rust_fsm::state_machine;

state_machine! {
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub life(New)

    New => {
        Allocated => Pending [PendingTaskScheduling],
        Accepted => Accepted [Accepted],
        ShutDown => Shutdown [Shutdown],
        Failed => Rejected [Failed],
    },
    Pending => {
        Assigned => Assigned [SchedulerAssignedTaskToNode],
        Accepted => Accepted [Accepted],
        ShutDown => Shutdown [Shutdown],
        Failed => Rejected [Failed],
    },
    Assigned => {
        Accepted => Accepted [Accepted],
        ShutDown => Shutdown [Shutdown],
        Failed => Rejected [Failed],
        Orphaned => Orphaned [Orphaned],
    },
    Accepted => {
        Preparing => Preparing [Preparing],
        ShutDown => Shutdown [Shutdown],
        Failed => Rejected [Failed],
        Orphaned => Orphaned [Orphaned],
    },
    Preparing => {
        Prepared => Ready [Prepared],
        ShutDown => Shutdown [Shutdown],
        Failed => Rejected [Failed],
        Orphaned => Orphaned [Orphaned],
    },
    Ready => {
        Starting => Starting [Starting],
        ShutDown => Shutdown [Shutdown],
        Failed => Rejected [Failed],
        Orphaned => Orphaned [Orphaned],
    },
    Starting => {
        Started => Running [Started],
        ShutDown => Shutdown [Shutdown],
        Failed => Failed [Failed],
        Orphaned => Orphaned [Orphaned],
    },
    Running => {
        Finished => Complete [Finished],
        ShutDown => Shutdown [Shutdown],
        Failed => Failed [Failed],
        Orphaned => Orphaned [Orphaned],
    }
}

pub use life::{Input, Output};

/// A task with its record.
#[derive(Debug)]
pub struct Task {
    pub machine: life::StateMachine,
    pub record: Record,
}

impl Task {
    pub fn new() -> Self {
        Self { machine: life::StateMachine::new(), record: Record::default() }
    }

    /// Applies an event. Returns whether the state has changed.
    pub fn apply(&mut self, event: Input, at: At) -> bool {
        let Ok(Some(output)) = self.machine.consume(&event) else { return false };
        let message = match output {
            Output::PendingTaskScheduling => "pending task scheduling",
            Output::SchedulerAssignedTaskToNode => "scheduler assigned task to node",
            Output::Accepted => "accepted",
            Output::Preparing => "preparing",
            Output::Prepared => "prepared",
            Output::Starting => "starting",
            Output::Started => "started",
            Output::Finished => "finished",
            Output::Shutdown => "shutdown",
            Output::Orphaned => "orphaned",
            Output::Failed => {
                self.record.ended("failed", at);
                return true;
            }
        };
        self.record.done(message, at);
        true
    }
}
