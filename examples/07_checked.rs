//! Testing a controller: in virtual time, and with the contract kit.
//!
//! ```sh
//! cargo run --example 07_checked
//! ```
//!
//! The workloads are futures that sleep on a `VirtualPool`. Virtual time jumps to the next
//! event, so a night of eight hours takes no real time. Then the contract kit drops the
//! controller's operations after each poll, calls them again, and replaces the controller
//! by a new one. It finds the fault of a controller with one careless line. In your own
//! test, call `report.assert_holds()`.
//!
//! Requires the feature `testing`.

use futures::channel::oneshot;
use futures::future::{AbortHandle, FutureExt, Shared, abortable};
use onward::agent::Runtime;
use onward::testing::contract::{Clause, Contract, InForce, Observation, Report};
use onward::testing::contract::{Subject, UpdatePoint, Workload};
use onward::testing::{VirtualPool, VirtualTime};
use onward::{AnyTask, Assignment, Controller, ControllerError, Executor, Outcome, Task};
use onward::{TaskState, resolve, step};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use time::UtcDateTime;

/// The definition of a task: how long to sleep, the exit code, and whether the light is on.
/// Only the light can be changed during the sleep.
#[derive(Clone, Copy, PartialEq)]
struct Rest {
    lasts: Duration,
    code: i32,
    light: bool,
}

/// A sleep in progress or ended.
#[derive(Clone)]
struct Sleep {
    wake: AbortHandle,
    /// The exit code, when it has ended.
    ended: Shared<oneshot::Receiver<i32>>,
    light: bool,
}

/// The world outside of the agent. Its sleeps continue if the agent is killed.
#[derive(Clone)]
struct World {
    pool: VirtualPool,
    careless: bool,
    /// The sleeps that were begun and not removed, by task id.
    sleeps: Arc<Mutex<BTreeMap<String, Sleep>>>,
    /// Every sleep that was ever begun. The kit observes it.
    seen: Arc<Mutex<BTreeMap<String, Vec<Weak<()>>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn new(careless: bool) -> Self {
        let pool = VirtualPool::new(VirtualTime::new(), 0);
        Self { pool, careless, sleeps: Arc::default(), seen: Arc::default() }
    }

    fn pass(&self, duration: Duration) -> impl Future<Output = ()> + Send + use<> {
        self.pool.sleep_until(self.pool.now().saturating_add(duration))
    }

    fn get(&self, id: &str) -> Option<Sleep> {
        lock(&self.sleeps).get(id).cloned()
    }

    /// Begins a sleep on the pool.
    fn begin(&self, id: &str, rest: Rest) -> Result<Sleep, ControllerError> {
        let sleeper = Arc::new(());
        lock(&self.seen).entry(id.to_owned()).or_default().push(Arc::downgrade(&sleeper));
        let passed = self.pass(rest.lasts);
        let (sleep, wake) = abortable(async move {
            passed.await;
            drop(sleeper);
            rest.code
        });
        let (sender, ended) = oneshot::channel();
        // A sleep that is woken exits like a process after SIGTERM.
        let sleep = async move { _ = sender.send(sleep.await.unwrap_or(143)) };
        self.pool.spawn(Box::pin(sleep)).map_err(ControllerError::wrap)?;
        Ok(Sleep { wake, ended: ended.shared(), light: rest.light })
    }

    /// Ends a sleep. Succeeds if there is none.
    async fn end(&self, id: &str) {
        if let Some(sleep) = self.get(id) {
            sleep.wake.abort();
            // The exit code does not matter.
            _ = sleep.ended.await;
        }
    }

    async fn remove(&self, id: &str) {
        self.end(id).await;
        lock(&self.sleeps).remove(id);
    }
}

struct Sleeper {
    world: World,
    id: String,
    rest: Rest,
}

impl Controller for Sleeper {
    type Definition = Rest;

    async fn update(&mut self, rest: &Rest) -> Result<(), ControllerError> {
        if let Some(sleep) = lock(&self.world.sleeps).get_mut(&self.id) {
            if (rest.lasts, rest.code) != (self.rest.lasts, self.rest.code) {
                let reason = "only the light can be changed while it sleeps";
                return Err(ControllerError::update_rejected(reason));
            }
            sleep.light = rest.light;
        }
        self.rest = *rest;
        Ok(())
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        if self.world.get(&self.id).is_some() {
            return Err(ControllerError::already_started());
        }
        let sleep = self.world.begin(&self.id, self.rest)?;
        let asleep = self.world.pass(Duration::from_millis(10));
        if self.world.careless {
            // If this future is dropped here, no controller knows the sleep.
            asleep.await;
            lock(&self.world.sleeps).insert(self.id.clone(), sleep);
        } else {
            lock(&self.world.sleeps).insert(self.id.clone(), sleep);
            asleep.await;
        }
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        let Some(sleep) = self.world.get(&self.id) else { return Err("not started".into()) };
        match sleep.ended.await {
            Ok(0) => Ok(()),
            Ok(code) => Err(ControllerError::new("it slept badly").with_exit_code(code)),
            Err(_) => Err("its pool is gone".into()),
        }
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.world.end(&self.id).await;
        Ok(())
    }
    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.world.remove(&self.id).await;
        Ok(())
    }
}

impl Executor for World {
    type Definition = Rest;
    type Controller = Sleeper;

    async fn controller(&self, task: &Assignment<Rest>) -> Result<Sleeper, ControllerError> {
        Ok(Sleeper { world: self.clone(), id: task.id.to_string(), rest: task.definition })
    }
    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        Ok(lock(&self.sleeps).keys().cloned().collect())
    }
    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        self.remove(id).await;
        Ok(())
    }
}

/// The definitions and observations that the kit needs.
impl Subject for World {
    type Executor = Self;

    fn executor(&self) -> &Self {
        self
    }
    fn definition(&self, _: &str, workload: Workload) -> Option<Rest> {
        let rest = |lasts, code| Some(Rest { lasts, code, light: false });
        match workload {
            Workload::Runs => rest(Duration::MAX, 0),
            Workload::Exits(code) => rest(Duration::from_secs(1), code),
            // A future cannot receive signals.
            Workload::DiesOfSignal(_) | _ => None,
        }
    }
    fn observe(&self, id: &str) -> Observation {
        let seen = lock(&self.seen).get(id).cloned().unwrap_or_default();
        let running = seen.iter().any(|sleep| sleep.strong_count() > 0);
        let known = self.get(id);
        let in_force = |sleep: &Sleep| {
            if sleep.light { InForce::Updated } else { InForce::Original }
        };
        Observation::default()
            .with_starts(seen.len())
            .with_running(running)
            .with_remains(running || known.is_some())
            .with_in_force(known.as_ref().map(in_force))
    }

    // The other methods are optional. With them the kit checks more clauses.

    /// The next agent process finds everything in the same world.
    fn restarted(&self) -> Option<Self> {
        Some(self.clone())
    }
    fn reconciler(&self) -> Option<Self> {
        Some(self.clone())
    }
    fn updated_definition(&self, id: &str, workload: Workload, _: UpdatePoint) -> Option<Rest> {
        self.definition(id, workload).map(|rest| Rest { light: true, ..rest })
    }
    /// During the sleep, the light could be changed, but not the duration.
    fn refused_definition(&self, id: &str, workload: Workload, point: UpdatePoint) -> Option<Rest> {
        let rest = self.updated_definition(id, workload, point)?;
        let shorter = Rest { lasts: rest.lasts / 2, ..rest };
        (point == UpdatePoint::Started).then_some(shorter)
    }
}

/// Runs one night, step by step.
async fn night(world: &World) -> Result<TaskState, ControllerError> {
    let clock = world.pool.time().clock(UtcDateTime::UNIX_EPOCH);
    let eight_hours = Rest { lasts: Duration::from_secs(8 * 3600), code: 0, light: false };
    let night = Assignment::new("night", eight_hours);
    let mut task = AnyTask::from(Task::new());
    let mut controller = resolve(&mut task, &night, world, &clock).await?;
    while step(&mut task, TaskState::Running, &mut controller, &clock).await == Outcome::Advanced {}
    Ok(task.state())
}

fn check(world: &World) -> Result<Report, &'static str> {
    let contract = Contract::new(Arc::new(world.pool.clone()));
    world.pool.run_until(contract.check(world)).ok_or("it hangs")
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let world = World::new(false);
    let state = world.pool.run_until(night(&world)).ok_or("it hangs")??;
    println!("after {:?} of its own time, the night is {state}", world.pool.time().now());
    assert_eq!(state, TaskState::Complete);

    let report = check(&world)?;
    print!("\nthe controller: {report}");
    assert!(report.holds());
    let unchecked: Vec<_> = report.unchecked.iter().map(|unchecked| unchecked.clause).collect();
    // The workloads neither receive signals nor ignore `shutdown`, and the controller has
    // no `inspect`.
    let expected = [Clause::WaitSignalExitCode, Clause::TerminateForces, Clause::InspectExitCode];
    assert_eq!(unchecked, expected);

    let report = check(&World::new(true))?;
    println!("\nthe careless one breaks {}, the first of them:\n", report.breaches.len());
    let Some(breach) = report.breaches.first() else { return Err("it was not found".into()) };
    print!("{breach}");
    assert_eq!(breach.clause, Clause::StartDropped);
    Ok(())
}
