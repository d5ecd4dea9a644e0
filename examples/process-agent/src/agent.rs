//! The agent: takes every task of a file through its life.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use onward::exec::{SystemClock, WallClock, advance, perform, task_span};
use onward::{
    AnyTask, Assignment, Controller, ControllerError, Executor, Operation, Outcome, TaskState,
    TaskStatus, resolve, step,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::Instrument;

use crate::board::Board;
use crate::controller::{ProcessController, ProcessExecutor};
use crate::definition::ProcessDefinition;
use crate::output::Output;
use crate::task_file::{TaskEntry, TaskFile};

/// How long a task waits before it tries again what failed for the moment.
const RETRY_DELAY: Duration = Duration::from_secs(1);

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
    let mut lives = JoinSet::new();
    for (index, entry) in file.tasks.iter().cloned().enumerate() {
        let span = task_span(&entry.name);
        let shown = Shown { board: Arc::clone(&board), index };
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
    mut wish: watch::Receiver<Wish>,
    output: Output,
) {
    let TaskEntry { name, desired, stop_after, definition } = entry;
    let assignment = Assignment::new(&name, definition).with_desired_state(desired.into());
    let mut task = AnyTask::resume(TaskStatus::new(TaskState::Assigned));
    let resolved = resolve(&mut task, &assignment, &executor, &SystemClock).await;
    shown.task(&task, None);
    let Ok(mut controller) = resolved else { return };
    let said = output.follow(&name, &controller);

    let mut stop = std::pin::pin!(sleep(stop_after.unwrap_or(Duration::MAX)));
    let mut stopped = false;
    loop {
        let wished = *wish.borrow_and_update();
        let stopping = stopped || wished > Wish::Run;
        let desired = if stopping { TaskState::Shutdown } else { assignment.desired_state };
        let next = next(&mut task, desired, &mut controller, wished);
        // Dropping the step that is under way loses nothing: another one takes its place.
        let outcome = tokio::select! {
            biased;
            Ok(()) = wish.changed() => continue,
            () = &mut stop, if !stopped => { stopped = true; continue }
            outcome = next => outcome,
        };
        // Also where there was nothing to do: the step before may have been dropped.
        shown.task(&task, (outcome == Outcome::Retry).then_some(RETRY_DELAY));
        let pause = match outcome {
            Outcome::Advanced => Duration::ZERO,
            Outcome::Retry => RETRY_DELAY,
            Outcome::Noop => Duration::MAX,
            Outcome::Dead => break,
        };
        tokio::select! {
            biased;
            Ok(()) = wish.changed() => {}
            () = &mut stop, if !stopped => stopped = true,
            () = sleep(pause) => {}
        }
        shown.next_attempt();
    }
    // Of a task that has not started nothing will come; and whoever kills does not wait.
    if task.container_status().is_some() {
        tokio::select! {
            () = said.finish() => {}
            _ = wish.wait_for(|wish| *wish == Wish::Kill) => {}
        }
    }
}

/// The next step, or the last resort.
async fn next(
    task: &mut AnyTask,
    desired: TaskState,
    controller: &mut ProcessController,
    wished: Wish,
) -> Outcome {
    if wished == Wish::Kill && !task.state().is_terminal() {
        let event = perform(Operation::Terminate, controller).await;
        advance(task, desired, event, SystemClock.now()).map_or(Outcome::Dead, |done| done.outcome)
    } else {
        step(task, desired, controller, &SystemClock).await
    }
}

/// Where a task is shown.
struct Shown {
    board: Arc<Board>,
    index: usize,
}

impl Shown {
    /// Shows the status, and when the operation is tried again.
    fn task(&self, task: &AnyTask, retry_in: Option<Duration>) {
        let now = Instant::now();
        self.board.update(self.index, |row| {
            if task.state() != row.status.state {
                row.since = now;
                row.attempt = 1;
            }
            row.status = task.status();
            row.retry_at = retry_in.map(|delay| now + delay);
        });
    }

    /// The pause before a retry, if there was one, is over.
    fn next_attempt(&self) {
        self.board.update(self.index, |row| {
            if row.retry_at.take().is_some() {
                row.attempt += 1;
            }
        });
    }
}
