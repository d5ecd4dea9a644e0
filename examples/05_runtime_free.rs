//! Without tokio: a `Runtime` of your own, with `futures` and the standard library.
//!
//! ```sh
//! cargo run --example 05_runtime_free
//! ```
//!
//! An agent needs four things from its environment: elapsed time, sleeps, the time of day,
//! and a way to spawn futures. The trait `Runtime` has a method for each. The runtime of
//! this example has two threads: one polls all spawned futures, the other wakes the
//! sleeping ones.
//!
//! A driver runs on it. The main thread watches the task. It creates a folder when the task
//! reports that the folder is missing, and removes the task when it has ended.

use futures::StreamExt;
use futures::channel::{mpsc as futures_mpsc, oneshot};
use futures::executor::block_on;
use futures::future::BoxFuture;
use onward::agent::policy::Backoff;
use onward::agent::runtime::SpawnError;
use onward::agent::{Driver, DriverExit, DriverHandle, Policy, Runtime};
use onward::{Assignment, Controller, ControllerError, Executor, Task, TaskState, TaskStatus};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

/// The runtime. When it is dropped, its threads end: the timer at once, the other one when
/// the last spawned future has ended.
struct TwoThreads {
    spawned: futures_mpsc::UnboundedSender<BoxFuture<'static, ()>>,
    timer: Arc<Timer>,
}

impl TwoThreads {
    fn start() -> io::Result<Self> {
        let (spawned, futures) = futures_mpsc::unbounded::<BoxFuture<'static, ()>>();
        let poll_all = || block_on(futures.for_each_concurrent(None, |future| future));
        thread::Builder::new().spawn(poll_all)?;
        let timer = Arc::new(Timer::new());
        let running = Arc::clone(&timer);
        thread::Builder::new().spawn(move || running.run())?;
        Ok(Self { spawned, timer })
    }
}

impl Runtime for TwoThreads {
    fn now(&self) -> Duration {
        self.timer.now()
    }

    fn sleep_until(&self, moment: Duration) -> BoxFuture<'static, ()> {
        let (sleep, woken) = self.timer.sleep_until(moment);
        Box::pin(async move {
            _ = woken.await;
            drop(sleep);
        })
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) -> Result<(), SpawnError> {
        self.spawned.unbounded_send(future).map_err(|error| SpawnError::new(error.to_string()))
    }

    // `utc_now` has a default: the operating system's clock.
}

impl Drop for TwoThreads {
    fn drop(&mut self) {
        self.timer.lock().is_over = true;
        self.timer.changed.notify_one();
    }
}

/// All pending sleeps in the order of their times. One thread wakes them.
struct Timer {
    origin: Instant,
    sleeps: Mutex<Sleeps>,
    changed: Condvar,
}

#[derive(Default)]
struct Sleeps {
    /// Dropping a sender wakes its sleep.
    waiting: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
    count: u64,
    is_over: bool,
}

impl Timer {
    fn new() -> Self {
        Self { origin: Instant::now(), sleeps: Mutex::default(), changed: Condvar::new() }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Sleeps> {
        self.sleeps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep_until(self: &Arc<Self>, moment: Duration) -> (Sleep, oneshot::Receiver<()>) {
        let (wake, woken) = oneshot::channel();
        let mut sleeps = self.lock();
        sleeps.count += 1;
        let key = (moment, sleeps.count);
        sleeps.waiting.insert(key, wake);
        drop(sleeps);
        self.changed.notify_one();
        (Sleep { timer: Arc::clone(self), key }, woken)
    }

    /// Wakes each sleep at its time, until the runtime is dropped.
    fn run(&self) {
        const LONGEST: Duration = Duration::from_secs(3600);
        let mut sleeps = self.lock();
        while !sleeps.is_over {
            let now = self.now();
            let later = sleeps.waiting.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut sleeps.waiting, later);
            if due.is_empty() {
                let next = sleeps.waiting.keys().next().map(|(moment, _)| *moment);
                let wait = next.map_or(LONGEST, |next| next.saturating_sub(now).min(LONGEST));
                let woken = self.changed.wait_timeout(sleeps, wait);
                (sleeps, _) = woken.unwrap_or_else(PoisonError::into_inner);
            } else {
                // A waker is foreign code, so it is not called under the lock.
                drop(sleeps);
                drop(due);
                sleeps = self.lock();
            }
        }
    }
}

/// A pending sleep. Dropping it removes it from the timer.
struct Sleep {
    timer: Arc<Timer>,
    key: (Duration, u64),
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let sleep = self.timer.lock().waiting.remove(&self.key);
        drop(sleep);
    }
}

/// Writes a file into a folder that may not exist yet. Each operation is short enough to
/// block.
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

/// Makes the controllers. The definition of a task is its folder.
struct Markers;

impl Executor for Markers {
    type Definition = PathBuf;
    type Controller = Marker;

    async fn controller(&self, task: &Assignment<PathBuf>) -> Result<Marker, ControllerError> {
        Ok(Marker { folder: task.definition.clone() })
    }
}

/// Creates the folder if the task reports that it is missing, and removes the task when it
/// has ended.
fn manage(
    statuses: mpsc::Receiver<TaskStatus>,
    task: &DriverHandle<PathBuf>,
    folder: &Path,
) -> io::Result<()> {
    for status in statuses {
        let error = status.err.as_deref().unwrap_or_default();
        println!("{:<9} {:<9} {error}", status.state, status.message);
        if status.state == TaskState::Preparing && status.err.is_some() && !folder.exists() {
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
    let runtime = Arc::new(TwoThreads::start()?);

    let (sender, statuses) = mpsc::channel();
    let sink = move |_: &str, status: TaskStatus| _ = sender.send(status);
    let backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(50));
    let assignment = Assignment::new("mark", folder.clone());
    let mut driver = Driver::new(Task::new(), assignment, Markers, runtime.clone())
        .with_policy(Policy::default().with_backoff(backoff))
        .with_sink(sink);
    let handle = driver.handle();

    let (sender, exit) = oneshot::channel();
    runtime.spawn(Box::pin(async move {
        let exit = driver.run().await;
        // Dropping the driver drops its sink, so `manage` returns.
        drop(driver);
        _ = sender.send(exit);
    }))?;
    manage(statuses, &handle, &folder)?;
    let exit = block_on(exit)?;
    println!("{exit:?}");
    assert_eq!(exit, DriverExit::Removed);
    assert_eq!(handle.status().state, TaskState::Complete);
    assert_eq!(fs::read_to_string(folder.join("mark"))?, "was here");
    Ok(())
}
