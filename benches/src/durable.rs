//! Durable statuses: one flush for each status, and one for all that are waiting.

use crate::chart::Chart;
use crate::fleet::{id, runtime};
use crate::report::{Report, Table};
use crate::rounds::{self, Measured};
use crate::scale::Scale;
use crate::text::{ratio, thousands, whole};
use anyhow::{Context as _, Result, anyhow};
use onward::agent::store::{StoreChange, StoreError, StoredTask, TaskRecord};
use onward::agent::{RedbStore, Store, TokioRuntime, Worker};
use onward::testing::NoopController;
use onward::{Assignment, TaskState, TaskStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use time::UtcDateTime;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// The numbers of concurrent writers.
const WRITERS: [u32; 7] = [1, 4, 16, 64, 256, 1_000, 4_000];

/// The most statuses and commits in one measurement.
const WRITES: u32 = 20_000;
const COMMITS: u32 = 60;

/// Makes a directory on the disk of the program. A directory in memory would flush nothing.
pub(crate) fn place() -> Result<TempDir> {
    let exe = std::env::current_exe()?;
    Ok(tempfile::tempdir_in(exe.parent().context("the program is in no directory")?)?)
}

pub(crate) async fn open(place: &TempDir) -> Result<RedbStore<()>> {
    let elsewhere = |work| drop(tokio::task::spawn_blocking(work));
    Ok(RedbStore::open(place.path().join("tasks"), elsewhere).await?)
}

/// Returns the statuses of this many concurrent writers.
fn statuses(writers: u32) -> Vec<StoreChange<()>> {
    let mut status = TaskStatus::new(TaskState::Running);
    status.message = "started".into();
    status.timestamp = Some(UtcDateTime::now());
    let change =
        |number| StoreChange::Status { id: id(number).into(), status: status.clone().into() };
    (0..u64::from(writers)).map(change).collect()
}

/// Makes a store with a task for each writer.
async fn store(place: &TempDir) -> Result<RedbStore<()>> {
    let store = open(place).await?;
    let record =
        |number| StoreChange::Record(TaskRecord::new(Assignment::new(id(number), ())).into());
    let most = WRITERS.iter().copied().max().unwrap_or_default();
    store.commit(&(0..u64::from(most)).map(record).collect::<Vec<_>>()).await?;
    Ok(store)
}

/// Returns how many commits of this size are measured at once.
fn commits(writers: u32) -> u32 {
    (WRITES / writers).clamp(1, COMMITS)
}

/// Returns the time for one status.
fn write(runtime: &Runtime, store: &RedbStore<()>, changes: &[StoreChange<()>]) -> Duration {
    let writers = u32::try_from(changes.len()).unwrap_or(u32::MAX);
    let start = Instant::now();
    for _ in 0..commits(writers) {
        if let Err(error) = runtime.block_on(store.commit(changes)) {
            eprintln!("not written: {error}");
        }
    }
    start.elapsed() / commits(writers) / writers
}

pub(crate) fn run(scale: &Scale) -> Result<Report> {
    let runtime = runtime()?;
    let place = place()?;
    let store = runtime.block_on(store(&place))?;
    let changes = WRITERS.map(statuses);
    let (on, to) = (&runtime, &store);
    let timed = |changes| -> Measured<'_> { Box::new(move || write(on, to, changes)) };
    let rounds = rounds::measure(scale.few, changes.iter().map(|each| timed(&**each)).collect());
    let mut table = Table::new(
        "durable",
        "Statuses made durable a second, in a file, with a flush for each commit",
        &["writers at once", "statuses a flush", "statuses a second", "beside one a flush", "goal"],
    );
    let mut curve = Vec::new();
    for (number, writers) in WRITERS.into_iter().enumerate() {
        let rate = 1.0 / rounds.seconds(number);
        let (text, times) = (thousands(writers.into()), ratio(1.0 / rounds.ratio(number, 0)));
        let wanted = match writers {
            64 => "7 ×",
            1_000 => "20 ×",
            _ => "",
        };
        table.row([text.clone(), text, whole(rate), times, wanted.into()]);
        curve.push((f64::from(writers), rate));
    }
    let mut through = Table::new(
        "worker",
        "Lives of tasks under a worker with such a store, all assigned at once",
        &["tasks", "records and statuses made durable", "flushes", "durable a second"],
    );
    for tasks in [1, 64, 1_000, 10_000] {
        let (counts, took) = runtime.block_on(worker(tasks))?;
        let (changes, flushes) = (counts.changes(), counts.flushes());
        let rate = f64::from(u32::try_from(changes)?) / took.as_secs_f64();
        through.row([thousands(tasks), thousands(changes), thousands(flushes), whole(rate)]);
    }
    Ok(Report::of(table).and(through).with(Chart {
        name: "durable",
        title: "Statuses made durable a second, by how many are written at once",
        axes: ("writers at once", "statuses a second"),
        is_log: true,
        curves: vec![("statuses a second", curve)],
    }))
}

/// The number of committed changes and of commits.
#[derive(Clone, Default)]
struct Counts(Arc<(AtomicU64, AtomicU64)>);

impl Counts {
    fn changes(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }

    fn flushes(&self) -> u64 {
        self.0.1.load(Ordering::Relaxed)
    }
}

/// A store that counts its commits.
struct Counting(RedbStore<()>, Counts);

impl Store<()> for Counting {
    async fn load(&self) -> Result<Vec<StoredTask<()>>, StoreError> {
        self.0.load().await
    }

    async fn commit(&self, changes: &[StoreChange<()>]) -> Result<(), StoreError> {
        let Counts(counts) = &self.1;
        counts.0.fetch_add(changes.len() as u64, Ordering::Relaxed);
        counts.1.fetch_add(1, Ordering::Relaxed);
        self.0.commit(changes).await
    }
}

/// Runs this many tasks to their ends, until the last status is durable.
async fn worker(tasks: u64) -> Result<(Counts, Duration)> {
    let place = place()?;
    let counts = Counts::default();
    let store = Counting(open(&place).await?, counts.clone());
    let (tell, mut told) = mpsc::unbounded_channel();
    let sink = move |_: &str, status: TaskStatus| _ = tell.send(status.state);
    let runtime = Arc::new(TokioRuntime::current());
    let mut worker = Worker::open(NoopController::Ends, store, runtime).await?.with_sink(sink);
    let handle = worker.handle();
    let agent = tokio::spawn(async move { worker.run().await });

    let all = (0..tasks).map(|number| Assignment::new(id(number), ()));
    let start = Instant::now();
    handle.assign(all).await?;
    let mut alive = tasks;
    while alive > 0 {
        let state = told.recv().await.ok_or_else(|| anyhow!("the worker has gone"))?;
        alive -= u64::from(state == TaskState::Complete);
    }
    let took = start.elapsed();
    handle.close();
    agent.await?;
    Ok((counts, took))
}
