//! Many running tasks, each with its driver, on tokio with two worker threads.

use anyhow::{Context as _, Result};
use onward::agent::{Driver, DriverHandle, StatusSink, TokioRuntime};
use onward::{AnyTask, Assignment, Controller, ControllerError, Executor, TaskState, TaskStatus};
use rustix::time::{ClockId, clock_gettime};
use std::future::pending;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// Makes a runtime with two worker threads, as on a machine with two cores.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_time().build()?)
}

/// Returns the id of a task. It is as long as an id of SwarmKit, and the ids are in random order.
pub(crate) fn id(number: u64) -> String {
    // Multiplying by an odd factor gives each number its own id.
    format!("{:025}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// A workload that runs until it is shut down, and reports the time of that call. The executor
/// hands out clones.
#[derive(Clone, Debug)]
struct Runs(Sender<Instant>);

impl Executor for Runs {
    type Definition = ();
    type Controller = Self;

    async fn controller(&self, _: &Assignment<()>) -> Result<Self, ControllerError> {
        Ok(self.clone())
    }
}

impl Controller for Runs {
    type Definition = ();

    async fn start(&mut self) -> Result<(), ControllerError> {
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        pending().await
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        // The receiver is gone when the program ends.
        _ = self.0.send(Instant::now());
        Ok(())
    }
}

/// Reports each task that is running.
#[derive(Clone)]
struct Sink(Sender<()>);

impl StatusSink for Sink {
    fn changed(&self, _: &str, status: TaskStatus) {
        if status.state == TaskState::Running {
            // The receiver is gone when the program ends.
            _ = self.0.send(());
        }
    }
}

/// Many running tasks.
pub(crate) struct Fleet {
    runtime: Runtime,
    shared: Arc<TokioRuntime>,
    sink: Sink,
    handles: Vec<DriverHandle<()>>,
    running: Receiver<()>,
    tell: Sender<Instant>,
    told: Receiver<Instant>,
}

impl Fleet {
    /// Starts this many tasks, and waits until all are in RUNNING.
    pub(crate) fn running(tasks: u64) -> Result<Self> {
        let (tell, told) = channel();
        let (runs, running) = channel();
        let (runtime, handles, sink) = (runtime()?, Vec::new(), Sink(runs));
        let shared = Arc::new(TokioRuntime::new(runtime.handle().clone()));
        let mut fleet = Self { runtime, shared, sink, handles, running, tell, told };
        fleet.add(tasks)?;
        Ok(fleet)
    }

    /// Starts this many more tasks.
    pub(crate) fn add(&mut self, tasks: u64) -> Result<()> {
        for number in 0..tasks {
            let task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
            let assignment = Assignment::new(id(number), ());
            let executor = Runs(self.tell.clone());
            let mut driver = Driver::new(task, assignment, executor, self.shared.clone())
                .with_sink(self.sink.clone());
            let handle = driver.handle();
            self.runtime.spawn(async move { driver.run().await });
            self.handles.push(handle);
        }
        for _ in 0..tasks {
            self.running.recv()?;
        }
        Ok(())
    }

    /// Shuts one task down. Returns the time until its controller's `shutdown` was called.
    pub(crate) fn shut_down(&self, number: usize) -> Result<Duration> {
        let start = Instant::now();
        self.tell(number)?;
        Ok(self.told.recv()?.duration_since(start))
    }

    /// Shuts all tasks down. Returns the time until the last `shutdown` was called.
    pub(crate) fn shut_down_all(&self) -> Result<Duration> {
        let start = Instant::now();
        for number in 0..self.handles.len() {
            self.tell(number)?;
        }
        let mut last = start;
        for _ in 0..self.handles.len() {
            last = last.max(self.told.recv()?);
        }
        Ok(last.duration_since(start))
    }

    fn tell(&self, number: usize) -> Result<()> {
        let handle = self.handles.get(number).context("there is no such task")?;
        let assignment = Assignment::new(handle.id(), ());
        handle.update(assignment.with_desired_state(TaskState::Shutdown))?;
        Ok(())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for handle in &self.handles {
            handle.close();
        }
    }
}

/// Returns the processor time of this process.
fn cpu() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// How long an idle fleet is measured.
const IDLE: Duration = Duration::from_secs(5);

/// Returns the processor time in milliseconds of this many idle tasks.
pub(crate) fn idle(tasks: u64) -> Result<Vec<f64>> {
    let fleet = Fleet::running(tasks)?;
    // Wait until the worker threads sleep.
    thread::sleep(Duration::from_secs(1));
    let before = cpu();
    thread::sleep(IDLE);
    let took = cpu().saturating_sub(before);
    drop(fleet);
    Ok(vec![took.as_secs_f64() * 1e3])
}
