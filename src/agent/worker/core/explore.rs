//! Exhaustive exploration of the core of a worker with a model checker.
//!
//! The model has the real core, and small models of a store, drivers, and an executor that lists and
//! reconciles. The rules are checked by the actions of the core, not by its fields.

mod act;
mod driver;
mod judge;
mod key;
mod wanted;

use super::{Core, Message};
use crate::agent::explore::{Judged, every_rule_holds, explore};
use crate::agent::policy::{Backoff, Policy};
use crate::agent::store::{StoreChange, StoreError, StoredTask};
use crate::agent::worker::task::{AssignedTask, AssignmentChange};
use crate::exec::Assignment;
use crate::lifecycle::TaskState;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;
use driver::{Driver, Seat, Step};
use stateright::{Model, Property};
use wanted::Content;

/// A definition.
type Letter = u8;

/// The definition that the executor refuses for good.
const X: Letter = 3;

type Stored = BTreeMap<Arc<str>, StoredTask<Letter>>;

/// The events that an exploration includes.
#[derive(Clone)]
struct Settings {
    /// The messages that can come.
    messages: Vec<Message<Letter>>,
    /// The maximum number of messages that wait for their answer.
    most_waiting: usize,
    /// The maximum number of messages in total.
    most_messages: usize,
    /// The maximum number of successive commits that fail.
    most_failures: usize,
    ids: Vec<&'static str>,
    has_orphans: bool,
    has_crashes: bool,
    has_close: bool,
    shuts_down_first: bool,
    /// A failed commit may have written a part.
    writes_some: bool,
}

/// An event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    /// The message at this index of the list.
    Send(usize),
    Commit(Written),
    /// A failed commit is retried.
    Retry,
    Crash(Written),
    Step(usize, Step),
    /// `list` returns every id or none, or it fails.
    Listed(Option<bool>),
    Reconciled(usize, bool),
    Listen,
    Close,
}

/// How a commit ends, and what it has written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Written {
    Successfully,
    /// It failed after this number of changes.
    Failing(usize),
}

/// A state of the model: the core and the world around it.
#[derive(Clone)]
struct State {
    core: Core<Letter, Seat>,
    /// The tasks on the disk.
    disk: Stored,
    /// The tasks that are known to be on the disk.
    durable: Stored,
    commit: Option<Arc<[StoreChange<Letter>]>>,
    drivers: BTreeMap<Arc<str>, Driver>,
    /// The messages without an answer.
    waiting: Vec<(u64, Message<Letter>)>,
    /// The messages that have failed since the last success.
    failed: Vec<Message<Letter>>,
    /// The tasks that the successful messages want.
    wanted: Content,
    /// The statuses that a listener has received.
    told: BTreeMap<Arc<str>, TaskState>,
    is_listing: bool,
    /// Whether `list` must be called after the next full set.
    is_list_due: bool,
    reconciling: BTreeSet<String>,
    is_closing: bool,
    has_ended: bool,
    /// Whether a failed commit has written a part. The rules for stored data then do not apply.
    is_torn: bool,
    failures: usize,
    messages: usize,
    number: u64,
    now: Duration,
    broken: Option<&'static str>,
}

impl Judged for State {
    fn broken(&self) -> Option<&str> {
        self.broken
    }
}

impl Model for Settings {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut state = State {
            core: self.open(&Stored::new()),
            disk: Stored::new(),
            durable: Stored::new(),
            commit: None,
            drivers: BTreeMap::new(),
            waiting: Vec::new(),
            failed: Vec::new(),
            wanted: Content::default(),
            told: BTreeMap::new(),
            is_listing: false,
            is_list_due: true,
            reconciling: BTreeSet::new(),
            is_closing: false,
            has_ended: false,
            is_torn: false,
            failures: 0,
            messages: 0,
            number: 0,
            now: Duration::from_secs(1),
            broken: None,
        };
        state.run();
        [state].into()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_none() {
            state.actions(self, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        state.act(self, action);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        [every_rule_holds()].into()
    }
}

impl Settings {
    /// A new agent loads the store.
    fn open(&self, stored: &Stored) -> Core<Letter, Seat> {
        let mut core = Core::new(stored.values().cloned().collect(), Arc::new(Seat::new));
        let delay = Duration::from_millis(2);
        let backoff = Backoff::new(delay, delay).with_factor(1.0).unwrap();
        let policy = Policy::default().with_backoff(backoff.with_jitter(0.0).unwrap());
        core.set_policy(Arc::new(policy.with_shutdown_before_removal(self.shuts_down_first)));
        core
    }
}

impl State {
    /// Records a broken rule, unless it holds.
    fn expect(&mut self, holds: bool, rule: &'static str) {
        if !holds {
            self.broken.get_or_insert(rule);
        }
    }
}

fn task(id: &str, definition: Letter, desired: TaskState) -> AssignedTask<Letter> {
    AssignedTask::new(Assignment::new(id, definition).with_desired_state(desired))
}

/// All messages about one task.
fn of_one(definitions: &[Letter], desired: &[TaskState]) -> Vec<Message<Letter>> {
    let mut messages = std::vec![Message::Assign(Vec::new()), Message::ShutDown];
    messages.push(Message::Update([AssignmentChange::Remove("a".into())].into()));
    for &desired_state in desired {
        let id = "a".into();
        let change = AssignmentChange::DesiredState { id, desired_state };
        messages.push(Message::Update([change].into()));
        for &definition in definitions {
            let task = task("a", definition, desired_state);
            messages.push(Message::Assign([task.clone()].into()));
            messages.push(Message::Update([AssignmentChange::Update(task)].into()));
        }
    }
    messages
}

/// Some messages about two tasks.
fn of_two() -> Vec<Message<Letter>> {
    let (a, b) = (|of| task("a", of, TaskState::Running), |of| task("b", of, TaskState::Running));
    let remove = |id: &str| Message::Update([AssignmentChange::Remove(id.into())].into());
    let a_ends = task("a", 2, TaskState::Shutdown);
    [
        Message::Assign(Vec::new()),
        Message::Assign([a(1), b(1)].into()),
        Message::Assign([b(2)].into()),
        Message::Update([AssignmentChange::Update(a(2))].into()),
        Message::Update([AssignmentChange::Update(a_ends)].into()),
        Message::Update([AssignmentChange::Update(b(X))].into()),
        remove("a"),
        remove("b"),
        Message::ShutDown,
    ]
    .into()
}

fn one() -> Settings {
    use TaskState::{Remove, Running, Shutdown};
    Settings {
        messages: of_one(&[1, 2, X], &[Running, Shutdown, Remove]),
        most_waiting: 2,
        most_messages: 3,
        most_failures: 2,
        ids: ["a"].into(),
        has_orphans: false,
        has_crashes: true,
        has_close: true,
        shuts_down_first: false,
        writes_some: true,
    }
}

/// Few messages and few faults, so that longer sequences can be explored.
fn calm() -> Settings {
    use TaskState::{Remove, Running};
    let messages = [
        Message::Assign([task("a", 1, Running)].into()),
        Message::Assign([task("a", 2, Remove)].into()),
        Message::Assign(Vec::new()),
        Message::ShutDown,
    ];
    Settings {
        messages: messages.into(),
        most_messages: 3,
        most_failures: 1,
        has_crashes: false,
        has_close: false,
        writes_some: false,
        ..one()
    }
}

#[test]
fn a_worker_of_one_task_keeps_every_rule() {
    explore("worker, one task", one(), 5);
}

#[test]
fn a_long_life_under_a_worker_keeps_every_rule() {
    explore("worker, a long life", calm(), 15);
}

#[test]
fn a_worker_of_two_tasks_keeps_every_rule() {
    let ids = ["a", "b"].into();
    let settings = Settings { messages: of_two(), ids, ..one() };
    explore("worker, two tasks", settings, 5);
}

#[test]
fn a_worker_with_orphans_keeps_every_rule() {
    let settings = Settings { messages: of_two(), ids: ["a", "b"].into(), ..calm() };
    explore("worker, orphans", Settings { has_orphans: true, ..settings }, 7);
}

#[test]
fn a_worker_that_shuts_down_before_a_removal_keeps_every_rule() {
    let settings = Settings { shuts_down_first: true, most_messages: 2, ..one() };
    explore("worker, shutdown first", settings, 5);
}
