//! The life of a task as a typestate machine.
#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod exec;
pub mod lifecycle;

#[doc(no_inline)]
pub use exec::{
    Assignment, BoxController, Controller, ControllerError, Executor, Outcome, resolve, step,
};
#[doc(no_inline)]
pub use lifecycle::{
    AnyTask, Decision, Event, Failure, Operation, State, Task, TaskState, TaskStatus, decide, state,
};
