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
//!             Workload::DiesOf(signal) => Some(128 + signal),
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

mod bench;
mod checks;
mod clause;
mod report;

pub use clause::Clause;
pub use report::{Breach, Report};

use crate::agent::Timer;
use crate::exec::Executor;
use alloc::format;
use alloc::vec::Vec;
use bench::Bench;
use core::time::Duration;

/// A kind of controller, and what can be seen of its workloads: what the kit is about.
///
/// See the [module](self) for an example.
pub trait Subject: Send + Sync {
    /// What hands out the controllers. Asked again for the same task, it hands out
    /// another instance, as after a restart of the agent.
    type Executor: Executor;

    /// What hands out the controllers.
    fn executor(&self) -> &Self::Executor;

    /// A definition for the task of this id, whose workload does this, soon after it
    /// was started; nothing where there is no such workload. Asked twice, it gives
    /// equal ones.
    ///
    /// Ids are of lower-case letters, digits and hyphens, and no two tasks have the
    /// same one.
    fn definition(&self, id: &str, workload: Workload) -> Option<DefinitionOf<Self>>;

    /// What hands out the controllers in the next process of the agent, when this one
    /// has been killed: it knows what lasts, and workloads that lived in this process
    /// have ended. The next process has this one task; [`executor`](Self::executor) is
    /// asked again for others, and [`observe`](Self::observe) sees what both have begun.
    ///
    /// The default says that this cannot be tried, or makes no difference, since all
    /// that is known of a task lives outside of the agent.
    fn restarted(&self) -> Option<Self::Executor> {
        None
    }

    /// What can be seen of this task's workload from outside, without its controller:
    /// from files that the workload writes, from the list of processes. It looks, and
    /// does not wait.
    fn observe(&self, id: &str) -> Observation;
}

/// The definition of a subject's tasks.
pub type DefinitionOf<S> = <<S as Subject>::Executor as Executor>::Definition;

/// What a workload does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Workload {
    /// It runs until it is ended, and ends when it is asked to.
    Runs,
    /// It runs until it is ended by force, and does not end when it is asked to.
    Disobeys,
    /// It ends by itself, with this exit code: well with 0, otherwise badly. What has no
    /// exit codes, as a query or a request, ends well with 0, and has no others.
    Exits(i32),
    /// It ends by itself and badly, in whatever way: asked for where there is no other
    /// exit code than 0.
    Fails,
    /// It ends by this signal, as a process does that kills itself.
    DiesOf(i32),
}

/// What can be seen of a task's workload from outside.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Observation {
    /// How often the workload was started, ever, by what it has left itself; a start need not be counted if all
    /// that came of it was undone. A workload that tells this itself may be late; it is
    /// only counted on when it has ended by itself.
    pub starts: usize,
    /// Whether anything of it runs now.
    pub running: bool,
    /// Whether there is anything that `remove` must remove: what `prepare` made, what
    /// runs.
    pub remains: bool,
}

impl Observation {
    /// The same with so many starts.
    #[must_use]
    pub fn with_starts(self, starts: usize) -> Self {
        Self { starts, ..self }
    }

    /// The same with something that runs, or not.
    #[must_use]
    pub fn with_running(self, running: bool) -> Self {
        Self { running, ..self }
    }

    /// The same with something to remove, or not.
    #[must_use]
    pub fn with_remains(self, remains: bool) -> Self {
        Self { remains, ..self }
    }
}

/// Holds controllers against the contract.
#[derive(Clone, Debug)]
pub struct Contract<T> {
    timer: T,
    patience: Duration,
    polls: u32,
    afterwards: Duration,
}

impl<T: Timer> Contract<T> {
    /// With this timer; an operation that takes more than ten seconds hangs.
    pub fn new(timer: T) -> Self {
        let (patience, afterwards) = (Duration::from_secs(10), Duration::from_secs(1));
        Self { timer, patience, polls: 100, afterwards }
    }

    /// The same with another patience: how long an operation may take, all attempts of
    /// one that fails temporarily counted. A `wait` that must not return is watched for
    /// a hundredth of it.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same with another limit to the number of polls after which an operation is
    /// dropped. Without one it is a hundred: an operation is dropped after 0, 1, 2 …
    /// polls until it needs no more, but never after more than that. It is dropped as
    /// soon as it has been polled.
    #[must_use]
    pub fn with_polls(self, polls: u32) -> Self {
        Self { polls, ..self }
    }

    /// The same with another time after which nothing may have come back of the tasks
    /// that were removed. Without one it is a second: give it more than a request takes
    /// that nobody waits for any more.
    #[must_use]
    pub fn with_afterwards(self, afterwards: Duration) -> Self {
        Self { afterwards, ..self }
    }

    /// Holds the subject's controllers against every clause, each with tasks of its
    /// own, which are removed after it. What depends on the moment at which a thread or
    /// a server is at work may take several checks to be seen.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the tasks that it is at are left as they are.
    pub async fn check<S: Subject>(&self, subject: &S) -> Report {
        let mut report = Report::default();
        let mut removed = Vec::new();
        for clause in Clause::ALL.iter().copied() {
            if let Some(broken) = report.stands_in_the_way_of(clause) {
                report.unchecked.push((clause, format!("`{broken}` is broken")));
                continue;
            }
            let bench = Bench::new(self, subject, clause, &removed);
            let verdict = checks::check(&bench).await;
            bench.clear().await;
            let cleared = bench.into_removed();
            removed.extend(cleared);
            report.add(clause, verdict);
        }
        report
    }
}
