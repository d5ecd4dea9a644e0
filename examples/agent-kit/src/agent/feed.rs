//! What the worker tells, on the board.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{BoxStream, SelectAll, once};
use futures::{StreamExt as _, future};
use onward::TaskStatus;
use onward::agent::Snapshot;
use onward::agent::worker::TaskView;
use time::UtcDateTime;

use crate::board::{Board, Row};
use crate::kind::Definition;
use crate::note::{is_redefined, note};
use crate::spec::TaskSpec;
use crate::tasks::Tasks;

type View<D> = TaskView<TaskSpec<D>>;

/// Shows all tasks, and each of their steps, until the worker ends. The time of its runtime began
/// at `origin`.
pub(super) async fn feed<D: Definition>(tasks: Tasks<D>, board: Arc<Board>, origin: Instant) {
    let mut changes = tasks.changes();
    let mut steps: SelectAll<BoxStream<'static, (String, Option<Snapshot>)>> = SelectAll::new();
    let mut followed = BTreeSet::new();
    loop {
        let views = tokio::select! {
            views = changes.next() => match views {
                Some(views) => views,
                None => return,
            },
            Some((name, snapshot)) = steps.next() => {
                if let Some(snapshot) = snapshot {
                    board.update(&name, |row| step(row, snapshot, None, origin));
                    continue;
                }
                followed.remove(&name);
                tasks.tasks()
            }
        };
        show(&board, &views, origin);
        for view in views.iter().filter(|view| !view.snapshot.driver_has_ended) {
            let name = view.record.id().to_owned();
            let snapshots = tasks.snapshots(&name).filter(|_| !followed.contains(&name));
            let Some(snapshots) = snapshots else { continue };
            followed.insert(name.clone());
            let ended = once(future::ready(None));
            let named = move |snapshot| (name.clone(), snapshot);
            steps.push(snapshots.map(Some).chain(ended).map(named).boxed());
        }
    }
}

/// Shows these tasks and no others.
pub(super) fn show<D: Definition>(board: &Board, views: &[View<D>], origin: Instant) {
    board.change(|rows| {
        let before = std::mem::take(rows).into_iter();
        let mut before: BTreeMap<String, Row> = before.map(|row| (row.name.clone(), row)).collect();
        for view in views {
            let name = view.record.id();
            let found = before.remove(name);
            let mut row = found.unwrap_or_else(|| found_row(name, view.snapshot.status.clone()));
            row.is_redefined = is_redefined(&view.record);
            step(&mut row, view.snapshot.clone(), view.removal_error.as_deref(), origin);
            rows.push(row);
        }
    });
}

/// The row of a task that may have been in its state for a while.
fn found_row(name: &str, status: TaskStatus) -> Row {
    let age = status.timestamp.and_then(|at| Duration::try_from(UtcDateTime::now() - at).ok());
    let mut row = Row::new(name, status);
    row.since = age.and_then(|age| row.since.checked_sub(age)).unwrap_or(row.since);
    row
}

/// Shows how far a task is.
fn step(row: &mut Row, snapshot: Snapshot, removal_error: Option<&str>, origin: Instant) {
    if snapshot.status.state != row.status.state {
        row.since = Instant::now();
    }
    row.note = note(&snapshot, removal_error, row.is_redefined);
    row.status = snapshot.status;
    row.progress = snapshot.progress;
    // The snapshot has the runtime's time, the row has the program's.
    row.retry_at = snapshot.next_attempt.and_then(|at| origin.checked_add(at));
    // While the task waits for the next attempt, one attempt less has been made.
    let made = |attempt: u32| attempt.checked_sub(row.retry_at.is_some().into());
    row.attempt = snapshot.attempt.and_then(made);
}
