//! Without a runtime: an executor and a timer of one's own, of the standard library.
//!
//! ```sh
//! cargo run --example 05_runtime_free
//! ```
//!
//! A `Driver` is a future; a `Timer` is all that it asks for. The executor here polls
//! the driver on one thread, and parks that until somebody wakes it. A second thread is
//! whoever is in charge: it hears how far the task is, and says what is wanted.

use futures::channel::oneshot;
use onward::agent::{Driver, DriverHandle, Ended, Policy, Surroundings, Timer};
use onward::exec::SystemClock;
use onward::{AnyTask, Assignment, Controller, ControllerError, Task, TaskState, TaskStatus};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use std::{fs, io};

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// The executor: polls a future to its end, and parks this thread in between.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// The timer: a thread for each sleep, which is simple, and enough for a few.
#[derive(Clone, Copy)]
struct Threads {
    origin: Instant,
}

impl Timer for Threads {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    async fn sleep_until(&self, moment: Duration) {
        let timer = *self;
        let (tell, told) = oneshot::channel::<()>();
        let sleeper = thread::spawn(move || {
            // It may be woken early; and nobody may be waiting any more.
            while timer.now() < moment && !tell.is_canceled() {
                thread::park_timeout(moment.saturating_sub(timer.now()));
            }
        });
        // Dropped in this order: first nobody waits any more, then the thread sees that.
        let _wake = OnDrop(sleeper.thread().clone());
        _ = told.await;
    }
}

/// Wakes the sleeper when the sleep is dropped, so that nothing of it is left.
struct OnDrop(Thread);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.unpark();
    }
}

/// Leaves a mark in a folder that may not be there yet. It takes so little that it is
/// done in place.
struct Marker {
    folder: PathBuf,
}

impl Controller for Marker {
    type Definition = PathBuf;

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        let folder = fs::read_dir(&self.folder);
        folder.map(drop).map_err(|error| ControllerError::wrap(error).temporary())
    }
    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(fs::write(self.folder.join("mark"), "was here")?)
    }
    async fn wait(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }
}

/// Whoever is in charge, on a thread of its own: makes the folder when it hears that
/// the task has not found it, and has the task removed when that has ended.
fn manage(
    statuses: mpsc::Receiver<TaskStatus>,
    task: &DriverHandle<PathBuf>,
    folder: &Path,
) -> io::Result<()> {
    for status in statuses {
        println!(
            "{:<9} {:<9} {}",
            status.state,
            status.message,
            status.err.as_deref().unwrap_or_default()
        );
        if status.state == TaskState::Preparing && status.err.is_some() {
            fs::create_dir(folder)?;
        }
        if status.state.is_terminal() {
            task.remove();
        }
    }
    Ok(())
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("folder");

    let (tell, statuses) = mpsc::channel();
    let sink = move |_: &str, status: TaskStatus| _ = tell.send(status);
    let ms = Duration::from_millis;
    let often = Policy::default().with_retry(ms(5), ms(50), 2.0);
    let timer = Threads { origin: Instant::now() };
    let surroundings = Surroundings::new(timer, SystemClock, sink).with_policy(often)?;

    let task = AnyTask::from(Task::new());
    let assignment = Assignment::new("mark", folder.clone());
    let controller = Marker { folder: folder.clone() };
    let (mut driver, handle) = Driver::new(task, assignment, controller, surroundings);

    let (ended, managed) = thread::scope(|scope| {
        let manager = scope.spawn(|| {
            let managed = manage(statuses, &handle, &folder);
            // Whatever went wrong, nobody is in charge any more.
            handle.remove();
            managed
        });
        let ended = block_on(driver.run());
        // It holds the other end of the channel: now the manager is done too.
        drop(driver);
        (ended, manager.join())
    });
    managed.map_err(|_| "the manager panicked")??;
    println!("{ended:?}");
    assert!(matches!(ended, Ended::Removed));
    assert_eq!(handle.status().state, TaskState::Complete);
    assert_eq!(fs::read_to_string(folder.join("mark"))?, "was here");
    Ok(())
}
