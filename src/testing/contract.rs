//! Contract kit: checks an implementation of [`Controller`](crate::Controller) and
//! [`Executor`](crate::Executor) against the contract in their documentation.
//!
//! You write a [`Subject`]: which executor to check, definitions of workloads, and what can be
//! observed of a workload from outside. [`Contract::check`] then gives one task after the other
//! to controllers. It drops their operations after each number of polls, calls them again, and
//! replaces controllers by new ones. The [`Report`] lists the [clauses](Clause) that held, that
//! are broken, and that could not be checked. For a broken clause it has what was expected,
//! what was found, and all calls.
//!
//! **Repeat the check**, with [`Contract::repeat`]: a race with a thread, a process or a server
//! often shows only in the tenth repetition.
//!
//! The kit runs in real time or in virtual time, depending on the runtime. This program checks a
//! controller in virtual time:
//!
//! ```
//! use core::future::pending;
//! use onward::exec::{Assignment, Controller, ControllerError, Executor};
//! use onward::testing::contract::{Contract, Observation, Subject, Workload};
//! use onward::testing::{VirtualPool, VirtualTime};
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex, MutexGuard};
//!
//! /// The executor. It has a record of each task, and no real workloads.
//! #[derive(Clone, Default)]
//! struct Records(Arc<Mutex<BTreeMap<String, Record>>>);
//!
//! #[derive(Default)]
//! struct Record {
//!     starts: usize,
//!     exit_code: Option<i32>,
//! }
//!
//! impl Records {
//!     fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Record>> {
//!         self.0.lock().unwrap()
//!     }
//! }
//!
//! impl Executor for Records {
//!     type Definition = Workload;
//!     type Controller = RecordController;
//!
//!     async fn controller(
//!         &self,
//!         assignment: &Assignment<Workload>,
//!     ) -> Result<RecordController, ControllerError> {
//!         Ok(RecordController {
//!             records: self.clone(),
//!             id: assignment.id.to_string(),
//!             definition: assignment.definition,
//!         })
//!     }
//! }
//!
//! struct RecordController {
//!     records: Records,
//!     id: String,
//!     definition: Workload,
//! }
//!
//! impl Controller for RecordController {
//!     type Definition = Workload;
//!
//!     async fn prepare(&mut self) -> Result<(), ControllerError> {
//!         self.records.lock().entry(self.id.clone()).or_default();
//!         Ok(())
//!     }
//!     async fn start(&mut self) -> Result<(), ControllerError> {
//!         let mut records = self.records.lock();
//!         let record = records.entry(self.id.clone()).or_default();
//!         if record.starts > 0 {
//!             return Err(ControllerError::already_started());
//!         }
//!         record.starts += 1;
//!         record.exit_code = match self.definition {
//!             Workload::Exits(code) => Some(code),
//!             Workload::DiesOfSignal(signal) => Some(128 + signal),
//!             _ => None,
//!         };
//!         Ok(())
//!     }
//!     async fn wait(&mut self) -> Result<(), ControllerError> {
//!         let exit_code = self.records.lock().get(&self.id).and_then(|record| record.exit_code);
//!         match exit_code {
//!             None => pending().await,
//!             Some(0) => Ok(()),
//!             Some(code) => Err(ControllerError::new("it failed").with_exit_code(code)),
//!         }
//!     }
//!     async fn shutdown(&mut self) -> Result<(), ControllerError> {
//!         if let Some(record) = self.records.lock().get_mut(&self.id) {
//!             if record.starts > 0 {
//!                 record.exit_code.get_or_insert(143);
//!             }
//!         }
//!         Ok(())
//!     }
//!     async fn remove(&mut self) -> Result<(), ControllerError> {
//!         self.records.lock().remove(&self.id);
//!         Ok(())
//!     }
//! }
//!
//! impl Subject for Records {
//!     type Executor = Self;
//!
//!     fn executor(&self) -> &Self {
//!         self
//!     }
//!     fn definition(&self, _id: &str, workload: Workload) -> Option<Workload> {
//!         Some(workload)
//!     }
//!     fn observe(&self, id: &str) -> Observation {
//!         let records = self.lock();
//!         let Some(record) = records.get(id) else { return Observation::default() };
//!         Observation::default()
//!             .with_starts(record.starts)
//!             .with_running(record.starts > 0 && record.exit_code.is_none())
//!             .with_remains(true)
//!     }
//! }
//!
//! let pool = VirtualPool::new(VirtualTime::new(), 0);
//! let contract = Contract::new(Arc::new(pool.clone()))
//!     .repeat(10)
//!     .on_result(|result| println!("{result}"));
//! let report = pool.run_until(contract.check(&Records::default())).unwrap();
//! report.assert_holds();
//! let unchecked = report.unchecked.iter().map(|unchecked| unchecked.clause.as_str());
//! assert!(unchecked.eq([
//!     "terminate-forces", // here, every workload ends on `shutdown`
//!     "restart-keeps-result",
//!     "restart-starts-once",
//!     "restart-reports-lost-workload",
//!     "inspect-exit-code",
//!     "update-taken",
//!     "update-refused",
//!     "update-dropped",
//!     "update-new-controller",
//!     "list-existing",
//!     "reconcile-removes",
//!     "reconcile-repeated",
//!     "reconcile-dropped",
//!     "reconcile-other-tasks",
//!     "list-removed",
//! ]));
//! ```
//!
//! The clauses `restart-…`, `update-…`, `list-…` and `reconcile-…` need the methods of
//! [`Subject`] that have a default. The page about [testing](crate::docs::testing) has a
//! complete program with all of them, for a controller that keeps nothing in memory.
//!
//! The kit checks only what it can observe. The page lists
//! [what it does not check](crate::docs::testing#what-the-kit-does-not-check), and has a recipe for
//! a test that kills an agent between two system calls.

mod call;
mod checks;
mod clause;
mod clause_run;
mod ids;
mod report;
mod requirements;
mod runner;
mod settings;
mod subject;
mod tested_task;
mod verdict;

pub use clause::{Clause, UnknownClauseError};
pub use report::{Breach, ClauseResult, ClauseVerdict, Report, Unchecked};
pub use runner::Contract;
pub use subject::{DefinitionOf, InForce, Observation, Subject, UpdatePoint, Workload};
