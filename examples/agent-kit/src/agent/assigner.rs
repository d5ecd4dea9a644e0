//! What is assigned: out of the file, the time and what somebody has ordered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use onward::agent::worker::ChangedTasks;
use onward::agent::{AssignError, AssignedTask, AssignmentChange, TaskView};
use onward::{Assignment, Controller as _, TaskState};
use time::UtcDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::order::Order;
use crate::board::Board;
use crate::kind::TaskExecutor;
use crate::output::Output;
use crate::spec::TaskSpec;
use crate::task_file::{TaskEntry, TaskFile, TaskFileError};
use crate::tasks::{Tasks, check_names};

type View<D> = TaskView<TaskSpec<D>>;

/// How long it takes to another try of an assignment that could not be stored.
const AGAIN: Duration = Duration::from_secs(1);

/// The only one who tells the worker what is assigned: always all of it.
///
/// What it must know after a restart is in the worker's store: a task that was taken out of the
/// file and put in again waits there as the next one of its id, and a [`TaskSpec`] has the rest.
#[derive(Debug)]
pub(super) struct Assigner<E: TaskExecutor> {
    tasks: Tasks<E::Definition>,
    executor: E,
    file: TaskFile<E::Definition>,
    board: Arc<Board>,
    output: Output,
    /// When this agent began.
    began: UtcDateTime,
    /// Everything is to be shut down, since the agent ends.
    is_ending: bool,
    /// When each task of the file was first assigned.
    assigned: BTreeMap<String, AssignedAt>,
    /// The tasks whose output is being shown, by when they were first assigned.
    followed: BTreeMap<String, UtcDateTime>,
    /// What the tasks say, while it is being shown.
    shown: JoinSet<()>,
    /// When what could not be stored is assigned again.
    retry_at: Option<Instant>,
    /// When the time of the next task is over.
    stop_at: Option<Instant>,
}

/// When a task was first assigned, by both clocks. The one cannot be set, the other one is
/// stored.
#[derive(Clone, Copy, Debug)]
struct AssignedAt {
    utc: UtcDateTime,
    instant: Instant,
}

impl<E: TaskExecutor + 'static> Assigner<E> {
    pub(super) fn new(
        tasks: Tasks<E::Definition>,
        executor: E,
        file: TaskFile<E::Definition>,
        board: Arc<Board>,
        output: Output,
    ) -> Self {
        Self {
            tasks,
            executor,
            file,
            board,
            output,
            began: UtcDateTime::now(),
            is_ending: false,
            assigned: BTreeMap::new(),
            followed: BTreeMap::new(),
            shown: JoinSet::new(),
            retry_at: None,
            stop_at: None,
        }
    }

    /// Assigns what is wanted now, and that these are to be shut down. What cannot be stored
    /// is assigned again later.
    pub(super) async fn assign(&mut self, stopped: &[String]) {
        // It is shown where the store is, and what follows from it here.
        _ = self.try_assign(stopped).await;
    }

    async fn try_assign(&mut self, stopped: &[String]) -> Result<(), AssignError> {
        self.board.arrange(self.file.tasks.iter().map(|entry| &*entry.name));
        let now = Instant::now();
        self.retry_at = Some(now + AGAIN);
        self.replace_stopped().await?;
        let views = self.tasks.tasks();
        self.begin(&views, now);
        let over = |entry: &TaskEntry<_>| self.end_of(entry).is_some_and(|at| at <= now);
        let wanted = self.file.tasks.iter().map(|entry| {
            let stops = stopped.contains(&entry.name) || over(entry);
            let exits = self.is_ending && !has_ended(&views, &entry.name);
            self.wanted(entry, known(&views, &entry.name), stops, exits)
        });
        let refused = self.tasks.assign(wanted).await?;
        self.retry_at = None;
        for task in &refused {
            tracing::warn!(error = %task, "assignment refused");
        }
        let later = self.file.tasks.iter().filter_map(|entry| self.end_of(entry));
        self.stop_at = later.filter(|at| *at > now).min();
        let refused = refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.board.notice("refused", Some(refused).filter(|refused| !refused.is_empty()));
        Ok(())
    }

    /// Removes the tasks that an earlier agent has shut down only since it ended itself. They are
    /// in the file, so they are assigned anew.
    async fn replace_stopped(&self) -> Result<(), AssignError> {
        let stopped = self.stopped_by_exit();
        if self.is_ending || stopped.is_empty() {
            return Ok(());
        }
        self.tasks.update(stopped.into_iter().map(AssignmentChange::Remove)).await.map(drop)
    }

    /// The tasks that were shut down only since an agent ended.
    fn stopped_by_exit(&self) -> BTreeSet<String> {
        let views = self.tasks.tasks();
        let stopped = views.iter().filter(|view| {
            !view.record.removing && view.record.assignment.definition.is_stopped_by_exit
        });
        stopped.map(|view| view.id().to_owned()).collect()
    }

    /// What is wanted of a task of the file: never less than what is wanted of it already, which
    /// a user may have ordered. `stops`: it is to be shut down. `exits`: also, but only because the
    /// agent ends.
    fn wanted(
        &self,
        entry: &TaskEntry<E::Definition>,
        known: Option<&Assignment<TaskSpec<E::Definition>>>,
        stops: bool,
        exits: bool,
    ) -> AssignedTask<TaskSpec<E::Definition>> {
        let before = known.map_or(TaskState::New, |known| known.desired_state);
        let stops_by_exit = exits && before < TaskState::Shutdown && !stops;
        let least = if stops || exits { TaskState::Shutdown } else { TaskState::New };
        let desired = TaskState::from(entry.desired).max(least).max(before);
        let assigned_at = self.assigned.get(&entry.name).map_or(self.began, |at| at.utc);
        let was_stopped_by_exit = known.is_some_and(|known| known.definition.is_stopped_by_exit);
        let spec = TaskSpec {
            definition: entry.definition.clone(),
            assigned_at,
            is_stopped_by_exit: stops_by_exit || was_stopped_by_exit,
        };
        let assignment = Assignment::new(entry.name.as_str(), spec).with_desired_state(desired);
        // What is no longer in the file is shut down first.
        let policy = entry.policy.clone().with_shutdown_before_removal(true);
        AssignedTask::new(assignment).with_policy(policy)
    }

    /// The file says something else now. What it said before stays in force where it cannot be
    /// used.
    pub(super) async fn reload(&mut self, file: Result<TaskFile<E::Definition>, TaskFileError>) {
        match file {
            Ok(file) => {
                self.board.notice("file", None);
                self.file = file;
                self.assign(&[]).await;
            }
            Err(error) => {
                let notice = format!("{error} (the tasks stay as they were)");
                // It may be read again as it was.
                if self.board.notice("file", Some(notice)) {
                    tracing::warn!(%error, "task file refused");
                }
            }
        }
    }

    /// Shuts these tasks down, and returns when that is stored.
    ///
    /// # Errors
    ///
    /// One of the names is no task of the file, or the store failed.
    pub(super) async fn stop(&mut self, names: &[String]) -> Result<(), String> {
        let known = || self.file.tasks.iter().map(|task| task.name.clone());
        check_names(
            names,
            |name| self.file.tasks.iter().any(|task| task.name == name),
            || known().collect(),
        )?;
        let ids: BTreeSet<_> = names.iter().cloned().collect();
        let shutdown = TaskState::Shutdown;
        let changes = ids
            .into_iter()
            .map(|id| AssignmentChange::DesiredState { id, desired_state: shutdown });
        let error = match self.tasks.update(changes).await {
            Ok(refused) if refused.is_empty() => return Ok(()),
            // A task of the file that the worker does not have, for example because the store
            // failed when it was assigned. It is assigned in SHUTDOWN.
            Ok(_) => self.try_assign(names).await.err(),
            Err(error) => Some(error),
        };
        error.map_or(Ok(()), |error| Err(error.to_string()))
    }

    /// Has all tasks shut down.
    pub(super) async fn end(&mut self) {
        self.is_ending = true;
        self.assign(&[]).await;
    }

    /// Kills what runs, beside the drivers, whose shutdown then succeeds.
    pub(super) fn kill(&self) {
        let mut views = self.tasks.tasks();
        views.retain(|view| !view.has_ended());
        for TaskView { record, .. } in views {
            let executor = self.executor.clone();
            tokio::spawn(async move {
                let assignment = record.applied.as_ref().unwrap_or(&record.assignment);
                let definition = assignment.definition.definition.clone();
                let inner = Assignment::new(&*assignment.id, definition);
                let kill = async { executor.controller(&inner).await?.terminate().await };
                if let Err(error) = kill.await {
                    let error = format_args!("{error:#}");
                    tracing::error!(task.id = &*assignment.id, error, "could not be killed");
                }
            });
        }
    }

    /// When there is something to be assigned again.
    pub(super) fn due(&self) -> Option<Instant> {
        self.retry_at.or(self.stop_at)
    }

    /// Waits until what the tasks have said is shown, unless they are killed.
    pub(super) async fn show_all(
        &mut self,
        orders: &mut mpsc::UnboundedReceiver<Order<E::Definition>>,
    ) {
        loop {
            tokio::select! {
                shown = self.shown.join_next() => if shown.is_none() { return },
                Some(order) = orders.recv() => if matches!(order, Order::Kill) {
                    return self.shown.abort_all();
                },
            }
        }
    }

    /// Removes all tasks. Returns the names of those whose removal failed, and the errors.
    pub(super) async fn remove_all(&mut self) -> Vec<(String, String)> {
        let all = self.tasks.tasks();
        self.remove(all.iter().map(|view| view.id().to_owned()).collect()).await
    }

    /// Removes those tasks that were shut down only since the agent ends.
    pub(super) async fn forget_ended(&mut self) -> Vec<(String, String)> {
        self.remove(self.stopped_by_exit()).await
    }

    async fn remove(&mut self, names: BTreeSet<String>) -> Vec<(String, String)> {
        let removals = names.iter().cloned().map(AssignmentChange::Remove);
        if let Err(error) = self.tasks.update(removals).await {
            return names.into_iter().map(|name| (name, error.to_string())).collect();
        }
        let ids = names.iter().map(String::as_str);
        let is_tried =
            |view: Option<&View<_>>| view.is_none_or(|view| view.removal_error.is_some());
        if self.tasks.until_each(ids, is_tried).await.is_err() {
            return Vec::new();
        }
        let error = |name: String| {
            let error = self.tasks.task(&name)?.removal_error?;
            Some((name, error))
        };
        names.into_iter().filter_map(error).collect()
    }

    /// Takes over when each task of the file was first assigned. A new one is assigned now.
    fn begin(&mut self, views: &[View<E::Definition>], now: Instant) {
        let mut before = std::mem::take(&mut self.assigned);
        for TaskEntry { name, .. } in &self.file.tasks {
            let stored = known(views, name).map(|known| known.definition.assigned_at);
            let own = before.remove(name);
            let at = match (own, stored) {
                (Some(own), None) => own,
                (Some(own), Some(stored)) if own.utc == stored => own,
                (_, Some(stored)) => AssignedAt { utc: stored, instant: before_now(now, stored) },
                (None, None) => AssignedAt { utc: UtcDateTime::now(), instant: now },
            };
            self.assigned.insert(name.clone(), at);
        }
    }

    /// Shows the output of those tasks whose output is not shown yet. Of a task that an earlier
    /// agent had, only what is new.
    pub(super) fn show_new(&mut self, changed: &ChangedTasks<TaskSpec<E::Definition>>) {
        while self.shown.try_join_next().is_some() {}
        for name in &changed.removed {
            self.followed.remove(&**name);
        }
        for view in changed.tasks.iter().filter(|view| !view.record.removing) {
            let (name, at) = (view.id(), view.record.assignment.definition.assigned_at);
            if self.followed.insert(name.to_owned(), at) == Some(at) {
                continue;
            }
            let (tasks, executor) = (self.tasks.clone(), self.executor.clone());
            let shown = self.output.follow(tasks, executor, name, at < self.began);
            if let Some(shown) = shown {
                self.shown.spawn(shown);
            }
        }
    }

    /// When the time of a task is over.
    fn end_of(&self, entry: &TaskEntry<E::Definition>) -> Option<Instant> {
        self.assigned.get(&entry.name)?.instant.checked_add(entry.stop_after?)
    }
}

/// A task by its name. The worker shows its tasks in the order of their names.
fn view<'a, D>(views: &'a [View<D>], name: &str) -> Option<&'a View<D>> {
    let place = views.binary_search_by(|view| view.id().cmp(name)).ok()?;
    views.get(place)
}

/// What is wanted of a task so far: if it is being removed, of the next one of its name.
fn known<'a, D>(views: &'a [View<D>], name: &str) -> Option<&'a Assignment<TaskSpec<D>>> {
    let record = &*view(views, name)?.record;
    if record.removing {
        return record.next.as_ref().map(|next| &*next.assignment);
    }
    Some(&record.assignment)
}

/// Whether a task has ended, and no other one of its name follows.
fn has_ended<D>(views: &[View<D>], name: &str) -> bool {
    view(views, name).is_some_and(|view| view.has_ended() && !view.record.removing)
}

/// A moment as long ago as a time of day is, by the clock that can be set; never in the future.
fn before_now(now: Instant, since: UtcDateTime) -> Instant {
    let age = Duration::try_from(UtcDateTime::now() - since).unwrap_or_default();
    now.checked_sub(age).unwrap_or(now)
}
