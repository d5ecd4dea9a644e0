//! Exhaustive exploration of the core of a driver with a model checker.
//!
//! The model has the real core, under the real handle, and a small world: one controller at a
//! time, one workload, three definitions. Time advances by 1 ms. Counters, texts and history do
//! not distinguish two states.

mod act;
mod key;
mod rules;

use super::super::handle::DriverHandle;
use super::super::shared::Shared;
use super::{Call, Core, Definitions};
use crate::agent::explore::{Judged, every_rule_holds, explore};
use crate::agent::policy::{Backoff, Policy};
use crate::agent::runtime::Now;
use crate::exec::Assignment;
use crate::lifecycle::{AnyTask, Operation, TaskState, TaskStatus};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;
use rules::{Rules, Workload, World};
use stateright::{Model, Property};
use time::UtcDateTime;

/// A definition.
type Letter = u8;

/// The definition that the executor refuses for good.
const X: Letter = 3;

/// The events that an exploration includes.
#[derive(Clone, Debug)]
struct Settings {
    desired: Vec<TaskState>,
    definitions: Vec<Letter>,
    has_deadlines: bool,
    shuts_down_first: bool,
    /// An operation can have its effect although it does not succeed.
    has_late_effects: bool,
    /// The driver, or the future of its `run`, can be dropped.
    is_dropped: bool,
    /// Drivers continue from every stored status, and not only from a new task.
    is_resumed: bool,
    /// Operations wait for a place in a limit.
    is_limited: bool,
}

/// The result of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Success,
    Temporary,
    Interrupted,
    Final,
    Panic,
}

/// An event. `effect`: whether the operation in flight has its effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Action {
    /// The driver is polled.
    Poll,
    /// The operation gets its place.
    Place,
    Update(TaskState, Letter),
    AskAgain,
    Remove,
    Close,
    Answer {
        kind: Kind,
        effect: bool,
    },
    /// A call is interrupted.
    Interrupt {
        effect: bool,
        panics: bool,
    },
    /// The deadline of a call expires.
    Deadline {
        effect: bool,
        panics: bool,
    },
    /// The future of `run` is dropped.
    DropRun {
        effect: bool,
    },
    /// The driver is dropped.
    DropDriver {
        effect: bool,
    },
    /// A millisecond passes.
    Tick,
    /// A sleep has ended.
    Wake,
    /// Another driver retries a failed removal.
    Restart,
}

/// The state of the driver's future.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Mode {
    /// It is not polled.
    Stopped,
    /// An operation waits for a place.
    Queued(Call),
    Calling {
        call: Call,
        about: Letter,
        number: u32,
        deadline: Option<Duration>,
    },
    Waiting(Option<Duration>),
    Ended,
}

/// A state of the model: the core and the world around it.
struct State {
    core: Core,
    wanted: Letter,
    applied: Option<Letter>,
    mode: Mode,
    now: Duration,
    world: World,
    rules: Rules,
    broken: Option<&'static str>,
}

impl Judged for State {
    fn broken(&self) -> Option<&str> {
        self.broken
    }
}

fn utc() -> UtcDateTime {
    UtcDateTime::UNIX_EPOCH
}

fn assignment(desired: TaskState, definition: Letter) -> Arc<Assignment<Letter>> {
    Arc::new(Assignment::new("a", definition).with_desired_state(desired))
}

impl Settings {
    fn policy(&self) -> Policy {
        let delay = Duration::from_millis(2);
        let backoff = Backoff::new(delay, delay).with_factor(1.0).unwrap();
        let limit = self.has_deadlines.then_some(Duration::from_millis(3));
        Policy::default()
            .with_backoff(backoff.with_jitter(0.0).unwrap())
            .with_controller_deadline(limit)
            .with_prepare_deadline(limit)
            .with_start_deadline(limit)
            .with_update_deadline(limit)
            .with_shutdown_grace(limit)
            .with_remove_deadline(limit)
            .with_inspect_deadline(limit)
            .with_shutdown_before_removal(self.shuts_down_first)
    }

    /// The first state of a driver for a task with this status.
    fn state(&self, begin: &Begin) -> State {
        let &Begin { state, desired, wanted, applied, world, may_run } = begin;
        let definitions = Definitions::new(match applied {
            None => super::Applied::Nothing,
            Some(applied) if applied == wanted => super::Applied::Wanted,
            Some(_) => super::Applied::Other,
        });
        let task = AnyTask::resume(TaskStatus::new(state));
        let mut core = Core::new("a", task, desired, definitions, utc());
        core.set_policy(Arc::new(self.policy()));
        let rules = Rules::new(desired, wanted, applied);
        let applied = if may_run && core.may_run() { Some(wanted) } else { applied };
        let (mode, now) = (Mode::Stopped, Duration::from_secs(1));
        State { core, wanted, applied, mode, now, world, rules, broken: None }
    }
}

/// The stored task with which a driver begins.
struct Begin {
    state: TaskState,
    desired: TaskState,
    wanted: Letter,
    applied: Option<Letter>,
    world: World,
    may_run: bool,
}

impl Model for Settings {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let mut states = Vec::new();
        for &desired in &self.desired {
            for &wanted in &self.definitions {
                let (state, applied, may_run) = (TaskState::Assigned, None, false);
                let world = World::default();
                states.push(Begin { state, desired, wanted, applied, world, may_run });
                if self.is_resumed {
                    states.extend(resumed(desired, wanted, &self.definitions));
                }
            }
        }
        states.iter().map(|begin| self.state(begin)).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_none() {
            state.actions(self, actions);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let shared = state.lend();
        state.act(self, &shared, action);
        state.take_back(&shared);
        state.check(last.core.task.state());
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        [every_rule_holds()].into()
    }
}

/// The tasks that an earlier agent may have left. A status may be older than the workload.
fn resumed(desired: TaskState, wanted: Letter, definitions: &[Letter]) -> Vec<Begin> {
    use TaskState::{Accepted, Assigned, Complete, Failed, Preparing, Ready, Running, Starting};
    let mut all = Vec::new();
    let applieds = definitions.iter().filter(|&&letter| letter != X).map(|&letter| Some(letter));
    for applied in applieds.chain([None]) {
        let left = applied.or(Some(wanted).filter(|&wanted| wanted != X));
        let Some(of) = left else { continue };
        for state in [Assigned, Accepted, Preparing, Ready, Starting, Running, Complete, Failed] {
            for workload in [None, Some(Workload::Running), Some(Workload::Ended)] {
                let is_possible = match state {
                    Running => workload.is_some(),
                    Complete | Failed => workload == Some(Workload::Ended),
                    _ => true,
                };
                if is_possible {
                    let world = World { left: Some(of), workload, ..World::default() };
                    all.push(Begin { state, desired, wanted, applied, world, may_run: true });
                }
            }
        }
    }
    all
}

impl State {
    /// Puts the core into a real handle.
    fn lend(&mut self) -> Arc<Shared<Letter>> {
        let task = AnyTask::resume(TaskStatus::new(TaskState::New));
        let wanted = assignment(self.core.desired, self.wanted);
        let applied = self.applied.map(|letter| assignment(self.core.desired, letter));
        let shared = Shared::new("a".into(), task, wanted, applied, utc());
        shared.with(|state| mem::swap(&mut state.core, &mut self.core));
        Arc::new(shared)
    }

    fn take_back(&mut self, shared: &Shared<Letter>) {
        drop(shared.collect());
        shared.with(|state| {
            mem::swap(&mut state.core, &mut self.core);
            self.wanted = state.wanted.definition;
            self.applied = state.applied.as_ref().map(|applied| applied.definition);
        });
        self.core.unreported = false;
    }

    fn moment(&self) -> Now {
        Now { monotonic: self.now, utc: utc() }
    }

    fn breaks(&mut self, rule: &'static str) {
        self.broken.get_or_insert(rule);
    }

    /// Records a broken rule, unless it holds.
    fn expect(&mut self, holds: bool, rule: &'static str) {
        if !holds {
            self.breaks(rule);
        }
    }
}

fn handle(shared: &Arc<Shared<Letter>>) -> DriverHandle<Letter> {
    DriverHandle::new(Arc::clone(shared))
}

fn all() -> Settings {
    use TaskState::{Ready, Remove, Running, Shutdown};
    Settings {
        desired: [Ready, Running, Shutdown, Remove].into(),
        definitions: [1, 2, X].into(),
        has_deadlines: true,
        shuts_down_first: false,
        has_late_effects: true,
        is_dropped: true,
        is_resumed: true,
        is_limited: false,
    }
}

fn few() -> Settings {
    use TaskState::{Running, Shutdown};
    Settings { desired: [Running, Shutdown].into(), definitions: [1, 2].into(), ..all() }
}

#[test]
fn a_driver_keeps_every_rule() {
    let definitions = [1, X].into();
    explore("driver", Settings { has_deadlines: false, definitions, ..few() }, 9);
    explore("driver, with deadlines", few(), 5);
    explore("driver, all requests", all(), 3);
}

#[test]
fn a_driver_that_shuts_down_before_a_removal_keeps_every_rule() {
    let settings = Settings { shuts_down_first: true, ..few() };
    explore("driver, shutdown first", settings, 5);
}

#[test]
fn a_driver_without_deadlines_keeps_every_rule() {
    let settings = Settings { has_deadlines: false, ..few() };
    explore("driver, no deadlines", settings, 5);
}

#[test]
fn a_driver_whose_operations_wait_for_a_place_keeps_every_rule() {
    let settings = Settings { is_limited: true, is_resumed: false, ..few() };
    explore("driver, limited", settings, 9);
}

const LIMITED: [Call; 2] = [Call::Operate(Operation::Prepare), Call::Operate(Operation::Start)];
