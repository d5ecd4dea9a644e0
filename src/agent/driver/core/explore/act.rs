//! The possible events of a driver, and their consequences.

use super::rules::Workload;
use super::{Action, Kind, LIMITED, Letter, Mode, Settings, State, X, assignment, handle};
use crate::agent::driver::calls;
use crate::agent::driver::core::{Call, Next, Problem};
use crate::agent::driver::race::Outcome;
use crate::agent::driver::shared::{Shared, Subject};
use crate::agent::runtime::Now;
use crate::exec::ControllerError;
use crate::lifecycle::{Answer, Operation};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

const TICK: Duration = Duration::from_millis(1);

impl State {
    pub(super) fn actions(&self, settings: &Settings, actions: &mut Vec<Action>) {
        let core = &self.core;
        match self.mode {
            Mode::Ended if self.rules.may_restart() => return actions.push(Action::Restart),
            Mode::Ended => return,
            Mode::Stopped => actions.extend([Action::Poll, Action::Tick]),
            Mode::Queued(_) if core.news => actions.push(Action::Poll),
            Mode::Queued(_) => actions.extend([Action::Place, Action::Tick]),
            Mode::Waiting(_) if core.news => actions.push(Action::Poll),
            Mode::Waiting(Some(until)) if until <= self.now => actions.push(Action::Wake),
            Mode::Waiting(Some(_)) => actions.push(Action::Tick),
            Mode::Waiting(None) => {
                if core.deadline.get().or(core.rare().update_deadline).is_some() {
                    actions.push(Action::Tick);
                }
            }
            Mode::Calling { call, about, deadline, .. } => {
                let effects: &[bool] =
                    if settings.has_late_effects { &[false, true] } else { &[false] };
                self.answers(call, about, effects, actions);
                let is_due = deadline.is_some_and(|deadline| deadline <= self.now);
                let panics = [false, true];
                let ways = effects.iter().flat_map(|&effect| panics.map(|panics| (effect, panics)));
                if core.interrupts(call) {
                    actions
                        .extend(ways.map(|(effect, panics)| Action::Interrupt { effect, panics }));
                } else if is_due {
                    actions
                        .extend(ways.map(|(effect, panics)| Action::Deadline { effect, panics }));
                } else {
                    actions.push(Action::Tick);
                }
                if settings.is_dropped {
                    actions.extend(effects.iter().map(|&effect| Action::DropRun { effect }));
                    actions.extend(effects.iter().map(|&effect| Action::DropDriver { effect }));
                }
            }
        }
        if settings.is_dropped && matches!(self.mode, Mode::Waiting(_) | Mode::Queued(_)) {
            actions.push(Action::DropRun { effect: false });
            actions.push(Action::DropDriver { effect: false });
        }
        for &desired in &settings.desired {
            actions.extend(settings.definitions.iter().map(|&of| Action::Update(desired, of)));
        }
        actions.extend([Action::AskAgain, Action::Remove, Action::Close]);
    }

    /// The possible results of the call in flight.
    fn answers(&self, call: Call, about: Letter, effects: &[bool], actions: &mut Vec<Action>) {
        let has_effect = matches!(
            call,
            Call::Remove
                | Call::Operate(
                    Operation::Prepare
                        | Operation::Start
                        | Operation::Shutdown
                        | Operation::Terminate
                )
        );
        for kind in [Kind::Success, Kind::Temporary, Kind::Interrupted, Kind::Final, Kind::Panic] {
            let is_possible = match call {
                Call::Operate(Operation::Wait) => match self.world.workload {
                    None => kind == Kind::Final,
                    Some(Workload::Running) => true,
                    Some(Workload::Ended) => kind == Kind::Success || kind == Kind::Final,
                },
                Call::Controller | Call::Update if about == X => kind == Kind::Final,
                Call::Inspect | Call::Close => kind == Kind::Success,
                Call::Operate(_) => true,
                Call::Controller | Call::Update | Call::Remove => kind != Kind::Interrupted,
            };
            if !is_possible {
                continue;
            }
            if has_effect && kind != Kind::Success {
                actions.extend(effects.iter().map(|&effect| Action::Answer { kind, effect }));
            } else {
                let ends = call == Call::Operate(Operation::Wait) && kind == Kind::Final;
                let effect = kind == Kind::Success || ends;
                actions.push(Action::Answer { kind, effect });
            }
        }
    }

    pub(super) fn act(
        &mut self,
        settings: &Settings,
        shared: &Arc<Shared<Letter>>,
        action: Action,
    ) {
        let now = self.moment();
        match action {
            Action::Poll => self.run(settings, shared),
            Action::Place => {
                let Mode::Queued(call) = self.mode else { return };
                self.begin(settings, shared, call);
            }
            Action::Update(desired, wanted) => {
                let is_accepted = {
                    let before = shared.with(|state| super::key::copy(&state.core));
                    let told = handle(shared).update(assignment(desired, wanted)).is_ok();
                    self.told(desired, wanted, told, &before);
                    told
                };
                if is_accepted {
                    self.look_up(shared, now);
                }
            }
            Action::AskAgain => {
                shared.request(|state| state.core.ask_again());
                self.look_up(shared, now);
            }
            Action::Remove => {
                let before = shared.with(|state| super::key::copy(&state.core));
                self.told_to_remove(settings.shuts_down_first, &before);
                handle(shared).remove();
                self.look_up(shared, now);
            }
            Action::Close => {
                self.told_to_close();
                handle(shared).close();
                self.look_up(shared, now);
            }
            Action::Answer { kind, effect } => {
                let Mode::Calling { call, about, number, .. } = self.mode else { return };
                if effect {
                    self.world.effect(call, about);
                }
                self.answer(shared, call, about, number, kind);
                self.run(settings, shared);
            }
            Action::Interrupt { effect, panics } => {
                self.drop_call(settings, shared, effect, panics)
            }
            Action::Deadline { effect, panics } => {
                let Mode::Calling { deadline: Some(deadline), .. } = self.mode else { return };
                shared.with(|state| state.core.sleep_ended(deadline));
                self.drop_call(settings, shared, effect, panics);
            }
            Action::DropRun { effect } => {
                self.lose(effect);
                self.mode = Mode::Stopped;
            }
            Action::DropDriver { effect } => {
                self.lose(effect);
                shared.abandon();
                self.gone();
                self.mode = Mode::Stopped;
            }
            Action::Tick => {
                self.check_urgency();
                self.now += TICK;
            }
            Action::Wake => {
                let Mode::Waiting(Some(until)) = self.mode else { return };
                shared.with(|state| state.core.sleep_ended(until));
                self.run(settings, shared);
            }
            Action::Restart => {
                shared.restart();
                let wanted = shared.with(|state| Arc::clone(&state.wanted));
                handle(shared).want(&wanted, true);
                self.rules.restarted();
                self.mode = Mode::Stopped;
            }
        }
    }

    fn look_up(&mut self, shared: &Arc<Shared<Letter>>, now: Now) {
        let copied = shared.with(|state| super::key::copy(&state.core));
        self.check_waker(&copied, now);
    }

    /// The effect of a call that is dropped.
    fn lose(&mut self, effect: bool) {
        if let (Mode::Calling { call: call @ (Call::Operate(_) | Call::Remove), about, .. }, true) =
            (self.mode, effect)
            && call != Call::Operate(Operation::Wait)
        {
            self.world.effect(call, about);
        }
    }

    /// Drops the call in flight. The drop may panic.
    fn drop_call(
        &mut self,
        settings: &Settings,
        shared: &Arc<Shared<Letter>>,
        effect: bool,
        panics: bool,
    ) {
        let Mode::Calling { call, about, number, .. } = self.mode else { return };
        self.lose(effect);
        let before = shared.with(|state| state.core.task.state());
        let now = self.moment();
        match call {
            _ if !panics => shared.with(|state| state.core.dropped(now)),
            Call::Operate(_) => {
                drop(shared.with(|state| state.core.drop_panicked("a bomb".into(), now)));
            }
            call => self.answer(shared, call, about, number, Kind::Panic),
        }
        let after = shared.with(|state| state.core.task.state());
        let holds = before == after || panics;
        self.expect(holds, "6: an interruption never changes the state");
        self.run(settings, shared);
    }

    /// Runs the driver until it waits.
    fn run(&mut self, settings: &Settings, shared: &Arc<Shared<Letter>>) {
        let now = self.moment();
        for _ in 0..16 {
            let next = shared.with(|state| state.core.next(now));
            match next {
                Next::Recorded(_) => {
                    if shared.with(|state| state.core.has == super::super::Has::Refusal) {
                        self.has_no_controller();
                    }
                    // The deadline of an update has expired.
                    let definitions = shared.with(|state| state.core.definitions);
                    if definitions.refused == definitions.wanted {
                        self.refused(shared.with(|state| state.wanted.definition));
                    }
                }
                Next::Call(call) if settings.is_limited && LIMITED.contains(&call) => {
                    self.mode = Mode::Queued(call);
                    return;
                }
                Next::Call(call) => return self.begin(settings, shared, call),
                Next::Wait(until) => {
                    self.mode = Mode::Waiting(until);
                    let core = shared.with(|state| super::key::copy(&state.core));
                    self.waits(until, &core);
                    return;
                }
                Next::Nothing => {
                    let exit = shared.with(|state| state.core.exit);
                    if matches!(exit, super::super::Exit::RemovalFailed) {
                        self.removed(false);
                    }
                    self.ends(&exit);
                    shared.end();
                    return;
                }
            }
        }
        self.breaks("7: nothing spins");
    }

    fn begin(&mut self, settings: &Settings, shared: &Arc<Shared<Letter>>, call: Call) {
        let now = self.moment();
        let before = shared.with(|state| super::key::copy(&state.core));
        if matches!(before.exit, super::super::Exit::RemovalFailed) {
            self.removed(false);
        }
        let (subject, _) = shared.begin(call, now);
        let about = subject.assignment.definition;
        self.begins(call, about, &before, settings.shuts_down_first);
        let deadline = shared.with(|state| state.core.deadline_of(call, now.monotonic));
        let is_wanted = shared.with(|state| !state.core.interrupts(call));
        self.expect(is_wanted, "3: what is called is wanted");
        if settings.has_deadlines {
            self.check_limit(call, deadline);
        }
        self.mode = Mode::Calling { call, about, number: subject.number, deadline };
    }

    fn answer(
        &mut self,
        shared: &Arc<Shared<Letter>>,
        call: Call,
        about: Letter,
        number: u32,
        kind: Kind,
    ) {
        let now = self.moment();
        let result = match kind {
            Kind::Success => Ok(()),
            Kind::Temporary | Kind::Interrupted => Err(problem(true, false)),
            Kind::Final => Err(problem(false, false)),
            Kind::Panic => Err(problem(false, true)),
        };
        match call {
            Call::Controller => {
                let is_removing =
                    shared.with(|state| state.core.goal == super::super::Goal::Remove);
                match kind {
                    Kind::Success => self.made(about),
                    Kind::Final => self.not_made(about, true),
                    Kind::Panic if !is_removing => self.not_made(about, false),
                    Kind::Panic | Kind::Temporary | Kind::Interrupted => {}
                }
                drop(calls::resolved(shared, now, number, Some(result), &mut None));
            }
            Call::Operate(operation) => {
                let is_last = operation == Operation::Terminate && kind == Kind::Panic;
                if kind == Kind::Final || is_last {
                    self.failed(operation);
                }
                let (answer, is_panic) = answer_of(operation, kind);
                let answered = |state: &mut crate::agent::driver::shared::State<Letter>| {
                    state.core.operated(operation, answer, is_panic, now)
                };
                drop(shared.with(answered));
            }
            Call::Update => {
                match kind {
                    Kind::Success => self.taken(about),
                    Kind::Final | Kind::Panic => self.refused(about),
                    Kind::Temporary | Kind::Interrupted => {}
                }
                let desired = shared.with(|state| state.wanted.desired_state);
                let subject = Subject { assignment: assignment(desired, about), number };
                let outcome = match kind {
                    Kind::Success => Outcome::Answer(Ok(())),
                    Kind::Temporary | Kind::Interrupted => {
                        Outcome::Answer(Err(ControllerError::new("no").temporary()))
                    }
                    Kind::Final | Kind::Panic => Outcome::Answer(Err(ControllerError::new("no"))),
                };
                drop(calls::updated(shared, now, &subject, outcome));
            }
            Call::Remove => {
                match kind {
                    Kind::Success => self.removed(true),
                    Kind::Final | Kind::Panic => self.removed(false),
                    Kind::Temporary | Kind::Interrupted => {}
                }
                drop(shared.with(|state| state.core.removed(result, now)));
            }
            Call::Inspect => shared.with(|state| state.core.inspected(None, now)),
            Call::Close => {}
        }
    }
}

fn problem(is_temporary: bool, is_panic: bool) -> Problem {
    Problem { error: "no".into(), is_temporary, is_panic }
}

fn answer_of(operation: Operation, kind: Kind) -> (Answer, bool) {
    let error = ControllerError::new("no").with_exit_code(7);
    match kind {
        Kind::Success => (Answer::Succeeded, false),
        Kind::Temporary => (error.temporary().into_answer(operation), false),
        Kind::Interrupted => (ControllerError::interrupted("no").into_answer(operation), false),
        Kind::Final => (error.into_answer(operation), false),
        Kind::Panic => (ControllerError::new("a panic").into_answer(operation), true),
    }
}
