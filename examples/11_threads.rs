//! A workload that dies with its agent: a thread of the agent's own process.
//!
//! ```sh
//! cargo run --example 11_threads
//! ```
//!
//! Two things must be found by another instance of the controller. What runs is in
//! memory, by the id of its task, where every controller of the executor finds it. What
//! must be known when the process has died is in a file: that the task was started, and
//! how it ended. Where the one stands there and not the other, the task was lost.
//!
//! The contract kit tries all of that, the death of the process too.

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::Shared;
use onward::agent::TokioTimer;
use onward::testing::contract::{Contract, Observation, Subject, Workload};
use onward::{Assignment, Controller, ControllerError, Executor};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io, thread};

/// What a task is: so many rounds, and whether they come to something.
#[derive(Clone, PartialEq)]
struct Rounds {
    number: u64,
    fail: bool,
}

/// A thread, and how it is told to end.
#[derive(Clone)]
struct Worker {
    told: Arc<AtomicU8>,
    ended: Shared<oneshot::Receiver<()>>,
}

const STOP: u8 = 1;
/// It is to end, and to leave everything as if it had been killed.
const VANISH: u8 = 2;

/// The executor: where the files of the tasks are, and the threads that run.
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

    /// What an agent does when it ends without shutting its tasks down: no thread goes on,
    /// and each task is lost.
    fn abandon(&self) {
        let running = std::mem::take(&mut *self.running());
        for worker in running.into_values() {
            worker.told.store(VANISH, Ordering::Relaxed);
            _ = futures::executor::block_on(worker.ended);
        }
    }
}

impl Executor for Threads {
    type Definition = Rounds;
    type Controller = Thread;

    async fn controller(&self, task: &Assignment<Rounds>) -> Result<Thread, ControllerError> {
        let file = self.folder.join(&task.id);
        let (id, rounds) = (task.id.clone(), task.definition.clone());
        Ok(Thread { threads: self.clone(), id, file, rounds })
    }
}

struct Thread {
    threads: Threads,
    id: String,
    /// A line that it was started, one of the thread itself, and one how it ended.
    file: PathBuf,
    rounds: Rounds,
}

impl Thread {
    fn worker(&self) -> Option<Worker> {
        self.threads.running().get(&self.id).cloned()
    }
}

fn put_down(file: &Path, line: &str) -> io::Result<()> {
    fs::File::options().create(true).append(true).open(file)?.write_all(line.as_bytes())
}

/// The workload; says how it has ended, if it is to be known.
fn run(rounds: &Rounds, told: &AtomicU8) -> Option<&'static str> {
    for _ in 0..rounds.number {
        match told.load(Ordering::Relaxed) {
            VANISH => return None,
            STOP => return Some("it was stopped\n"),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
    Some(if rounds.fail { "it came to nothing\n" } else { "well\n" })
}

impl Controller for Thread {
    type Definition = Rounds;

    async fn start(&mut self) -> Result<(), ControllerError> {
        if self.file.exists() {
            return Err(ControllerError::already_started());
        }
        // First the mark: whatever happens now, it is never started again.
        put_down(&self.file, "started\n")?;
        let (tell_end, ended) = oneshot::channel();
        let worker = Worker { told: Arc::default(), ended: ended.shared() };
        let (rounds, told, file) = (self.rounds.clone(), worker.told.clone(), self.file.clone());
        thread::spawn(move || {
            _ = put_down(&file, "running\n");
            if let Some(how) = run(&rounds, &told) {
                _ = put_down(&file, how);
            }
            drop(tell_end);
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
            Some("well") => Ok(()),
            Some(why) => Err(ControllerError::new(why.to_owned())),
            // Not temporary: nobody would begin it again.
            None => Err("it was lost with its agent".into()),
        }
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        if let Some(worker) = self.worker() {
            worker.told.store(STOP, Ordering::Relaxed);
            _ = worker.ended.await;
        }
        Ok(())
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.shutdown().await?;
        self.threads.running().remove(&self.id);
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Subject for Threads {
    type Executor = Self;

    fn executor(&self) -> &Self {
        self
    }
    fn restarted(&self) -> Option<Self> {
        self.abandon();
        Some(Self::new(&self.folder))
    }
    fn definition(&self, _: &str, workload: Workload) -> Option<Rounds> {
        match workload {
            Workload::Runs => Some(Rounds { number: u64::MAX, fail: false }),
            Workload::Exits(0) => Some(Rounds { number: 20, fail: false }),
            Workload::Fails => Some(Rounds { number: 20, fail: true }),
            // No thread has an exit code, or can be ended by force.
            Workload::Exits(_) | Workload::DiesOfSignal(_) | Workload::IgnoresShutdown | _ => None,
        }
    }
    fn observe(&self, id: &str) -> Observation {
        let worker = self.running().get(id).cloned();
        let text = fs::read_to_string(self.folder.join(id));
        let starts = text.as_ref().map_or(0, |text| text.matches("running").count());
        Observation::default()
            .with_starts(starts)
            .with_running(worker.is_some_and(|worker| worker.ended.peek().is_none()))
            .with_remains(text.is_ok())
    }
}

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let report = Contract::new(TokioTimer::new()).check(&Threads::new(folder.path())).await;
    print!("{report}");
    assert!(report.holds());
    Ok(())
}
