//! What a driver does beside stepping: retries, deadlines, updates, and an end that
//! comes even where the workload does not listen.
//!
//! ```sh
//! cargo run --example 06_driver
//! ```
//!
//! There is one seat, and whoever has it counts. The first task has the seat, and will
//! not look up for an hour. The second tries until the seat is free. The third tries
//! too, but has a deadline.

use futures::StreamExt;
use onward::agent::{Driver, DriverHandle, Ended, Policy, Surroundings, TokioTimer};
use onward::exec::SystemClock;
use onward::{AnyTask, Assignment, Controller, ControllerError, Task, TaskState, TaskStatus};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

/// What a task is here: how far to count, and how long each number takes.
#[derive(Clone, PartialEq)]
struct Count {
    to: u32,
    every: Duration,
}

/// The workload. It looks at what is wanted after each number, and not before.
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
    /// Ready when nothing counts any more. The handle is awaited where it is: dropped
    /// and called again, this goes on.
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
            // It was given back: it has counted. (Another instance, after a restart, would
            // have to take a seat first; here there is none.)
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

/// A driver, where the runtime puts it, and its handle, by which it is told things.
fn drive(
    seats: &Arc<Semaphore>,
    task: Assignment<Count>,
    policy: Policy,
) -> Result<(DriverHandle<Count>, JoinHandle<Ended>), Box<dyn Error>> {
    let (seats, wanted) = (Arc::clone(seats), watch::Sender::new(task.definition.clone()));
    let controller = Counter { seats, wanted, seat: None, counting: None };
    let show = |id: &str, status: TaskStatus| {
        println!(
            "{id:<7} {:<9} {:<10} {}",
            status.state,
            status.message,
            status.err.as_deref().unwrap_or_default()
        );
    };
    let surroundings = Surroundings::new(TokioTimer::new(), SystemClock, show);
    let surroundings = surroundings.with_policy(policy)?;
    let (mut driver, handle) =
        Driver::new(AnyTask::from(Task::new()), task, controller, surroundings);
    Ok((handle, tokio::spawn(async move { driver.run().await })))
}

/// Waits until the newest status is one of these.
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
    let patient = Policy::default().with_retry(ms(5), ms(20), 2.0).with_shutdown_grace(ms(50));
    let hurried = patient.clone().with_prepare_deadline(ms(50));

    let (first, _) = drive(&seats, task("first", ms(3_600_000)), patient.clone())?;
    until(&first, |status| status.state == TaskState::Running).await;
    let (second, ended) = drive(&seats, task("second", ms(1)), patient)?;
    until(&second, |status| status.err.is_some()).await;
    let (third, _) = drive(&seats, task("third", ms(1)), hurried)?;
    let third = until(&third, |status| status.state.is_terminal()).await;
    assert_eq!(third.state, TaskState::Rejected);

    // Wanted to end, it is asked; when its grace is over, it is ended by force.
    first.update(task("first", ms(3_600_000)).with_desired_state(TaskState::Shutdown))?;
    let first = until(&first, |status| status.state.is_terminal()).await;
    assert_eq!((first.state, &*first.message), (TaskState::Shutdown, "terminated"));

    // Now the seat is free. Another version of the definition goes to a task that runs.
    until(&second, |status| status.state == TaskState::Running).await;
    let three = Count { to: 3, every: ms(1) };
    second.update(Assignment::new("second", three).with_version(2))?;
    let status = until(&second, |status| status.state.is_terminal()).await;
    assert_eq!(status.state, TaskState::Complete);

    // A driver goes on after the end of its task: what that has is still to be removed.
    second.remove();
    assert!(matches!(ended.await?, Ended::Removed));
    Ok(())
}
