//! The agent: takes every task of a file through its life.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use onward::exec::{SystemClock, WallClock, advance, perform, task_span};
use onward::{
    AnyTask, Assignment, Controller, ControllerError, Operation, Outcome, TaskState, TaskStatus,
    resolve, step,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::Instrument;

use crate::board::Board;
use crate::controller::{ProcessController, ProcessExecutor};
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

/// Runs all tasks at once, each with a directory of its own in `root`, until all have ended and
/// nothing of them is left. Returns their last statuses, in the order of the file.
pub async fn run(
    file: TaskFile,
    root: &Path,
    board: Arc<Board>,
    wish: watch::Receiver<Wish>,
    output: Output,
) -> Vec<TaskStatus> {
    let mut lives = JoinSet::new();
    for (index, entry) in file.tasks.into_iter().enumerate() {
        let span = task_span(&entry.name);
        let executor = ProcessExecutor::new(root);
        let shown = Shown { board: Arc::clone(&board), index };
        lives.spawn(live(entry, executor, shown, wish.clone(), output).instrument(span));
    }
    lives.join_all().await;
    board.rows().into_iter().map(|row| row.status).collect()
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
    let said = output.follow(name, &controller);

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
        let pause = match outcome {
            Outcome::Advanced => Duration::ZERO,
            Outcome::Retry => RETRY_DELAY,
            Outcome::Noop => Duration::MAX,
            Outcome::Dead => break,
        };
        shown.task(&task, (outcome == Outcome::Retry).then_some(pause));
        tokio::select! {
            biased;
            Ok(()) = wish.changed() => {}
            () = &mut stop, if !stopped => stopped = true,
            () = sleep(pause) => {}
        }
        shown.next_attempt();
    }
    said.finish(task.container_status().is_some()).await;
    if let Err(error) = remove(&mut controller).await {
        tracing::error!(error = format_args!("{error:#}"), "the task could not be removed");
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

/// Nothing of the task is left after this, but for what the error tells.
async fn remove(controller: &mut ProcessController) -> Result<(), ControllerError> {
    let removed = controller.remove().await;
    removed.and(controller.close().await)
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
