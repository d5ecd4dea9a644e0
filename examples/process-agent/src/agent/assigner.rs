//! What is assigned: out of the file, the time and what somebody has ordered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use onward::agent::store::TaskRecord;
use onward::agent::worker::{AssignmentChange, TaskView};
use onward::agent::{AssignError, AssignedTask};
use onward::{Assignment, Controller as _, Executor as _, TaskState, TaskStatus};
use time::UtcDateTime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{Order, Tasks};
use crate::board::Board;
use crate::controller::ProcessExecutor;
use crate::definition::ProcessDefinition;
use crate::output::Output;
use crate::task_file::{TaskEntry, TaskFile, TaskFileError};

type View = TaskView<ProcessDefinition>;

/// How long it takes to another try of an assignment that could not be stored.
const AGAIN: Duration = Duration::from_secs(1);

/// The only one who tells the worker what is assigned: always all of it.
#[derive(Debug)]
pub(super) struct Assigner {
    tasks: Tasks,
    executor: ProcessExecutor,
    file: TaskFile,
    board: Arc<Board>,
    output: Output,
    /// Everything is to be shut down.
    ending: bool,
    /// The tasks that run only until then.
    stopped_by_end: BTreeSet<String>,
    /// Since when each task of the file has been there, for `stop_after`.
    begun: BTreeMap<String, Instant>,
    /// The tasks that are shut down since they are no longer in the file.
    leaving: BTreeSet<String>,
    /// The tasks whose time is over, and of which the worker knows that.
    over: BTreeSet<String>,
    /// The tasks of which it is not shown yet what they say, and whether an earlier agent had
    /// them.
    new: Vec<(String, bool)>,
    /// What the tasks say, while it is being shown.
    shown: JoinSet<()>,
    retry_at: Option<Instant>,
}

impl Assigner {
    pub(super) fn new(
        tasks: Tasks,
        executor: ProcessExecutor,
        file: TaskFile,
        board: Arc<Board>,
        output: Output,
    ) -> Self {
        Self {
            tasks,
            executor,
            file,
            board,
            output,
            ending: false,
            stopped_by_end: BTreeSet::new(),
            begun: BTreeMap::new(),
            leaving: BTreeSet::new(),
            over: BTreeSet::new(),
            new: Vec::new(),
            shown: JoinSet::new(),
            retry_at: None,
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
        let views = self.tasks.tasks();
        self.begin(&views);
        let now = Instant::now();
        let leaving = self.leaving(&views);
        let stays = |entry: &&TaskEntry| !self.leaving.contains(&entry.name);
        let wanted = self.file.tasks.iter().filter(stays).map(|entry| {
            let stop = self.ending
                || stopped.contains(&entry.name)
                || self.stop_at(entry).is_some_and(|at| at <= now);
            let known = views.iter().find(|view| view.id() == entry.name);
            wanted(entry, stop, known.map(|view| &*view.record))
        });
        let wanted = wanted.chain(leaving.iter().map(|record| stopped_task(record)));
        let assigned = self.tasks.assign(wanted).await;
        self.retry_at = assigned.is_err().then(|| now + AGAIN);
        let refused = assigned?;
        let is_over = |entry: &&TaskEntry| self.stop_at(entry).is_some_and(|at| at <= now);
        let over = self.file.tasks.iter().filter(is_over);
        self.over = over.map(|entry| entry.name.clone()).collect();
        let leaving = leaving.iter().map(|record| record.id().to_owned()).collect();
        let before = std::mem::replace(&mut self.leaving, leaving);
        let comes_back =
            |entry: &TaskEntry| before.contains(&entry.name) && !self.leaving.contains(&entry.name);
        if self.file.tasks.iter().any(comes_back) {
            // It was left out just now, and so is another task from now on.
            self.retry_at = Some(now);
        }
        self.show_new();
        let refused = refused.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        self.board.notice("refused", Some(refused).filter(|refused| !refused.is_empty()));
        Ok(())
    }

    /// What is no longer in the file and has not ended: it is shut down first, and removed then.
    /// If it is in the file again meanwhile, that is another task, which has to wait.
    fn leaving<'a>(&self, views: &'a [View]) -> Vec<&'a TaskRecord<ProcessDefinition>> {
        let leaves = |view: &&View| {
            let name = view.id();
            let is_in_file = self.file.tasks.iter().any(|entry| entry.name == name);
            !(view.record.removing || view.has_ended())
                && (!is_in_file || self.leaving.contains(name))
        };
        views.iter().filter(leaves).map(|view| &*view.record).collect()
    }

    /// Whether something that is leaving has ended, so that there is something to be assigned.
    pub(super) fn has_left(&self, views: &[View]) -> bool {
        !self.leaving.is_empty() && self.leaving(views).len() < self.leaving.len()
    }

    /// The file says something else now. What it said before stays in force where it cannot be
    /// used.
    pub(super) async fn reload(&mut self, file: Result<TaskFile, TaskFileError>) {
        match file {
            Ok(file) => {
                self.board.notice("file", None);
                self.file = file;
                self.assign(&[]).await;
            }
            Err(error) => {
                let notice = format!("{error} (the tasks stay as they were)");
                self.board.notice("file", Some(notice));
            }
        }
    }

    /// Shuts these tasks down, and returns when that is stored.
    ///
    /// # Errors
    ///
    /// One of the names is no task of the file, or the store failed.
    pub(super) async fn stop(&mut self, names: &[String]) -> Result<(), String> {
        let known: Vec<_> = self.file.tasks.iter().map(|task| &*task.name).collect();
        check_names(names, &known)?;
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
        self.ending = true;
        let views = self.tasks.tasks();
        let stopped = views.iter().filter(|view| {
            let wanted = view.record.assignment.desired_state;
            wanted < TaskState::Shutdown && !view.has_ended()
        });
        self.stopped_by_end.extend(stopped.map(|view| view.id().to_owned()));
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
                let kill = async { executor.controller(assignment).await?.terminate().await };
                if let Err(error) = kill.await {
                    let error = format_args!("{error:#}");
                    tracing::error!(task.id = &*assignment.id, error, "could not be killed");
                }
            });
        }
    }

    /// When there is something to be assigned again.
    pub(super) fn due(&self) -> Option<Instant> {
        let waiting = self.file.tasks.iter().filter(|entry| !self.over.contains(&entry.name));
        let next = || waiting.filter_map(|entry| self.stop_at(entry)).min();
        self.retry_at.or_else(next)
    }

    /// Waits until what the tasks have said is shown, unless they are killed.
    pub(super) async fn show_all(&mut self, orders: &mut mpsc::UnboundedReceiver<Order>) {
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
        let stopped = std::mem::take(&mut self.stopped_by_end);
        self.remove(stopped).await
    }

    async fn remove(&mut self, names: BTreeSet<String>) -> Vec<(String, String)> {
        let removals = names.iter().cloned().map(AssignmentChange::Remove);
        if let Err(error) = self.tasks.update(removals).await {
            return names.into_iter().map(|name| (name, error.to_string())).collect();
        }
        let failed = |view: &View| names.contains(view.id()).then(|| view.removal_error.is_some());
        let tried = self.tasks.until(|views| views.iter().filter_map(failed).all(|failed| failed));
        let mut views = tried.await.unwrap_or_default();
        views.retain(|view| names.contains(view.id()));
        let error = |view: View| Some((view.id().to_owned(), view.removal_error?));
        views.into_iter().filter_map(error).collect()
    }

    /// Begins to count the time of those that are new in the file.
    fn begin(&mut self, views: &[View]) {
        let Self { file, begun, leaving, .. } = self;
        begun.retain(|name, _| file.tasks.iter().any(|entry| entry.name == *name));
        for entry in &file.tasks {
            if begun.contains_key(&entry.name) || leaving.contains(&entry.name) {
                continue;
            }
            let known = views.iter().find(|view| view.id() == entry.name);
            let status = known.map(|view| &view.snapshot.status);
            let now = Instant::now();
            let at = now.checked_sub(status.map_or(Duration::ZERO, age)).unwrap_or(now);
            begun.insert(entry.name.clone(), at);
            self.new.push((entry.name.clone(), status.is_some()));
        }
    }

    /// Shows what those say that are new, now that they are assigned.
    fn show_new(&mut self) {
        while self.shown.try_join_next().is_some() {}
        for (name, was_there) in self.new.drain(..) {
            let (tasks, executor) = (self.tasks.clone(), self.executor.clone());
            let shown = self.output.follow(tasks, executor, &name, was_there);
            if let Some(shown) = shown {
                self.shown.spawn(shown);
            }
        }
    }

    fn stop_at(&self, entry: &TaskEntry) -> Option<Instant> {
        self.begun.get(&entry.name)?.checked_add(entry.stop_after?)
    }
}

/// A task that is to be shut down.
fn stopped_task(record: &TaskRecord<ProcessDefinition>) -> AssignedTask<ProcessDefinition> {
    let before = record.assignment.desired_state;
    AssignedTask::from(record.clone()).with_desired_state(before.max(TaskState::Shutdown))
}

/// What is wanted of a task of the file: never less than what is wanted of it already, which
/// somebody may have ordered.
fn wanted(
    entry: &TaskEntry,
    stop: bool,
    known: Option<&TaskRecord<ProcessDefinition>>,
) -> AssignedTask<ProcessDefinition> {
    let known = known.and_then(|record| match &record.next {
        // The next task of this name begins when this one is removed.
        next if record.removing => next.as_ref().map(|next| &next.assignment),
        _ => Some(&record.assignment),
    });
    let least = if stop { TaskState::Shutdown } else { TaskState::New };
    let before = known.map_or(TaskState::New, |assignment| assignment.desired_state);
    let desired = TaskState::from(entry.desired).max(least).max(before);
    let assignment = Assignment::new(entry.name.as_str(), entry.definition.clone());
    AssignedTask::new(assignment.with_desired_state(desired)).with_policy(entry.policy.clone())
}

/// How long a task has been in its state, by the clock that can be set: never less than nothing.
fn age(status: &TaskStatus) -> Duration {
    let since = status.timestamp.map_or(time::Duration::ZERO, |since| UtcDateTime::now() - since);
    since.try_into().unwrap_or_default()
}

/// Says which of these is no task, and which there are.
pub(crate) fn check_names(names: &[String], known: &[&str]) -> Result<(), String> {
    let Some(unknown) = names.iter().find(|name| !known.contains(&&***name)) else { return Ok(()) };
    if known.is_empty() {
        return Err(format!("there is no task {unknown:?}; there is none at all"));
    }
    Err(format!("there is no task {unknown:?}; there are {}", known.join(", ")))
}
