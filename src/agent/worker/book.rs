//! What a worker does next: its whole logic, without a single `.await`.
//!
//! The worker asks [`Book::next`], does that, and tells what came of it; its
//! handle and the tasks' futures tell what has happened. Nothing here waits or
//! calls anything of the embedder's.
//!
//! The numbers in comments are those of the rules in `docs/worker.md`.

mod plan;
mod results;

use super::error::{AssignError, RefusedTask};
use super::seat::Seat;
use super::{AssignedTask, AssignmentChange};
use crate::agent::driver::{Ended, StatusSink};
use crate::agent::policy::{Jitter, Policy};
use crate::agent::store::{StoreChange, StoreError, StoredTask, TaskRecord};
use crate::exec::ControllerError;
use crate::lifecycle::TaskStatus;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;
use futures::channel::oneshot;
use plan::Plan;
use results::Results;

/// What whoever assigns is told.
pub(super) type Told = Result<Vec<RefusedTask>, AssignError>;

/// Who listens, each with its number.
pub(super) type Sinks = Vec<(u64, Arc<dyn StatusSink>)>;

/// What a worker does next.
pub(super) enum Next<D> {
    /// These, one after the other.
    Act(Vec<Act<D>>),
    /// Make these durable.
    Commit(Arc<[StoreChange<D>]>),
    /// Wait for news, or until this moment.
    Wait(Option<Duration>),
    /// Nothing, ever again.
    Nothing,
}

/// What follows from something that is durable, and cannot be done under a lock.
pub(super) enum Act<D> {
    /// A task's future begins, with this status.
    Live(Arc<Seat<D>>, Option<TaskStatus>),
    /// Something else is wanted of a task.
    Tell(Arc<Seat<D>>),
    /// What else there is in the world is looked for.
    Reconcile,
    /// The status of a task is reported to these.
    Report(Arc<Sinks>, Arc<str>, TaskStatus),
    /// These are told that a task is gone.
    Forget(Arc<Sinks>, Arc<str>),
    Answer(oneshot::Sender<Told>, Told),
    /// There is something else to be seen.
    Show,
}

/// What somebody wants.
pub(super) enum Message<D> {
    /// These are all the tasks that there are.
    Assign(Vec<AssignedTask<D>>),
    /// These have changed.
    Update(Vec<AssignmentChange<D>>),
    /// What has not ended is to be shut down.
    ShutDown,
}

/// All that a worker knows.
pub(super) struct Book<D> {
    pub(super) tasks: BTreeMap<Arc<str>, Entry<D>>,
    messages: VecDeque<(Message<D>, oneshot::Sender<Told>)>,
    /// What the tasks have come to.
    results: Results,
    /// What is being made durable.
    batch: Option<Batch<D>>,
    /// Whether it is the results' turn, and not the messages'.
    turn: bool,
    retry_at: Option<Duration>,
    failures: u32,
    listeners: Arc<Sinks>,
    newcomers: Sinks,
    numbers: u64,
    /// What is found in the world and not assigned, while it is being ended.
    orphans: BTreeSet<String>,
    reconciled: bool,
    /// How many futures of tasks there are.
    lives: usize,
    phase: Phase,
    news: bool,
    policy: Arc<Policy>,
    jitter: Jitter,
}

/// What is known of one task.
pub(super) struct Entry<D> {
    /// What is durable.
    pub(super) record: TaskRecord<D>,
    pub(super) status: Option<TaskStatus>,
    pub(super) seat: Arc<Seat<D>>,
    stage: Stage,
    /// Why it could not be removed.
    pub(super) left: Option<ControllerError>,
}

/// How far the worker is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Phase {
    New,
    Open,
    /// Every driver is closed.
    Closing,
    /// Nobody answers.
    Gone,
}

/// Whether a task has a future.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Not yet, or no longer.
    Idle,
    Lives,
    /// No longer, and nothing is left of the task.
    Removed,
}

/// What goes into one commit, and what follows from it.
struct Batch<D> {
    changes: Arc<[StoreChange<D>]>,
    of: Of<D>,
}

/// What a commit is about.
enum Of<D> {
    Message(Plan<D>, oneshot::Sender<Told>),
    Results(Results),
}

impl<D: Clone + PartialEq> Book<D> {
    /// With everything that is stored.
    pub(super) fn new(stored: Vec<StoredTask<D>>, policy: Arc<Policy>) -> Self {
        let tasks = stored.into_iter().map(|StoredTask { record, status }| {
            let entry = Entry::new(record, status);
            (Arc::clone(&entry.seat.id), entry)
        });
        Self {
            tasks: tasks.collect(),
            messages: VecDeque::new(),
            results: Results::default(),
            batch: None,
            turn: false,
            retry_at: None,
            failures: 0,
            listeners: Arc::default(),
            newcomers: Vec::new(),
            numbers: 0,
            orphans: BTreeSet::new(),
            reconciled: false,
            lives: 0,
            phase: Phase::New,
            news: false,
            policy,
            jitter: Jitter::default(),
        }
    }

    /// What to do next.
    pub(super) fn next(&mut self, now: Duration) -> Next<D> {
        self.news = false;
        // A run that was dropped has begun it.
        if let Some(batch) = &self.batch {
            return Next::Commit(Arc::clone(&batch.changes));
        }
        if self.phase == Phase::New {
            self.phase = Phase::Open;
            let seats: Vec<_> = self.tasks.keys().cloned().collect();
            return Next::Act(seats.iter().filter_map(|id| self.live(id)).collect());
        }
        if !self.newcomers.is_empty() {
            return Next::Act(self.introduce());
        }
        let waiting = !self.results.is_empty();
        let due = waiting && self.retry_at.is_none_or(|at| at <= now);
        if due && mem::take(&mut self.turn) {
            return self.commit_results();
        }
        if let Some(next) = self.next_message() {
            self.turn = true;
            return next;
        }
        if due {
            return self.commit_results();
        }
        if self.is_closing() && self.lives == 0 && !waiting {
            return Next::Nothing;
        }
        Next::Wait(self.retry_at.filter(|_| waiting))
    }

    fn next_message(&mut self) -> Option<Next<D>> {
        let (message, _) = self.messages.front()?;
        // 9: not beside the end of what was found of it.
        if message.ids().any(|id| self.orphans.contains(id)) {
            return None;
        }
        let (message, answer) = self.messages.pop_front()?;
        let plan = match self.plan(message) {
            Ok(plan) => plan,
            Err(error) => return Some(Next::Act(vec![Act::Answer(answer, Err(error))])),
        };
        if plan.changes.is_empty() {
            return Some(Next::Act(self.follow(plan, answer)));
        }
        Some(self.commit(plan.changes.clone(), Of::Message(plan, answer)))
    }

    fn commit_results(&mut self) -> Next<D> {
        let results = mem::take(&mut self.results);
        let Results { statuses, taken, removed } = &results;
        let mut changes = Vec::new();
        for (id, status) in statuses.iter().filter(|(id, _)| !removed.contains(*id)) {
            let (id, status) = (Arc::clone(id), status.clone());
            changes.push(StoreChange::Status { id, status });
        }
        for (id, version) in taken {
            let entry = self.tasks.get(id).filter(|_| !removed.contains(id));
            if let Some(entry) = entry.filter(|entry| entry.is_version(*version)) {
                let record = TaskRecord { previous: None, ..entry.record.clone() };
                changes.push(StoreChange::Record(record));
            }
        }
        for id in removed {
            changes.push(StoreChange::Delete { id: Arc::clone(id) });
            let successor = self.tasks.get(id).and_then(|entry| entry.record.successor.as_deref());
            changes.extend(successor.cloned().map(StoreChange::Record));
        }
        self.commit(changes, Of::Results(results))
    }

    fn commit(&mut self, changes: Vec<StoreChange<D>>, of: Of<D>) -> Next<D> {
        let changes: Arc<[_]> = changes.into();
        self.batch = Some(Batch { changes: Arc::clone(&changes), of });
        Next::Commit(changes)
    }

    /// What was to be made durable is, or may be not.
    pub(super) fn committed(
        &mut self,
        result: Result<(), StoreError>,
        now: Duration,
    ) -> Vec<Act<D>> {
        let Some(Batch { of, .. }) = self.batch.take() else { return Vec::new() };
        match (of, result) {
            (Of::Message(plan, answer), Ok(())) => self.follow(plan, answer),
            (Of::Message(_, answer), Err(error)) => {
                vec![Act::Answer(answer, Err(AssignError::Store(error)))]
            }
            (Of::Results(results), Ok(())) => {
                (self.failures, self.retry_at) = (0, None);
                self.reported(results)
            }
            (Of::Results(results), Err(_)) => {
                self.results = results.and(mem::take(&mut self.results));
                let delay = self.jitter.delay(&self.policy, self.failures);
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(now.saturating_add(delay));
                Vec::new()
            }
        }
    }

    /// These are durable.
    fn reported(&mut self, results: Results) -> Vec<Act<D>> {
        let mut acts = Vec::new();
        for (id, status) in results.statuses {
            if let Some(entry) = self.tasks.get_mut(&id) {
                entry.status = Some(status.clone());
            }
            acts.push(Act::Report(Arc::clone(&self.listeners), id, status));
        }
        for (id, version) in results.taken {
            let entry = self.tasks.get_mut(&id).filter(|entry| entry.is_version(version));
            if let Some(entry) = entry {
                entry.record.previous = None;
            }
        }
        for id in results.removed {
            let successor = self.tasks.remove(&id).and_then(|entry| entry.record.successor);
            acts.push(Act::Forget(Arc::clone(&self.listeners), Arc::clone(&id)));
            if let Some(successor) = successor {
                self.tasks.insert(Arc::clone(&id), Entry::new(*successor, None));
                acts.extend(self.live(&id));
            }
        }
        acts.push(Act::Show);
        acts
    }

    /// A task gets its future.
    fn live(&mut self, id: &str) -> Option<Act<D>> {
        let entry = self.tasks.get_mut(id)?;
        entry.stage = Stage::Lives;
        entry.left = None;
        if self.phase >= Phase::Closing {
            entry.seat.close();
        }
        self.lives += 1;
        Some(Act::Live(Arc::clone(&entry.seat), entry.status.clone()))
    }

    /// Who listens from now on is told everything that is stored (8).
    fn introduce(&mut self) -> Vec<Act<D>> {
        let newcomers = Arc::new(mem::take(&mut self.newcomers));
        let status = |(id, entry): (&Arc<str>, &Entry<D>)| {
            let status = entry.status.clone()?;
            Some(Act::Report(Arc::clone(&newcomers), Arc::clone(id), status))
        };
        let acts = self.tasks.iter().filter_map(status).collect();
        let all = self.listeners.iter().chain(&*newcomers).cloned();
        self.listeners = Arc::new(all.collect());
        acts
    }

    pub(super) fn send(&mut self, message: Message<D>, answer: oneshot::Sender<Told>) {
        // Dropped, the answer says that the worker is gone.
        if self.phase < Phase::Gone {
            self.messages.push_back((message, answer));
            self.news = true;
        }
    }

    pub(super) fn listen(&mut self, sink: Arc<dyn StatusSink>) -> u64 {
        self.numbers += 1;
        self.newcomers.push((self.numbers, sink));
        self.news = true;
        self.numbers
    }

    pub(super) fn unlisten(&mut self, number: u64) {
        let others = |sinks: &Sinks| -> Sinks {
            sinks.iter().filter(|(other, _)| *other != number).cloned().collect()
        };
        self.listeners = Arc::new(others(&self.listeners));
        self.newcomers = others(&self.newcomers);
    }

    /// This is a task's status now. No task is forgotten before its future has ended,
    /// so it is that task's and no other's.
    pub(super) fn status(&mut self, id: &Arc<str>, status: TaskStatus) {
        self.results.statuses.insert(Arc::clone(id), status);
        self.news = true;
    }

    /// A task's controller has taken this version. Says whether that is news.
    pub(super) fn taken(&mut self, id: &Arc<str>, version: Option<u64>) -> bool {
        let entry = self.tasks.get(id).filter(|entry| entry.record.previous.is_some());
        let (Some(_), Some(version)) = (entry, version) else { return false };
        self.results.taken.insert(Arc::clone(id), version);
        self.news = true;
        true
    }

    /// A task's future has ended.
    pub(super) fn ended(&mut self, id: &Arc<str>, ended: &Ended) {
        self.lives = self.lives.saturating_sub(1);
        self.news = true;
        let Some(entry) = self.tasks.get_mut(id) else { return };
        entry.stage = Stage::Idle;
        match ended {
            Ended::Removed => {
                entry.stage = Stage::Removed;
                self.results.removed.insert(Arc::clone(id));
            }
            // 6: tried again with the next full set, and at the next start.
            Ended::Left(error) => entry.left = Some(error.clone()),
            Ended::Closed => {}
        }
    }

    /// Which of these nobody has assigned. Nothing is done with a task of such an id
    /// until [`reconciled`](Self::reconciled) says so.
    pub(super) fn orphans(&mut self, mut found: Vec<String>) -> Vec<String> {
        found.retain(|id| !self.tasks.contains_key(&**id));
        self.orphans.extend(found.iter().cloned());
        found
    }

    /// What was found of this is gone, or not; or nothing is known of any.
    pub(super) fn reconciled(&mut self, orphan: Option<&str>, ended: bool) {
        if let Some(orphan) = orphan {
            self.orphans.remove(orphan);
        }
        self.reconciled &= ended;
        self.news = true;
    }

    /// The agent goes away: every driver is closed.
    pub(super) fn close(&mut self) -> Vec<Arc<Seat<D>>> {
        self.phase = self.phase.max(Phase::Closing);
        self.news = true;
        let seats = self.tasks.values().map(|entry| Arc::clone(&entry.seat));
        seats.inspect(|seat| seat.close()).collect()
    }

    /// The worker is gone. Gives the questions that nobody answers: dropping them
    /// wakes who has asked, which is nothing to do under a lock.
    pub(super) fn gone(&mut self) -> (Vec<Arc<Seat<D>>>, impl Sized + use<D>) {
        let seats = self.close();
        self.phase = Phase::Gone;
        (seats, (mem::take(&mut self.messages), self.batch.take()))
    }

    pub(super) fn has_news(&self) -> bool {
        self.news
    }

    pub(super) fn is_gone(&self) -> bool {
        self.phase == Phase::Gone
    }

    pub(super) fn is_closing(&self) -> bool {
        self.phase >= Phase::Closing
    }
}

impl<D: Clone> Entry<D> {
    fn new(record: TaskRecord<D>, status: Option<TaskStatus>) -> Self {
        let seat = Arc::new(Seat::new(record.id().into(), &record, status.clone()));
        Self { record, status, seat, stage: Stage::Idle, left: None }
    }

    /// Whether a controller that has taken this version has taken the present one.
    fn is_version(&self, version: u64) -> bool {
        self.record.assignment.version == version
    }
}

impl<D> Message<D> {
    fn ids(&self) -> impl Iterator<Item = &str> {
        let (tasks, changes) = match self {
            Self::Assign(tasks) => (tasks.as_slice(), [].as_slice()),
            Self::Update(changes) => ([].as_slice(), changes.as_slice()),
            Self::ShutDown => ([].as_slice(), [].as_slice()),
        };
        let changed = changes.iter().map(|change| match change {
            AssignmentChange::Update(task) => &*task.assignment.id,
            AssignmentChange::Remove(id) => &**id,
        });
        tasks.iter().map(|task| &*task.assignment.id).chain(changed)
    }
}
