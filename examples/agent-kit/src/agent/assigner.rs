//! The assigner: computes the assignments from the task file, the time and the users' orders.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use onward::agent::worker::ChangedTasks;
use onward::agent::{AssignError, AssignedTask, AssignmentChange, TaskView};
use onward::{Assignment, TaskState};
use time::UtcDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::order::Order;
use crate::board::Board;
use crate::kind::{FileDefinition, TaskExecutor};
use crate::output::Output;
use crate::spec::TaskSpec;
use crate::task_file::{TaskEntry, TaskFile, TaskFileError};
use crate::tasks::{Tasks, check_names, kill_all};

type View<D> = TaskView<TaskSpec<D>>;

/// Time until an assignment that could not be stored is tried again.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The only part of the agent that changes the worker's assignments. It always assigns the full
/// set.
///
/// The store contains all that it must know after a restart. If a task was deleted from the file
/// and added again, the store has the new task as the successor of the old one. A [`TaskSpec`] has
/// the rest.
#[derive(Debug)]
pub(super) struct Assigner<E: TaskExecutor> {
    tasks: Tasks<E::Definition>,
    executor: E,
    file: TaskFile<E::Definition>,
    board: Arc<Board>,
    output: Output,
    /// When this agent started.
    began: UtcDateTime,
    /// The agent is ending, so all tasks are to shut down.
    is_ending: bool,
    /// When each task of the file was first assigned.
    assigned: BTreeMap<String, AssignedAt>,
    /// The tasks whose output is being shown, with the time of their first assignment.
    followed: BTreeMap<String, UtcDateTime>,
    /// The Tokio tasks that show the output of tasks.
    shown: JoinSet<()>,
    /// When to repeat an assignment that could not be stored.
    retry_at: Option<Instant>,
    /// When the next `stop_after` expires.
    stop_at: Option<Instant>,
}

/// When a task was first assigned. The monotonic time cannot be set; the system time is stored.
#[derive(Clone, Copy, Debug)]
struct AssignedAt {
    utc: UtcDateTime,
    instant: Instant,
}

impl<E: TaskExecutor<Definition: FileDefinition> + 'static> Assigner<E> {
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

    /// Assigns the tasks of the file in their current desired states, and shuts down the tasks in
    /// `stopped`. If the store fails, it tries again later.
    pub(super) async fn assign(&mut self, stopped: &[String]) {
        // The store shows its own error. The retry is scheduled below.
        _ = self.try_assign(stopped).await;
    }

    async fn try_assign(&mut self, stopped: &[String]) -> Result<(), AssignError> {
        self.board.arrange(self.file.tasks.iter().map(|entry| &*entry.name));
        let now = Instant::now();
        self.retry_at = Some(now + RETRY_DELAY);
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

    /// Removes the tasks that an earlier agent shut down because it ended. They are in the file, so
    /// they start again.
    async fn replace_stopped(&self) -> Result<(), AssignError> {
        let stopped = self.stopped_by_exit();
        if self.is_ending || stopped.is_empty() {
            return Ok(());
        }
        self.tasks.update(stopped.into_iter().map(AssignmentChange::Remove)).await.map(drop)
    }

    /// Returns the tasks that were shut down only because an agent ended.
    fn stopped_by_exit(&self) -> BTreeSet<String> {
        let views = self.tasks.tasks();
        let stopped = views.iter().filter(|view| {
            !view.record.removing && view.record.assignment.definition.is_stopped_by_exit
        });
        stopped.map(|view| view.id().to_owned()).collect()
    }

    /// Returns the desired state of a task of the file. It is never lower than the current one,
    /// which a user may have ordered. `stops`: a user shuts the task down. `exits`: the task is
    /// shut down because the agent ends.
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
        // A task that is no longer in the file is shut down before it is removed.
        let policy = entry.policy.clone().with_shutdown_before_removal(true);
        AssignedTask::new(assignment).with_policy(policy)
    }

    /// Takes a new version of the task file. If the file cannot be used, the previous version stays
    /// in force.
    pub(super) async fn reload(&mut self, file: Result<TaskFile<E::Definition>, TaskFileError>) {
        match file {
            Ok(file) => {
                self.board.notice("file", None);
                self.file = file;
                self.assign(&[]).await;
            }
            Err(error) => {
                let notice = format!("{error} (the tasks stay as they were)");
                // The same error is logged once, however often the file is read.
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
    /// Fails if one of the names is not a task of the file, or if the store fails.
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
            // The worker does not have this task of the file, for example because the store failed
            // when it was assigned. Assign it as SHUTDOWN.
            Ok(_) => self.try_assign(names).await.err(),
            Err(error) => Some(error),
        };
        error.map_or(Ok(()), |error| Err(error.to_string()))
    }

    /// Shuts all tasks down.
    pub(super) async fn end(&mut self) {
        self.is_ending = true;
        self.assign(&[]).await;
    }

    /// Kills all workloads that still run.
    pub(super) fn kill(&self) {
        kill_all(&self.tasks, &self.executor);
    }

    /// Returns when to call [`assign`](Self::assign) next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.retry_at.or(self.stop_at)
    }

    /// Waits until the whole output of the tasks is shown, or until an order to kill them arrives.
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

    /// Removes all tasks. Returns the names of the tasks that could not be removed, and the errors.
    pub(super) async fn remove_all(&mut self) -> Vec<(String, String)> {
        let all = self.tasks.tasks();
        self.remove(all.iter().map(|view| view.id().to_owned()).collect()).await
    }

    /// Removes the tasks that were shut down only because the agent ends.
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

    /// Looks up when each task of the file was first assigned. For a new task, that is now.
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

    /// Starts to show the output of new tasks. If a task existed before this agent, only new output
    /// is shown.
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

    /// Returns when `stop_after` of a task expires.
    fn end_of(&self, entry: &TaskEntry<E::Definition>) -> Option<Instant> {
        self.assigned.get(&entry.name)?.instant.checked_add(entry.stop_after?)
    }
}

/// Finds a task by its name. The worker lists its tasks in the order of their names.
fn view<'a, D>(views: &'a [View<D>], name: &str) -> Option<&'a View<D>> {
    let place = views.binary_search_by(|view| view.id().cmp(name)).ok()?;
    views.get(place)
}

/// Returns the current assignment of a task. If the task is being removed, it is that of its
/// successor.
fn known<'a, D>(views: &'a [View<D>], name: &str) -> Option<&'a Assignment<TaskSpec<D>>> {
    let record = &*view(views, name)?.record;
    if record.removing {
        return record.next.as_ref().map(|next| &*next.assignment);
    }
    Some(&record.assignment)
}

/// Whether a task has ended and has no successor.
fn has_ended<D>(views: &[View<D>], name: &str) -> bool {
    view(views, name).is_some_and(|view| view.has_ended() && !view.record.removing)
}

/// Converts a system time to a moment of the monotonic clock, at most `now`.
fn before_now(now: Instant, since: UtcDateTime) -> Instant {
    let age = Duration::try_from(UtcDateTime::now() - since).unwrap_or_default();
    now.checked_sub(age).unwrap_or(now)
}
