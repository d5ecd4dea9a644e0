//! Copies the changes that the worker reports to the board.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, SelectAll, once};
use futures::{StreamExt as _, future};
use onward::TaskStatus;
use onward::agent::Snapshot;
use onward::agent::worker::{ChangedTasks, TaskView};
use time::UtcDateTime;

use crate::board::{Board, Row};
use crate::history::History;
use crate::kind::Definition;
use crate::note::{is_redefined, note};
use crate::spec::TaskSpec;
use crate::tasks::{Tasks, name};

type View<D> = TaskView<TaskSpec<D>>;

/// Shows all tasks and each of their changes, until the worker ends. Forgets the histories of
/// removed tasks. `origin` is the moment at which the time of the worker's runtime is 0.
pub(super) async fn feed<D: Definition>(
    tasks: Tasks<D>,
    board: Arc<Board>,
    history: Option<Arc<History>>,
    origin: Instant,
) {
    let mut changes = tasks.changes();
    let mut steps: SelectAll<BoxStream<'static, (String, Option<Snapshot>)>> = SelectAll::new();
    let mut followed = BTreeSet::new();
    loop {
        let changed = tokio::select! {
            changed = changes.next() => match changed {
                Some(ChangedTasks { tasks, removed, .. }) => {
                    for id in &removed {
                        board.remove(id);
                        if let Some(history) = &history {
                            history.forget(id);
                        }
                    }
                    tasks
                }
                None => return,
            },
            Some((id, snapshot)) = steps.next() => {
                if let Some(snapshot) = snapshot {
                    board.update(&id, |row| step(row, snapshot, None, origin));
                    continue;
                }
                followed.remove(&id);
                tasks.task(&id).into_iter().collect()
            }
        };
        for view in changed {
            let (id, has_ended) = (view.id().to_owned(), view.snapshot.driver_has_ended);
            show(&board, view, origin);
            if has_ended || followed.contains(&id) {
                continue;
            }
            let Some(snapshots) = tasks.snapshots(&id) else { continue };
            followed.insert(id.clone());
            let ended = once(future::ready(None));
            let keyed = move |snapshot| (id.clone(), snapshot);
            steps.push(snapshots.map(Some).chain(ended).map(keyed).boxed());
        }
    }
}

/// Shows the final state of all tasks, and returns their statuses.
pub(super) fn show_all<D: Definition>(
    board: &Board,
    tasks: &Tasks<D>,
    origin: Instant,
) -> Vec<TaskStatus> {
    let views = tasks.tasks();
    let statuses = views.iter().map(|view| view.snapshot.status.clone()).collect();
    for row in board.rows() {
        if tasks.task(&row.id).is_none() {
            board.remove(&row.id);
        }
    }
    for view in views {
        show(board, view, origin);
    }
    statuses
}

/// Shows one task.
fn show<D: Definition>(board: &Board, view: View<D>, origin: Instant) {
    let name = name(&view).to_owned();
    let TaskView { record, snapshot, removal_error, .. } = view;
    let found = snapshot.status.clone();
    let is_redefined = is_redefined(&record);
    let change = |row: &mut Row| {
        row.name = name;
        row.is_removing = record.removing;
        row.is_redefined = is_redefined;
        step(row, snapshot, removal_error.as_deref(), origin);
    };
    board.change(record.id(), || found_row(record.id(), found), change);
}

/// Returns the row of a task that has perhaps been in its state for a while.
fn found_row(id: &str, status: TaskStatus) -> Row {
    let age = status.timestamp.and_then(|at| Duration::try_from(UtcDateTime::now() - at).ok());
    let mut row = Row::new(id, status);
    row.since = age.and_then(|age| row.since.checked_sub(age)).unwrap_or(row.since);
    row
}

/// Writes the state of a task into its row.
fn step(row: &mut Row, snapshot: Snapshot, removal_error: Option<&str>, origin: Instant) {
    if snapshot.status.state != row.status.state {
        row.since = Instant::now();
    }
    row.note = note(&snapshot, removal_error, row.is_removing, row.is_redefined);
    row.status = snapshot.status;
    row.progress = snapshot.progress;
    // The snapshot uses the time of the runtime, the row uses that of the program.
    row.retry_at = snapshot.next_attempt.and_then(|at| origin.checked_add(at));
    // While the task waits for the next attempt, it has made one attempt less.
    let made = |attempt: u32| attempt.checked_sub(row.retry_at.is_some().into());
    row.attempt = snapshot.attempt.and_then(made);
}
