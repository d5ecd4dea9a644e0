//! The life of a task as a typestate machine.
//!
//! A task only moves forward through its states. An illegal transition does not
//! compile. This is the Rust form of what SwarmKit's agent does with a task.
//!
//! # Three layers
//!
//! [`lifecycle`]: the fourteen [states](lifecycle::state), the table of
//! [edges](lifecycle::EDGES), tasks and their statuses. It is pure.
//!
//! [`exec`]: you implement [`Controller`], [`resolve`] gets one for a task, and
//! [`step`] takes the task one step further with it. It is async, and has no runtime
//! of its own.
//!
//! [`agent`] drives tasks over time. A [`Driver`](agent::Driver) takes one task through
//! its whole life, with retries and deadlines. A [`Worker`](agent::Worker) runs many
//! tasks, stores them in a [`Store`](agent::Store), and resumes them after a restart. A
//! [`Reporter`](agent::Reporter) delivers statuses.
//!
//! # Two forms of a task
//!
//! [`Task<S>`](Task) knows its state at compile time. Its moves consume it, and
//! compile only where the table has the edge:
//!
//! ```
//! use onward::{Failure, Task, state};
//! use time::UtcDateTime;
//!
//! let now = UtcDateTime::UNIX_EPOCH;
//! let ready = Task::new().accepted(now).preparing(now).prepared(now);
//!
//! let running: Task<state::Running> = ready.starting(now).started(now);
//! let failed: Task<state::Failed> = running.failed(Failure::new("out of memory"), now);
//! assert_eq!((failed.message(), failed.err()), ("started", Some("out of memory")));
//! ```
//!
//! [`AnyTask`] knows it at run time: for a loop, a map, a field. Each of its
//! moves is one of the typed moves. A move that they do not allow is an error, which
//! gives the task back:
//!
//! ```
//! use onward::{AnyTask, Event, TaskState, TaskStatus};
//! # use time::UtcDateTime;
//! # let now = UtcDateTime::UNIX_EPOCH;
//!
//! let task = AnyTask::resume(TaskStatus::new(TaskState::Running));
//! let refused = task.apply(Event::Accepted, now).unwrap_err();
//! assert_eq!(refused.task.state(), TaskState::Running);
//! ```
//!
//! # Features
//!
//! - `std` (default): the layer [`agent`], the system's clock, and `io::Error` as
//!   a cause.
//! - `serde` (default, implies `std`): statuses in the Docker Engine API's JSON, and
//!   policies.
//! - `redb` (implies `serde`): `agent::RedbStore`, which keeps tasks in a file.
//! - `tokio`: `agent::TokioRuntime`, which runs drivers, workers and reporters on tokio.
//! - `testing`: virtual time, scripted controllers, strategies for `proptest`, and the
//!   contract of a controller, to hold one's own against.
//!
//! Without them the library needs `alloc` only.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

#[cfg(feature = "std")]
pub mod agent;
pub mod diagram;
pub mod exec;
pub mod lifecycle;
#[cfg(feature = "testing")]
pub mod testing;

/// The times in statuses are of this crate.
pub use time;

#[doc(no_inline)]
pub use exec::{
    Assignment, BoxController, Controller, ControllerError, Executor, Outcome, resolve, step,
};
#[doc(no_inline)]
pub use lifecycle::{
    Answer, AnyTask, Decision, Event, Failure, Operation, State, Task, TaskState, TaskStatus,
    decide, state,
};

#[cfg(any(doc, doctest))]
pub mod docs;

/// The README, whose blocks of code are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
