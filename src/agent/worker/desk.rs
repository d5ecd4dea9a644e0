//! Executes the decisions of a worker's core: spawns drivers, calls listeners, answers messages.

use super::background::Background;
use super::core::{Action, Core, Input, Next};
use super::handle::{Common, WorkerHandle};
use super::inbox::Event;
use super::life::life;
use super::view::{Phase, Row};
use crate::agent::driver::{Driver, DriverExit, DriverHandle, Notice, Shared};
use crate::agent::limit::Limit;
use crate::agent::panic::{are_equal, caught};
use crate::agent::policy::Policy;
use crate::agent::runtime::{Runtime, now, spawn, utc_now};
use crate::agent::store::{StoreError, StoredTask, TaskRecord};
use crate::exec::Executor;
use crate::lifecycle::{AnyTask, TaskState, TaskStatus};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::task::{Context, Poll};
use core::time::Duration;
use futures::channel::oneshot;

/// All of a worker except its store.
pub(super) struct Desk<E: Executor> {
    core: Core<E::Definition, Seat<E>>,
    pub(super) common: Arc<Common<E::Definition>>,
    executor: Arc<E>,
    pub(super) runtime: Arc<dyn Runtime>,
    /// The last reading of the runtime's clock.
    now: Duration,
    policy: Arc<Policy>,
    pub(super) limit: Option<Limit>,
    /// The published value of [`Core::unstored_since`].
    unstored_since: Option<Duration>,
    background: Background,
    /// Results of the background.
    events: Vec<Event<E::Definition>>,
    /// The tasks whose drivers the worker polls in the background.
    driven_here: BTreeSet<Arc<str>>,
    /// The callers that wait for an answer, by the number of their message.
    answers: BTreeMap<u64, oneshot::Sender<super::core::Answer>>,
    numbers: u64,
}

/// The state that a driver and the worker share.
type Seat<E> = Arc<Shared<<E as Executor>::Definition>>;

impl<E: Executor + 'static> Desk<E> {
    pub(super) fn new(
        executor: E,
        runtime: Arc<dyn Runtime>,
        stored: Vec<StoredTask<E::Definition>>,
    ) -> Self {
        let clock = Arc::clone(&runtime);
        let make = Arc::new(
            move |id: &Arc<str>,
                  record: &TaskRecord<E::Definition>,
                  status: Option<&TaskStatus>| {
                let assigned = || TaskStatus::new(TaskState::Assigned);
                let task = AnyTask::resume(status.cloned().unwrap_or_else(assigned));
                let wanted = Arc::clone(&record.assignment);
                // Equal definitions are one.
                let applied = record.applied.as_ref().map(|applied| {
                    let is_same = are_equal(&applied.definition, &wanted.definition);
                    Arc::clone(if is_same { &wanted } else { applied })
                });
                Arc::new(Shared::new(Arc::clone(id), task, wanted, applied, utc_now(&*clock)))
            },
        );
        let core = Core::new(stored, make);
        core.seats().for_each(|seat| seat.may_run());
        let desk = Self {
            core,
            common: Arc::new(Common::new()),
            executor: Arc::new(executor),
            runtime,
            now: Duration::ZERO,
            policy: Arc::default(),
            limit: None,
            unstored_since: None,
            background: Background::new(),
            events: Vec::new(),
            driven_here: BTreeSet::new(),
            answers: BTreeMap::new(),
            numbers: 0,
        };
        // A handle shows every stored task before the worker runs.
        for seat in desk.core.seats() {
            desk.show(&seat.id);
        }
        desk
    }

    pub(super) fn set_policy(&mut self, policy: Arc<Policy>) {
        self.core.set_policy(Arc::clone(&policy));
        self.policy = policy;
    }

    pub(super) fn handle(&self) -> WorkerHandle<E::Definition> {
        WorkerHandle::new(Arc::clone(&self.common))
    }

    /// Polls the background and the inbox. Ready if there is an event.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.events.extend(self.background.poll(context));
        if self.events.is_empty() { self.common.inbox.poll(context) } else { Poll::Ready(()) }
    }

    /// Decides what to do next.
    pub(super) fn next(&mut self) -> Next<E::Definition, Seat<E>> {
        self.now = now(&*self.runtime, self.now);
        let Self { core, now, .. } = self;
        let next = caught(|| core.next(*now));
        self.show_unstored();
        next.unwrap_or_else(|panic| {
            tracing::error!(%panic, "worker caught a panic");
            Next::Act(self.core.actions())
        })
    }

    /// A commit has returned.
    pub(super) fn committed(&mut self, result: Result<(), StoreError>) {
        self.now = now(&*self.runtime, self.now);
        contain(|| self.core.committed(result, self.now));
        self.show_unstored();
    }

    fn show_unstored(&mut self) {
        let since = self.core.unstored_since();
        if mem::replace(&mut self.unstored_since, since) != since {
            self.common.view.set_unstored_since(since);
        }
    }

    /// A sleep until this time has ended.
    pub(super) fn woke(&mut self, moment: Duration) {
        self.now = self.now.max(moment);
    }

    /// The sleeps of the runtime panic: a failed commit is retried with the next event.
    pub(super) fn wait_no_longer(&mut self) {
        self.core.wait_no_longer();
    }

    /// Passes all events to the core, and does the actions that follow.
    pub(super) fn absorb_and_act(&mut self) {
        self.absorb();
        let actions = self.core.actions();
        self.act(actions);
    }

    /// Passes all events to the core.
    pub(super) fn absorb(&mut self) {
        let mut events = self.common.inbox.take();
        events.append(&mut self.events);
        for event in events {
            contain(|| {
                if matches!(event, Event::Listen) {
                    for number in self.common.listeners.see_newcomers() {
                        self.core.input(Input::Listen(number));
                    }
                } else if let Some(input) = self.input(event) {
                    self.core.input(input);
                }
            });
        }
    }

    /// The input of the core for an event. None if the core need not decide anything.
    fn input(&mut self, event: Event<E::Definition>) -> Option<Input<E::Definition>> {
        Some(match event {
            Event::Message(message, answer) => {
                self.numbers += 1;
                self.answers.insert(self.numbers, answer);
                Input::Message(self.numbers, message)
            }
            Event::Changed(id) => {
                let changes = self.common.view.seat(&id)?.collect();
                Input::Changed(id, changes)
            }
            Event::Ended(id, exit) => {
                self.driven_here.remove(&id);
                match exit {
                    Some(exit) => Input::Ended(id, exit),
                    None if self.common.view.phase() >= Phase::Closing => {
                        Input::Ended(id, DriverExit::Closed)
                    }
                    None => {
                        self.drive_here(&id);
                        return None;
                    }
                }
            }
            Event::Listed(listed) => Input::Listed(listed),
            Event::Reconciled(id, is_done) => Input::Reconciled(id, is_done),
            Event::Listen => return None,
            Event::Close => Input::Close,
        })
    }

    /// Does what the core has decided.
    pub(super) fn act(&mut self, actions: Vec<Action<E::Definition, Seat<E>>>) {
        for action in actions {
            contain(|| self.act_once(action));
        }
        self.common.view.notify();
    }

    fn act_once(&mut self, action: Action<E::Definition, Seat<E>>) {
        match action {
            Action::Drive(seat, record) => {
                seat.restart();
                self.common.view.touch(&seat.id);
                self.tell(&seat, &record);
                self.spawn(&seat);
            }
            Action::Tell(seat, record) => self.tell(&seat, &record),
            Action::Close(seat) => DriverHandle::new(seat).close(),
            Action::List => self.background.list(Arc::clone(&self.executor)),
            Action::Reconcile(id) => {
                self.background.reconcile(Arc::clone(&self.executor), id);
            }
            Action::StopReconciling(id) => self.background.stop(&id),
            Action::Introduce(number, statuses) => self.introduce(number, statuses),
            Action::Report(id, status) => {
                for cell in self.common.listeners.all().values() {
                    cell.changed(&id, &status);
                }
            }
            Action::ReportRemoved(id) => {
                for cell in self.common.listeners.all().values() {
                    cell.removed(&id);
                }
            }
            Action::Show(id) => self.show(&id),
            Action::Notify(id) => self.common.view.touch(&id),
            Action::Answer(number, answer) => {
                // Seen before it is answered.
                contain(|| self.common.view.notify());
                if let Some(sender) = self.answers.remove(&number) {
                    // The caller may have dropped its future.
                    drop(sender.send(*answer));
                }
            }
        }
    }

    /// Publishes a task.
    fn show(&self, id: &Arc<str>) {
        let row = self.core.shown(id).map(|shown| Row {
            record: Arc::clone(shown.record),
            seat: Arc::clone(shown.seat),
            removal_error: shown.removal_error.cloned(),
            is_driven_by_worker: self.driven_here.contains(id),
            has_logs: shown.has_logs,
        });
        self.common.view.set(id, row);
    }

    /// Passes all stored statuses to a new listener. After that, it gets new ones.
    fn introduce(&self, number: u64, statuses: Box<[(Arc<str>, Arc<TaskStatus>)]>) {
        let Some(cell) = self.common.listeners.newcomer(number) else { return };
        if statuses.into_iter().all(|(id, status)| cell.changed(&id, &status)) {
            self.common.listeners.introduced(number);
        }
    }

    /// Passes a record to a driver.
    fn tell(&self, seat: &Seat<E>, record: &TaskRecord<E::Definition>) {
        let handle = DriverHandle::new(Arc::clone(seat));
        handle.set_policy(record.policy.clone().unwrap_or_else(|| Arc::clone(&self.policy)));
        handle.want(&record.assignment, record.removing);
    }

    /// A driver of a task.
    fn driver(&self, seat: &Seat<E>) -> Driver<Arc<E>> {
        let inbox: Arc<dyn Notice> = Arc::clone(&self.common.inbox) as Arc<dyn Notice>;
        let (executor, runtime) = (Arc::clone(&self.executor), Arc::clone(&self.runtime));
        Driver::under(Arc::clone(seat), executor, runtime, inbox, self.limit.clone())
    }

    fn spawn(&self, seat: &Seat<E>) {
        let future = life(self.driver(seat), Arc::clone(&self.common));
        if let Err(error) = spawn(&*self.runtime, future) {
            tracing::error!(task.id = &*seat.id, error, "runtime refused the driver");
        }
    }

    /// Polls another driver of the task in the background, because the runtime has refused or
    /// dropped the future of the last one.
    fn drive_here(&mut self, id: &Arc<str>) {
        let Some(seat) = self.common.view.seat(id) else { return };
        tracing::error!(task.id = &**id, "runtime dropped the driver, worker drives the task");
        let future = life(self.driver(&seat), Arc::clone(&self.common));
        self.background.drivers.push(future);
        self.driven_here.insert(Arc::clone(id));
        self.show(id);
        self.common.view.notify();
    }
}

impl<E: Executor> Desk<E> {
    /// Ends the worker.
    pub(super) fn end(&mut self) {
        self.background.clear();
        self.common.view.set_phase(Phase::Ended);
        self.common.inbox.close();
        self.common.listeners.close();
    }
}

/// Does one of several actions. If code of the embedder panics in it, the panic is logged, so that
/// the other actions are done.
fn contain(act: impl FnOnce()) {
    if let Err(panic) = caught(act) {
        tracing::error!(%panic, "worker caught a panic");
    }
}
