//! A workload inside the agent: a thread that dies with the agent's process.
//!
//! ```sh
//! cargo run --example 11_threads
//! ```
//!
//! A new controller must find two things. The running threads are in memory, by task id,
//! where all controllers of one executor find them. A file for each task survives the
//! process: it records that the task was started, and how it ended. If the file has a start
//! and no end, and no thread runs, the task was lost with an earlier process.
//!
//! The contract kit checks all of that, including the death of the process. Requires the
//! features `testing` and `tokio`.

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Shared;
use onward::agent::TokioRuntime;
use onward::testing::contract::Workload;
use onward::testing::contract::{Clause, Contract, InForce, Observation, Subject, UpdatePoint};
use onward::{Assignment, Controller, ControllerError, Executor};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io, thread};

/// The definition of a task: the number of rounds, the duration of each, and whether the
/// task fails after the last one. Once the task was started, only the duration can be
/// changed.
#[derive(Clone, PartialEq)]
struct Rounds {
    number: u64,
    millis: u64,
    fail: bool,
}

/// A thread that runs or has ended.
#[derive(Clone)]
struct Worker {
    /// The orders that the thread reads before each round.
    order: Arc<Order>,
    /// Resolves when the thread has ended.
    ended: Shared<oneshot::Receiver<()>>,
}

struct Order {
    /// 0, `STOP` or `VANISH`.
    end: AtomicU8,
    millis: AtomicU64,
}

/// Order: end, and write that to the file.
const STOP: u8 = 1;
/// Order: end without writing, as if the process were killed.
const VANISH: u8 = 2;

/// The executor: a folder with one file for each task, and the threads.
#[derive(Clone)]
struct Threads {
    folder: PathBuf,
    running: Arc<Mutex<BTreeMap<String, Worker>>>,
}

impl Threads {
    fn new(folder: &Path) -> Self {
        Self { folder: folder.into(), running: Arc::default() }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Worker>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the thread of a task, if there is one.
    async fn stop(&self, id: &str) {
        let worker = self.running().get(id).cloned();
        if let Some(worker) = worker {
            worker.order.end.store(STOP, Ordering::Relaxed);
            _ = worker.ended.await;
        }
    }

    /// Stops the thread of a task, and removes its file.
    async fn remove(&self, id: &str) -> Result<(), ControllerError> {
        self.stop(id).await;
        self.running().remove(id);
        match fs::remove_file(self.folder.join(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Simulates the death of the process: no thread continues, and every running task is
    /// lost.
    fn abandon(&self) {
        let running = std::mem::take(&mut *self.running());
        for worker in running.into_values() {
            worker.order.end.store(VANISH, Ordering::Relaxed);
            _ = futures::executor::block_on(worker.ended);
        }
    }
}

impl Executor for Threads {
    type Definition = Rounds;
    type Controller = Thread;

    async fn controller(&self, task: &Assignment<Rounds>) -> Result<Thread, ControllerError> {
        let (id, rounds) = (task.id.to_string(), task.definition.clone());
        // An id can be any text. Here it becomes a file name.
        if Path::new(&id).file_name() != Some(id.as_ref()) {
            return Err(ControllerError::new(format!("the id {id:?} is not a file name")));
        }
        Ok(Thread { threads: self.clone(), file: self.folder.join(&id), id, rounds })
    }

    /// Every existing task has a file, even if its thread is lost.
    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            ids.push(entry?.file_name().to_string_lossy().into_owned());
        }
        Ok(ids)
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        self.remove(id).await
    }
}

struct Thread {
    threads: Threads,
    id: String,
    /// Up to three lines: the task was started, its thread runs, and how it ended.
    file: PathBuf,
    rounds: Rounds,
}

impl Thread {
    fn worker(&self) -> Option<Worker> {
        self.threads.running().get(&self.id).cloned()
    }
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    fs::File::options().create(true).append(true).open(file)?.write_all(line.as_bytes())
}

/// The workload. Returns the line about its end.
fn run(rounds: &Rounds, order: &Order) -> Option<&'static str> {
    for _ in 0..rounds.number {
        match order.end.load(Ordering::Relaxed) {
            VANISH => return None,
            STOP => return Some("it was stopped\n"),
            _ => thread::sleep(Duration::from_millis(order.millis.load(Ordering::Relaxed))),
        }
    }
    Some(if rounds.fail { "it has failed\n" } else { "success\n" })
}

impl Controller for Thread {
    type Definition = Rounds;

    async fn update(&mut self, rounds: &Rounds) -> Result<(), ControllerError> {
        // Apply all of it or nothing: check everything before changing anything.
        let is_other = (rounds.number, rounds.fail) != (self.rounds.number, self.rounds.fail);
        if is_other && self.file.exists() {
            let reason = "only the length of a round can be changed once the task was started";
            return Err(ControllerError::update_rejected(reason));
        }
        if let Some(worker) = self.worker() {
            worker.order.millis.store(rounds.millis, Ordering::Relaxed);
        }
        self.rounds = rounds.clone();
        Ok(())
    }

    async fn start(&mut self) -> Result<(), ControllerError> {
        if self.file.exists() {
            return Err(ControllerError::already_started());
        }
        // Write the marker first. From here on the task is never started again.
        append(&self.file, "started\n")?;
        let (sender, ended) = oneshot::channel::<()>();
        let millis = AtomicU64::new(self.rounds.millis);
        let order = Arc::new(Order { end: AtomicU8::new(0), millis });
        let worker = Worker { order: order.clone(), ended: ended.shared() };
        let (rounds, file) = (self.rounds.clone(), self.file.clone());
        thread::spawn(move || {
            _ = append(&file, "running\n");
            if let Some(end) = run(&rounds, &order) {
                _ = append(&file, end);
            }
            drop(sender);
        });
        self.threads.running().insert(self.id.clone(), worker);
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        if let Some(worker) = self.worker() {
            _ = worker.ended.await;
        }
        let text = fs::read_to_string(&self.file)?;
        match text.lines().find(|line| !["started", "running"].contains(line)) {
            Some("success") => Ok(()),
            Some(end) => Err(ControllerError::new(end.to_owned())),
            // Not temporary, because another call would find the same.
            None => Err("it was lost with its agent".into()),
        }
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        self.threads.stop(&self.id).await;
        Ok(())
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.threads.remove(&self.id).await
    }
}

impl Subject for Threads {
    type Executor = Self;

    fn executor(&self) -> &Self {
        self
    }
    fn definition(&self, _: &str, workload: Workload) -> Option<Rounds> {
        let rounds = |number, fail| Some(Rounds { number, millis: 1, fail });
        match workload {
            Workload::Runs => rounds(u64::MAX, false),
            Workload::Exits(0) => rounds(20, false),
            Workload::Fails => rounds(20, true),
            // A thread has no exit code and cannot be stopped by force.
            Workload::Exits(_) | Workload::DiesOfSignal(_) | Workload::IgnoresShutdown | _ => None,
        }
    }
    fn observe(&self, id: &str) -> Observation {
        let worker = self.running().get(id).cloned();
        let text = fs::read_to_string(self.folder.join(id));
        let starts = text.as_ref().map_or(0, |text| text.matches("running").count());
        let running = worker.as_ref().is_some_and(|worker| worker.ended.peek().is_none());
        let in_force = worker.map(|worker| match worker.order.millis.load(Ordering::Relaxed) {
            1 => InForce::Original,
            _ => InForce::Updated,
        });
        Observation::default()
            .with_starts(starts)
            .with_running(running)
            .with_remains(text.is_ok())
            .with_in_force(in_force)
    }

    // The other methods are optional. With them the kit checks more clauses.

    /// The next process has the same folder and no threads.
    fn restarted(&self) -> Option<Self> {
        self.abandon();
        Some(Self::new(&self.folder))
    }
    /// The agent has lost its store. Its threads continue, so the clone shares them.
    fn reconciler(&self) -> Option<Self> {
        Some(self.clone())
    }
    fn updated_definition(&self, id: &str, workload: Workload, _: UpdatePoint) -> Option<Rounds> {
        self.definition(id, workload).map(|rounds| Rounds { millis: 2, ..rounds })
    }
    /// The duration of a round could be changed, but not the number of rounds.
    fn refused_definition(
        &self,
        id: &str,
        workload: Workload,
        point: UpdatePoint,
    ) -> Option<Rounds> {
        let rounds = self.updated_definition(id, workload, point)?;
        let fewer = Rounds { number: rounds.number / 2, ..rounds };
        (point == UpdatePoint::Started).then_some(fewer)
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let contract = Contract::new(Arc::new(TokioRuntime::current()));
    let report = contract.check(&Threads::new(folder.path())).await;
    print!("{report}");
    assert!(report.holds());
    let unchecked: Vec<_> = report.unchecked.iter().map(|unchecked| unchecked.clause).collect();
    // There are no exit codes and no signals, and nothing can stop a thread by force.
    let expected = [
        Clause::WaitExitCode,
        Clause::WaitSignalExitCode,
        Clause::TerminateForces,
        Clause::InspectExitCode,
    ];
    assert_eq!(unchecked, expected);
    Ok(())
}
