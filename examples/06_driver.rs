//! A driver: retries, deadlines, updates, and a workload that ignores `shutdown`.
//!
//! ```sh
//! cargo run --example 06_driver
//! ```
//!
//! There is one seat, and only the task that holds it counts. The first task holds the seat
//! and waits an hour before its first number. The second task retries until the seat is
//! free. The third task retries too, but has a deadline.

use futures::StreamExt;
use onward::agent::policy::Backoff;
use onward::agent::{Driver, DriverExit, DriverHandle, Policy, TokioRuntime};
use onward::{Assignment, Controller, ControllerError, Executor, Task, TaskState, TaskStatus};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

/// The definition of a task: how far to count, and how long each number takes.
#[derive(Clone, PartialEq)]
struct Count {
    to: u32,
    every: Duration,
}

/// The workload. It reads the definition after each number.
async fn count(wanted: watch::Receiver<Count>) {
    let mut number = 0;
    while number < wanted.borrow().to {
        let every = wanted.borrow().every;
        tokio::time::sleep(every).await;
        number += 1;
    }
}

struct Counter {
    seats: Arc<Semaphore>,
    wanted: watch::Sender<Count>,
    seat: Option<OwnedSemaphorePermit>,
    counting: Option<JoinHandle<()>>,
}

impl Counter {
    /// Waits until the workload has ended. The handle stays in `self` during the wait. If
    /// this future is dropped, the next call waits for the same workload.
    async fn end(&mut self) -> Result<(), ControllerError> {
        if let Some(counting) = &mut self.counting {
            _ = counting.await;
        }
        (self.counting, self.seat) = (None, None);
        Ok(())
    }
}

impl Controller for Counter {
    type Definition = Count;

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        if self.seat.is_none() {
            let seat = Arc::clone(&self.seats).try_acquire_owned();
            let taken = |_| ControllerError::new("the seat is taken").temporary();
            self.seat = Some(seat.map_err(taken)?);
        }
        Ok(())
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        if self.seat.is_none() {
            // The seat was returned, so the task has counted before. After a restart of the
            // agent, the new controller has no seat either, so a real controller needs a
            // marker here.
            return Err(ControllerError::already_started());
        }
        let wanted = self.wanted.subscribe();
        self.counting.get_or_insert_with(|| tokio::spawn(count(wanted)));
        Ok(())
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.end().await
    }
    async fn update(&mut self, definition: &Count) -> Result<(), ControllerError> {
        self.wanted.send_replace(definition.clone());
        Ok(())
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.wanted.send_modify(|wanted| wanted.to = 0);
        self.end().await
    }
    async fn terminate(&mut self) -> Result<(), ControllerError> {
        if let Some(counting) = &self.counting {
            counting.abort();
        }
        self.end().await
    }
}

/// Makes the controllers, which share the seat.
struct Counters {
    seats: Arc<Semaphore>,
}

impl Executor for Counters {
    type Definition = Count;
    type Controller = Counter;

    async fn controller(&self, task: &Assignment<Count>) -> Result<Counter, ControllerError> {
        let wanted = watch::Sender::new(task.definition.clone());
        Ok(Counter { seats: Arc::clone(&self.seats), wanted, seat: None, counting: None })
    }
}

/// Spawns a driver. The handle changes the desired state and shows the status.
fn drive(
    seats: &Arc<Semaphore>,
    task: Assignment<Count>,
    policy: Policy,
) -> (DriverHandle<Count>, JoinHandle<DriverExit>) {
    let show = |id: &str, status: TaskStatus| {
        let error = status.err.as_deref().unwrap_or_default();
        println!("{id:<7} {:<9} {:<10} {error}", status.state, status.message);
    };
    let executor = Counters { seats: Arc::clone(seats) };
    let runtime = Arc::new(TokioRuntime::current());
    let mut driver =
        Driver::new(Task::new(), task, executor, runtime).with_policy(policy).with_sink(show);
    (driver.handle(), tokio::spawn(async move { driver.run().await }))
}

/// Waits until the newest status satisfies `is`. Returns that status.
async fn until(task: &DriverHandle<Count>, is: impl Fn(&TaskStatus) -> bool) -> TaskStatus {
    let mut statuses = task.watch();
    while let Some(status) = statuses.next().await {
        if is(&status) {
            return status;
        }
    }
    task.status()
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let seats = Arc::new(Semaphore::new(1));
    let ms = Duration::from_millis;
    let task = |id: &str, every| Assignment::new(id, Count { to: u32::MAX, every });
    let backoff = Backoff::new(ms(5), ms(20));
    let patient = Policy::default().with_backoff(backoff).with_shutdown_grace(ms(50));
    let hurried = patient.clone().with_prepare_deadline(ms(50));

    let (first, _) = drive(&seats, task("first", ms(3_600_000)), patient.clone());
    until(&first, |status| status.state == TaskState::Running).await;
    let (second, exit) = drive(&seats, task("second", ms(1)), patient);
    until(&second, |status| status.err.is_some()).await;
    let (third, _) = drive(&seats, task("third", ms(1)), hurried);
    let third = until(&third, |status| status.state.is_terminal()).await;
    assert_eq!(third.state, TaskState::Rejected);
    // The deadline has expired. The status still has the error of the last attempt.
    assert!(third.err.is_some_and(|error| error.contains("the seat is taken")));

    // The driver calls `shutdown`. When the grace of 50 ms expires, it calls `terminate`.
    first.update(task("first", ms(3_600_000)).with_desired_state(TaskState::Shutdown))?;
    let first = until(&first, |status| status.state.is_terminal()).await;
    assert_eq!((first.state, &*first.message), (TaskState::Shutdown, "terminated"));

    // Now the seat is free and the second task runs. Its controller accepts an update.
    until(&second, |status| status.state == TaskState::Running).await;
    let three = Count { to: 3, every: ms(1) };
    second.update(Assignment::new("second", three))?;
    let status = until(&second, |status| status.state.is_terminal()).await;
    assert_eq!(status.state, TaskState::Complete);

    // The driver keeps running after the task has ended, until you remove the task.
    second.remove();
    assert_eq!(exit.await?, DriverExit::Removed);
    Ok(())
}
