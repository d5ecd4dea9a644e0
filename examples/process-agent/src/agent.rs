//! The agent: a driver for every task of a file.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, future};
use onward::agent::{Driver, DriverHandle, Snapshot, Surroundings, Timer as _, TokioTimer};
use onward::exec::{SystemClock, task_span};
use onward::{
    AnyTask, Assignment, Controller, ControllerError, Executor, TaskState, TaskStatus, resolve,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::Instrument;

use crate::board::{Board, Row};
use crate::controller::ProcessExecutor;
use crate::definition::ProcessDefinition;
use crate::output::Output;
use crate::task_file::{TaskEntry, TaskFile};

/// How far whoever runs the agent wants it to go. It only ever grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Wish {
    /// Every task in the state that its file desires.
    Run,
    /// Every task shut down.
    Shutdown,
    /// Every task killed.
    Kill,
}

/// What has become of the tasks of a file, in its order.
#[derive(Debug)]
pub struct Report {
    /// Their last statuses.
    pub statuses: Vec<TaskStatus>,
    /// What could not be removed, and why: the name of the task and the error.
    pub left: Vec<(String, ControllerError)>,
}

/// Runs all tasks at once, each with a directory of its own in `root`, until all have ended and
/// nothing of them is left.
pub async fn run(
    file: TaskFile,
    root: &Path,
    board: Arc<Board>,
    wish: watch::Receiver<Wish>,
    output: Output,
) -> Report {
    let executor = ProcessExecutor::new(root);
    let timer = TokioTimer::new();
    let mut lives = JoinSet::new();
    for (index, entry) in file.tasks.iter().cloned().enumerate() {
        let span = task_span(&entry.name);
        let shown = Shown { board: Arc::clone(&board), index, timer };
        let life = live(entry, executor.clone(), shown, wish.clone(), output.clone());
        lives.spawn(life.instrument(span));
    }
    while let Some(life) = lives.join_next().await {
        if let Err(panic) = life {
            // The others go on; what is left of this one is removed below.
            tracing::error!("a task's life has ended before the task: {panic}");
        }
    }
    let mut left = Vec::new();
    for TaskEntry { name, definition, .. } in file.tasks {
        let assignment = Assignment::new(&name, definition);
        if let Err(error) = remove(&executor, &assignment).await {
            left.push((name, error));
        }
    }
    let statuses = board.rows().into_iter().map(|row| row.status).collect();
    Report { statuses, left }
}

/// Nothing of the task is left after this, but for what the error tells.
async fn remove(
    executor: &ProcessExecutor,
    assignment: &Assignment<ProcessDefinition>,
) -> Result<(), ControllerError> {
    let mut controller = executor.controller(assignment).await?;
    controller.remove().await?;
    controller.close().await
}

/// One task's whole life.
async fn live(
    entry: TaskEntry,
    executor: ProcessExecutor,
    shown: Shown,
    wish: watch::Receiver<Wish>,
    output: Output,
) {
    let TaskEntry { name, desired, stop_after, policy, definition } = entry;
    let assignment = Assignment::new(&name, definition).with_desired_state(desired.into());
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    let resolved = resolve(&mut task, &assignment, &executor, &SystemClock).await;
    let Ok(controller) = resolved else { return shown.status(task.status()) };
    let said = output.follow(&name, &controller);
    let surroundings = Surroundings::new(shown.timer, SystemClock, |_: &str, _| {});
    // It was checked when it was read.
    let Ok(surroundings) = surroundings.with_policy(policy) else { return };
    let (mut driver, handle) = Driver::new(task, assignment.clone(), controller, surroundings);
    let followed = async {
        shown.follow(&handle).await;
        // Of a task that has not started nothing will come; and whoever kills does not wait.
        if handle.status().container_status.is_some() {
            let mut wish = wish.clone();
            tokio::select! {
                () = said.finish() => {}
                _ = wish.wait_for(|wish| *wish == Wish::Kill) => {}
            }
        }
        handle.remove();
    };
    let commanded = command(&handle, &executor, &assignment, stop_after, wish.clone());
    let mut run = pin!(driver.run());
    tokio::select! {
        _ = &mut run => {}
        ((), ()) = future::join(followed, commanded) => { _ = run.await; }
    }
}

/// Tells the driver what is wished, when it is.
async fn command(
    handle: &DriverHandle<ProcessDefinition>,
    executor: &ProcessExecutor,
    assignment: &Assignment<ProcessDefinition>,
    stop_after: Option<Duration>,
    mut wish: watch::Receiver<Wish>,
) {
    tokio::select! {
        _ = wish.wait_for(|wish| *wish > Wish::Run) => {}
        () = sleep(stop_after.unwrap_or(Duration::MAX)) => {}
    }
    let stopped = assignment.clone().with_desired_state(TaskState::Shutdown);
    // Refused only where the task is gone already.
    _ = handle.update(stopped);
    // Nobody wishes any more, which is no wish to kill.
    let Ok(_) = wish.wait_for(|wish| *wish == Wish::Kill).await else { return };
    // Beside the driver, whose shutdown then succeeds.
    let killed = async { executor.controller(assignment).await?.terminate().await };
    if let Err(error) = killed.await {
        tracing::error!(error = format_args!("{error:#}"), "the task could not be killed");
    }
}

/// Where a task is shown.
struct Shown {
    board: Arc<Board>,
    index: usize,
    timer: TokioTimer,
}

impl Shown {
    /// Shows the task until it has ended.
    async fn follow(&self, handle: &DriverHandle<ProcessDefinition>) {
        let mut snapshots = handle.snapshots();
        while let Some(snapshot) = snapshots.next().await {
            let has_ended = snapshot.status.state.is_terminal();
            self.board.update(self.index, |row| self.show(row, snapshot));
            if has_ended {
                return;
            }
        }
    }

    fn show(&self, row: &mut Row, snapshot: Snapshot) {
        if snapshot.status.state != row.status.state {
            row.since = Instant::now();
        }
        row.status = snapshot.status;
        // What it is told in the driver's time is shown in the program's.
        let retry_in = snapshot.next_attempt.map(|at| at.saturating_sub(self.timer.now()));
        row.retry_at = retry_in.map(|delay| Instant::now() + delay);
        // While the next one is waited for, there have been so many.
        row.attempt = snapshot.attempt.saturating_sub(row.retry_at.is_some().into());
    }

    /// Shows a task that has no driver.
    fn status(&self, status: TaskStatus) {
        self.board.update(self.index, |row| {
            row.since = Instant::now();
            row.status = status;
        });
    }
}
