//! The lifecycle of a task as a typestate machine, and the agent that runs it.
//!
//! A task only moves forward through its states. An illegal transition does not compile.
//! The states and rules are those of SwarmKit's agent, in Rust.
//!
//! # Three layers
//!
//! - [`lifecycle`]: states, legal transitions and statuses. Pure and `no_std`. It has the
//!   fourteen [states](lifecycle::state) and the [table of edges](lifecycle::EDGES).
//! - [`exec`]: runs one operation of a controller. Async, without a runtime. You
//!   implement [`Controller`] and [`Executor`]. [`resolve`] gets a task's controller, and
//!   [`step`] moves the task one step forward with it.
//! - [`agent`]: drives tasks over time. A [`Driver`](agent::Driver) runs one task through
//!   its whole life, with retries and deadlines. A [`Worker`](agent::Worker) runs many
//!   tasks, stores them in a [`Store`](agent::Store), and resumes them after a restart. A
//!   [`Reporter`](agent::Reporter) delivers their statuses.
//!
//! # Two forms of a task
//!
//! [`Task<S>`](Task) has a state that the compiler knows. A move consumes the task and
//! returns it in its next state. A move compiles only if the table has the edge:
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
//! [`AnyTask`] has a state that is known at run time. Use it in loops, maps and struct
//! fields. Each of its moves is one of the typed moves. An illegal move returns an error,
//! which gives the task back:
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
//! | Feature | Default | Adds |
//! |---|---|---|
//! | `std` | yes | the layer [`agent`], [`SystemClock`](exec::SystemClock), and conversions from `io::Error` |
//! | `serde` | yes | statuses in the JSON of the Docker Engine API, and policies; implies `std` |
//! | `redb` | no | `agent::RedbStore`, which stores tasks in a file; implies `serde` |
//! | `tokio` | no | `agent::TokioRuntime`, which runs drivers, workers and reporters on tokio |
//! | `testing` | no | virtual time, scripted controllers, `proptest` strategies, and a kit that checks your controller against the contract |
//!
//! Without features the library needs only `alloc`.
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

/// The crate `time`: statuses contain its times.
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
