//! Holds a controller against the contract of [`Controller`](crate::Controller).
//!
//! A [`Subject`] says how to get controllers, which definitions to give them, and what
//! can be seen of a task's workload from outside. A [`Contract`] then gives task after
//! task to controllers: it drops their operations after each number of polls, calls
//! them again, puts other instances in their place, and calls them where there is
//! nothing to do. What does not keep a [`Clause`] stands in the [`Report`], with what
//! was expected and all that was called.
//!
//! It runs on whatever the controller runs on, in real time or in virtual time: the
//! timer that it is given says when an operation has taken too long.
//!
//! ```
//! use core::future::pending;
//! use onward::exec::{Assignment, Controller, ControllerError, Executor};
//! use onward::testing::contract::{Contract, Observation, Subject, Workload};
//! use onward::testing::{VirtualPool, VirtualTime};
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex, MutexGuard};
//!
//! /// The world: what there is of each task.
//! #[derive(Clone, Default)]
//! struct World(Arc<Mutex<BTreeMap<String, Work>>>);
//!
//! #[derive(Default)]
//! struct Work {
//!     starts: usize,
//!     /// What it exited with, once it has.
//!     exited: Option<i32>,
//! }
//!
//! impl World {
//!     fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Work>> {
//!         self.0.lock().unwrap()
//!     }
//! }
//!
//! /// Runs nothing, but keeps books on it.
//! struct Paper {
//!     world: World,
//!     id: String,
//!     definition: Workload,
//!     closed: bool,
//! }
//!
//! impl Paper {
//!     fn check_open(&self) -> Result<(), ControllerError> {
//!         if self.closed { Err(ControllerError::closed()) } else { Ok(()) }
//!     }
//! }
//!
//! impl Controller for Paper {
//!     type Definition = Workload;
//!
//!     # async fn update(&mut self, _: &Workload) -> Result<(), ControllerError> {
//!     #     self.check_open()?;
//!     #     Err(ControllerError::update_rejected("what is on paper stays"))
//!     # }
//!     async fn prepare(&mut self) -> Result<(), ControllerError> {
//!         self.check_open()?;
//!         self.world.lock().entry(self.id.clone()).or_default();
//!         Ok(())
//!     }
//!     async fn start(&mut self) -> Result<(), ControllerError> {
//!         self.check_open()?;
//!         let mut world = self.world.lock();
//!         let work = world.entry(self.id.clone()).or_default();
//!         if work.starts > 0 {
//!             return Err(ControllerError::already_started());
//!         }
//!         work.starts += 1;
//!         work.exited = match self.definition {
//!             Workload::Exits(code) => Some(code),
//!             Workload::DiesOfSignal(signal) => Some(128 + signal),
//!             _ => None,
//!         };
//!         Ok(())
//!     }
//!     async fn wait(&mut self) -> Result<(), ControllerError> {
//!         self.check_open()?;
//!         let exited = self.world.lock().get(&self.id).and_then(|work| work.exited);
//!         match exited {
//!             None => pending().await,
//!             Some(0) => Ok(()),
//!             Some(code) => Err(ControllerError::new("it failed").with_exit_code(code)),
//!         }
//!     }
//!     async fn shutdown(&mut self) -> Result<(), ControllerError> {
//!         // …
//!         # self.check_open()?;
//!         # if let Some(work) = self.world.lock().get_mut(&self.id) {
//!         #     work.exited = work.exited.or(Some(143));
//!         # }
//!         # Ok(())
//!     }
//!     async fn remove(&mut self) -> Result<(), ControllerError> {
//!         // …
//!         # self.shutdown().await?;
//!         # self.world.lock().remove(&self.id);
//!         # Ok(())
//!     }
//!     async fn close(&mut self) -> Result<(), ControllerError> {
//!         self.closed = true;
//!         Ok(())
//!     }
//! }
//!
//! # impl Executor for World {
//! #     type Definition = Workload;
//! #     type Controller = Paper;
//! #     async fn controller(&self, assignment: &Assignment<Workload>) -> Result<Paper, ControllerError> {
//! #         let Assignment { id, definition, .. } = assignment.clone();
//! #         Ok(Paper { world: self.clone(), id, definition, closed: false })
//! #     }
//! # }
//! impl Subject for World {
//!     type Executor = Self;
//!
//!     fn executor(&self) -> &Self {
//!         self
//!     }
//!     fn definition(&self, _id: &str, workload: Workload) -> Option<Workload> {
//!         Some(workload)
//!     }
//!     fn observe(&self, id: &str) -> Observation {
//!         let world = self.lock();
//!         let Some(work) = world.get(id) else { return Observation::default() };
//!         Observation::default()
//!             .with_starts(work.starts)
//!             .with_running(work.starts > 0 && work.exited.is_none())
//!             .with_remains(true)
//!     }
//! }
//!
//! let pool = VirtualPool::new(VirtualTime::new(), 0);
//! let contract = Contract::new(pool.time().timer());
//! let report = pool.run_until(contract.check(&World::default())).unwrap();
//! report.assert_holds();
//! ```
//!
//! What it cannot see it does not check: that `prepare` leaves nothing for `start` to
//! create, that an update is taken whole, that a cause is kept, that logs end, that a
//! `start` which fails leaves nothing running, what is temporary. What
//! becomes of tasks when the agent's process dies it sees only where
//! [`Subject::restarted`] says how that is; without it, what is held in memory seems to
//! last.

mod call;
mod checks;
mod clause;
mod clause_run;
mod ids;
mod report;
mod runner;
mod settings;
mod subject;
mod tested_task;
mod verdict;

pub use clause::{Clause, UnknownClauseError};
pub use report::{Breach, ClauseResult, ClauseVerdict, Report, Unchecked};
pub use runner::Contract;
pub use subject::{DefinitionOf, InForce, Observation, Subject, UpdatePoint, Workload};
