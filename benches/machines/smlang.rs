//! The life of a task with smlang: a table of transitions with an action each. It cannot express
//! REMOVE, which no transition enters or leaves.

use super::record::{At, Record};
use smlang::statemachine;

statemachine! {
    derive_states: [Clone, Copy, Debug],
    derive_events: [Clone, Copy, Debug],
    transitions: {
        *New + Allocated(At) / allocated = Pending,
        Pending + Assigned(At) / assigned = Assigned,
        New | Pending | Assigned + Accepted(At) / accepted = Accepted,
        Accepted + Preparing(At) / preparing = Preparing,
        Preparing + Prepared(At) / prepared = Ready,
        Ready + Starting(At) / starting = Starting,
        Starting + Started(At) / started = Running,
        Running + Finished(At) / finished = Complete,
        New | Pending | Assigned | Accepted | Preparing | Ready | Starting | Running
            + ShutDown(At) / shut_down = Shutdown,
        New | Pending | Assigned | Accepted | Preparing | Ready + Failed(At) / failed = Rejected,
        Starting | Running + Failed(At) / failed = Failed,
        Assigned | Accepted | Preparing | Ready | Starting | Running
            + Orphaned(At) / orphaned = Orphaned,
    }
}

/// A task with its record.
pub type Task = StateMachine<Record>;

/// Defines the message of each transition.
macro_rules! messages {
    ($($action:ident $message:literal)*) => {$(
        fn $action(&mut self, at: At) -> Result<(), ()> {
            self.done($message, at);
            Ok(())
        }
    )*};
}

impl StateMachineContext for Record {
    messages! {
        allocated "pending task scheduling"
        assigned "scheduler assigned task to node"
        accepted "accepted"
        preparing "preparing"
        prepared "prepared"
        starting "starting"
        started "started"
        finished "finished"
        shut_down "shutdown"
        orphaned "orphaned"
    }

    fn failed(&mut self, at: At) -> Result<(), ()> {
        self.ended("failed", at);
        Ok(())
    }
}
