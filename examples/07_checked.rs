//! A controller checked: in virtual time, and against the contract.
//!
//! ```sh
//! cargo run --example 07_checked
//! ```
//!
//! The workloads here are futures that sleep. The controller spawns them on what it is
//! given, and asks for nothing but a timer; so a night can be watched in no time. Then
//! the contract kit drops its operations after every poll, calls them again, puts other
//! instances in their place, and finds what is wrong with one that is written a little
//! differently. In a test of one's own, `report.assert_holds()` is all that is said.
//!
//! It needs the feature `testing`.

use futures::channel::oneshot;
use futures::future::{AbortHandle, FutureExt, Shared, abortable};
use futures::task::SpawnExt;
use onward::agent::Timer;
use onward::testing::contract::{Clause, Contract, Observation, Report, Subject, Workload};
use onward::testing::{VirtualPool, VirtualTime};
use onward::{AnyTask, Assignment, Controller, ControllerError, Executor, Outcome, Task};
use onward::{TaskState, resolve, step};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use time::UtcDateTime;

/// What a task is here: how long it sleeps, and its exit code then.
#[derive(Clone, Copy, PartialEq)]
struct Rest {
    lasts: Duration,
    code: i32,
}

/// A sleep that was begun: how to end it, and what it exited with when it has ended.
#[derive(Clone)]
struct Sleep {
    wake: AbortHandle,
    ended: Shared<oneshot::Receiver<i32>>,
}

/// Where they sleep, and what is known of them, by the ids of their tasks.
#[derive(Clone)]
struct World {
    pool: VirtualPool,
    careless: bool,
    sleeps: Arc<Mutex<BTreeMap<String, Sleep>>>,
    /// Each sleep that was ever begun, as it can be seen from outside.
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
        let timer = self.pool.time().timer();
        async move { timer.sleep_until(timer.now().saturating_add(duration)).await }
    }

    fn get(&self, id: &str) -> Option<Sleep> {
        lock(&self.sleeps).get(id).cloned()
    }

    /// Begins a sleep. It goes on, whoever knows of it.
    fn begin(&self, id: &str, rest: Rest) -> Result<Sleep, ControllerError> {
        let sleeper = Arc::new(());
        lock(&self.seen).entry(id.to_owned()).or_default().push(Arc::downgrade(&sleeper));
        let passed = self.pass(rest.lasts);
        let (sleep, wake) = abortable(async move {
            passed.await;
            drop(sleeper);
            rest.code
        });
        let (tell, ended) = oneshot::channel();
        // Who was woken exits as after SIGTERM.
        let told = async move { _ = tell.send(sleep.await.unwrap_or(143)) };
        self.pool.spawn(told).map_err(ControllerError::wrap)?;
        Ok(Sleep { wake, ended: ended.shared() })
    }
}

struct Sleeper {
    world: World,
    id: String,
    rest: Rest,
}

impl Controller for Sleeper {
    type Definition = Rest;

    async fn start(&mut self) -> Result<(), ControllerError> {
        if self.world.get(&self.id).is_some() {
            return Err(ControllerError::already_started());
        }
        let sleep = self.world.begin(&self.id, self.rest)?;
        let asleep = self.world.pass(Duration::from_millis(10));
        if self.world.careless {
            // Dropped here, nobody knows that it sleeps.
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
        let Some(sleep) = self.world.get(&self.id) else { return Ok(()) };
        sleep.wake.abort();
        // However it ended.
        _ = sleep.ended.await;
        Ok(())
    }
}

impl Executor for World {
    type Definition = Rest;
    type Controller = Sleeper;

    async fn controller(&self, task: &Assignment<Rest>) -> Result<Sleeper, ControllerError> {
        Ok(Sleeper { world: self.clone(), id: task.id.clone(), rest: task.definition })
    }
}

/// What the kit has to know: how to make the workloads that it wants, and what is there.
impl Subject for World {
    type Executor = Self;

    fn executor(&self) -> &Self {
        self
    }
    fn definition(&self, _: &str, workload: Workload) -> Option<Rest> {
        match workload {
            Workload::Runs => Some(Rest { lasts: Duration::MAX, code: 0 }),
            Workload::Exits(code) => Some(Rest { lasts: Duration::from_secs(1), code }),
            // A future hears no signals.
            Workload::DiesOfSignal(_) | _ => None,
        }
    }
    fn observe(&self, id: &str) -> Observation {
        let seen = lock(&self.seen).get(id).cloned().unwrap_or_default();
        let running = seen.iter().any(|sleep| sleep.strong_count() > 0);
        let starts = Observation::default().with_starts(seen.len());
        // What runs is all that there can be of one, so `remove` has nothing else to do.
        starts.with_running(running).with_remains(running)
    }
}

/// A night, step by step.
async fn night(world: &World) -> Result<TaskState, ControllerError> {
    let clock = world.pool.time().clock(UtcDateTime::UNIX_EPOCH);
    let eight_hours = Rest { lasts: Duration::from_secs(8 * 3600), code: 0 };
    let night = Assignment::new("night", eight_hours);
    let mut task = AnyTask::from(Task::new());
    let mut controller = resolve(&mut task, &night, world, &clock).await?;
    while step(&mut task, TaskState::Running, &mut controller, &clock).await == Outcome::Advanced {}
    Ok(task.state())
}

fn check(world: &World) -> Result<Report, &'static str> {
    let contract = Contract::new(world.pool.time().timer());
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

    let report = check(&World::new(true))?;
    println!("\nthe careless one breaks {}, the first of them:\n", report.breaches.len());
    let Some(breach) = report.breaches.first() else { return Err("it was not found".into()) };
    print!("{breach}");
    assert_eq!(breach.clause, Clause::StartDropped);
    Ok(())
}
