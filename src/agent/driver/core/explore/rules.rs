//! The world around a driver, and the rules of `docs/driver.md` about it.

use super::{Letter, Mode, State, X};
use crate::agent::driver::core::{Call, Core, Exit, Next};
use crate::lifecycle::{EDGES, Operation, TaskState};

/// The workload of the task, outside of the agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub(super) struct World {
    /// The definition of the controller, if there is one.
    pub(super) controller: Option<Letter>,
    pub(super) is_closed: bool,
    /// The definition of the workload, if it is not removed.
    pub(super) left: Option<Letter>,
    pub(super) workload: Option<Workload>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Workload {
    Running,
    Ended,
}

/// The history of requests and results, as far as the rules depend on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Rules {
    desired: TaskState,
    wanted: Letter,
    is_removing: bool,
    is_closing: bool,
    /// The definition that a controller was made with, or has accepted last.
    taken: Option<Letter>,
    /// The definitions that were wanted so far, and those that the executor has refused.
    earlier: [bool; 4],
    refused: [bool; 4],
    /// The definition of the last request to the executor, and whether that failed for good.
    asked: Option<(Letter, bool)>,
    /// The definition that the current controller has refused, until another one is wanted.
    refused_offer: Option<Letter>,
    /// The wanted definition has changed since the last `update` began, even if it changed back.
    has_changed: bool,
    /// `shutdown` must be called at once.
    owes_shutdown: bool,
    /// A retry must be made at once.
    owes_retry: bool,
    /// `terminate` is being called.
    is_terminating: bool,
    /// `start` or `terminate` has failed for good, or there is no controller.
    may_end_running: bool,
    is_removed: bool,
    removal_failed: bool,
}

impl World {
    /// The effect of an operation.
    pub(super) fn effect(&mut self, call: Call, about: Letter) {
        match call {
            Call::Operate(Operation::Prepare) => self.left = self.left.or(self.controller),
            Call::Operate(Operation::Start) => {
                self.left = self.left.or(self.controller);
                self.workload.get_or_insert(Workload::Running);
            }
            Call::Operate(Operation::Wait | Operation::Shutdown | Operation::Terminate) => {
                self.workload = self.workload.map(|_| Workload::Ended);
            }
            Call::Update => {
                self.left = self.left.map(|_| about);
                self.controller = Some(about);
            }
            Call::Remove => (self.left, self.workload) = (None, None),
            Call::Controller | Call::Inspect | Call::Close => {}
        }
    }

    fn is_running(&self) -> bool {
        self.workload == Some(Workload::Running)
    }
}

impl Rules {
    pub(super) fn new(desired: TaskState, wanted: Letter, taken: Option<Letter>) -> Self {
        let mut earlier = [false; 4];
        earlier[usize::from(wanted)] = true;
        taken.into_iter().for_each(|taken| earlier[usize::from(taken)] = true);
        Self {
            desired,
            wanted,
            is_removing: false,
            is_closing: false,
            taken,
            earlier,
            refused: [false; 4],
            asked: None,
            refused_offer: None,
            has_changed: false,
            owes_shutdown: false,
            owes_retry: false,
            is_terminating: false,
            may_end_running: false,
            is_removed: false,
            removal_failed: false,
        }
    }

    pub(super) fn may_restart(&self) -> bool {
        self.removal_failed && !self.is_closing
    }

    /// Another driver retries a failed removal.
    pub(super) fn restarted(&mut self) {
        self.removal_failed = false;
    }
}

impl State {
    fn is_ending(&self) -> bool {
        let Rules { desired, is_removing, is_closing, is_terminating, .. } = self.rules;
        desired >= TaskState::Shutdown || is_removing || is_closing || is_terminating
    }

    fn has_ended(&self) -> bool {
        self.core.task.state().is_terminal()
    }

    /// An update was accepted or refused.
    pub(super) fn told(
        &mut self,
        desired: TaskState,
        wanted: Letter,
        is_accepted: bool,
        core: &Core,
    ) {
        let Rules { is_removing, is_closing, .. } = self.rules;
        let is_possible = desired >= self.rules.desired
            && !is_removing
            && !is_closing
            && self.mode != Mode::Ended;
        self.expect(is_accepted == is_possible, "T5: exactly what is possible is accepted");
        if !is_accepted {
            return;
        }
        let has_ended = core.task.state().is_terminal();
        let was_ending = self.is_ending() || core.terminate_reason().is_some();
        let is_waiting = matches!(self.mode, Mode::Waiting(_));
        let rules = &mut self.rules;
        let is_changed = wanted != rules.wanted;
        if is_changed {
            (rules.refused_offer, rules.has_changed) = (None, true);
            rules.wanted = wanted;
            rules.earlier[usize::from(wanted)] = true;
        }
        let is_raised = desired > rules.desired;
        if rules.desired < TaskState::Shutdown && desired >= TaskState::Shutdown {
            rules.owes_shutdown = !has_ended && core.terminate_reason().is_none();
        }
        rules.owes_retry |= is_waiting && !was_ending && !has_ended && (is_raised || is_changed);
        rules.desired = desired;
    }

    pub(super) fn told_to_remove(&mut self, shuts_down_first: bool, core: &Core) {
        let is_waiting = matches!(self.mode, Mode::Waiting(_));
        let rules = &mut self.rules;
        if rules.is_closing || self.mode == Mode::Ended {
            return;
        }
        if !rules.is_removing {
            let has_ended = core.task.state().is_terminal();
            let changes_nothing =
                shuts_down_first && !has_ended && rules.desired >= TaskState::Shutdown;
            rules.owes_retry |= is_waiting && !changes_nothing;
            rules.owes_shutdown &= shuts_down_first;
            if shuts_down_first && !has_ended && rules.desired < TaskState::Shutdown {
                rules.desired = TaskState::Shutdown;
                rules.owes_shutdown = core.terminate_reason().is_none();
            }
        }
        rules.is_removing = true;
    }

    pub(super) fn told_to_close(&mut self) {
        self.rules.is_closing = true;
        self.rules.owes_shutdown = false;
        self.rules.owes_retry = self.mode != Mode::Ended;
    }

    /// Checks that a request has woken the driver.
    pub(super) fn check_waker(&mut self, core: &Core, now: crate::agent::runtime::Now) {
        if core.news {
            return;
        }
        let mut core = super::key::copy(core);
        let next = core.next(now);
        match self.mode {
            Mode::Waiting(until) => {
                self.expect(next == Next::Wait(until), "a driver that waits is woken for news");
            }
            Mode::Queued(call) => {
                self.expect(next == Next::Call(call), "a driver in the queue is woken for news");
            }
            Mode::Stopped | Mode::Calling { .. } | Mode::Ended => {}
        }
    }

    /// Time is about to pass.
    pub(super) fn check_urgency(&mut self) {
        let is_excused = match self.mode {
            Mode::Calling { call, .. } => {
                matches!(call, Call::Controller | Call::Operate(Operation::Terminate))
            }
            Mode::Waiting(_) => self.world.controller.is_none() || self.has_ended(),
            Mode::Stopped | Mode::Queued(_) | Mode::Ended => true,
        };
        self.expect(!self.rules.owes_shutdown || is_excused, "17: shutdown at once");
    }

    /// A call begins. `core` is the state before it.
    pub(super) fn begins(&mut self, call: Call, about: Letter, core: &Core, sbr: bool) {
        let state = core.task.state();
        let Rules { taken, refused, earlier, wanted, desired, is_removing, .. } = self.rules;
        let has_refused = |letter: Letter| refused[usize::from(letter)];
        self.expect(!self.world.is_closed, "4: nothing is called after close");
        let is_made = self.world.controller.is_some();
        self.expect(is_made != (call == Call::Controller), "1: each call has a controller");
        if self.rules.is_closing {
            self.expect(call == Call::Close, "15: only close is called");
        }
        if self.rules.owes_shutdown && !state.is_terminal() {
            let is_next = match call {
                Call::Controller => true,
                Call::Operate(operation) => {
                    matches!(operation, Operation::Shutdown | Operation::Terminate)
                }
                Call::Remove | Call::Update | Call::Inspect | Call::Close => false,
            };
            self.expect(is_next, "17: shutdown is called first");
        }
        match call {
            Call::Controller => {
                // The executor may succeed when it is asked again.
                let is_asked_again = self.rules.asked == Some((about, false));
                let holds = is_asked_again
                    || match taken {
                        Some(taken) if !has_refused(taken) => about == taken,
                        _ => {
                            about == wanted || (earlier[usize::from(about)] && !has_refused(about))
                        }
                    };
                self.expect(holds, "8: a controller is made with what was taken last");
                self.rules.asked = Some((about, false));
            }
            Call::Update => {
                self.expect(about == wanted, "8: what is wanted is offered");
                self.expect(self.rules.refused_offer != Some(about), "18: not offered again");
                self.rules.has_changed = false;
                self.expect(!self.is_ending(), "18: no update on the way to the end");
            }
            Call::Remove => {
                self.expect(is_removing, "5: a removal is wanted");
                self.expect(!sbr || state.is_terminal(), "the shutdown comes first");
            }
            Call::Close => {
                let is_over =
                    self.rules.is_closing || self.rules.is_removed || self.rules.removal_failed;
                self.expect(is_over, "close is called at the end");
                self.world.is_closed = true;
            }
            Call::Inspect => {}
            Call::Operate(operation) => {
                if operation == Operation::Shutdown {
                    self.expect(desired >= TaskState::Shutdown, "5: an end is wanted");
                }
                if matches!(operation, Operation::Shutdown | Operation::Terminate) {
                    self.rules.owes_shutdown = false;
                }
                if operation == Operation::Terminate {
                    self.rules.is_terminating = true;
                } else {
                    self.expect(!self.rules.is_terminating, "4: only terminate is called again");
                    let applied = self.world.controller;
                    let is_offered =
                        applied == Some(wanted) || self.rules.refused_offer == Some(wanted);
                    let is_pending = !is_offered && desired < TaskState::Shutdown;
                    self.expect(!is_pending, "T8: the update comes before the next operation");
                }
            }
        }
        if !matches!(call, Call::Remove | Call::Close | Call::Inspect | Call::Controller) {
            self.expect(!state.is_terminal(), "2: nothing is called after the end");
            let is_live = !is_removing || sbr;
            self.expect(is_live, "4: nothing is called beside the removal");
        }
        self.rules.owes_retry = false;
    }

    /// With these deadlines every call ends, except for `wait` and `terminate`.
    pub(super) fn check_limit(&mut self, call: Call, deadline: Option<core::time::Duration>) {
        use Operation::{Terminate, Wait};
        let is_free = matches!(call, Call::Close | Call::Operate(Terminate | Wait));
        self.expect(is_free || deadline.is_some(), "4, 10: each call has its deadline");
    }

    /// A driver waits.
    pub(super) fn waits(&mut self, until: Option<core::time::Duration>, core: &Core) {
        let state = core.task.state();
        let Rules { desired, wanted, is_removing, is_closing, .. } = self.rules;
        self.expect(!is_closing, "15: a driver that is closed does not wait");
        if let Some(until) = until {
            self.expect(!core.has_passed(until), "7: nothing spins");
            self.expect(!self.rules.owes_retry, "7: what is accepted ends the wait for a retry");
            let is_retried = core.retry_at.get().or(core.rare().update_retry_at).is_some();
            self.expect(is_retried, "7: what is waited for is a retry");
        } else {
            self.expect(!is_removing, "19: a removal goes on");
            use TaskState::{Preparing, Ready, Running, Starting};
            let is_busy = matches!(state, Preparing | Starting | Running);
            let is_there = state > desired || (state == desired && !is_busy) || state >= Ready;
            let is_wanted =
                self.world.controller == Some(wanted) || self.rules.refused_offer == Some(wanted);
            let rests = desired < TaskState::Shutdown
                && !(is_busy && state <= desired)
                && is_there
                && (state >= desired)
                && is_wanted;
            self.expect(state.is_terminal() || rests, "19: nothing stands still");
        }
        self.rules.owes_retry = false;
    }

    /// The driver has ended.
    pub(super) fn ends(&mut self, exit: &Exit) {
        let Rules { is_closing, is_removed, removal_failed, asked, refused, .. } = self.rules;
        let is_refused = asked.is_some_and(|(_, is_refused)| is_refused);
        let is_closed = self.world.controller.is_none() || self.world.is_closed;
        self.expect(is_closed, "15: every controller is closed");
        match exit {
            Exit::Removed => {
                self.expect(is_removed || is_refused, "12: a removal has succeeded");
                let left = self.world.left;
                let is_unreachable = left.is_some_and(|left| refused[usize::from(left)]);
                self.expect(left.is_none() || is_unreachable, "10: no workload is forgotten");
            }
            Exit::RemovalFailed => {
                self.expect(removal_failed, "12: a removal has failed");
            }
            Exit::Closed => self.expect(is_closing, "15: it was closed"),
        }
        self.world.controller = None;
        self.world.is_closed = false;
        self.mode = Mode::Ended;
    }

    pub(super) fn made(&mut self, about: Letter) {
        self.world.controller = Some(about);
        self.world.is_closed = false;
        self.rules.taken = Some(about);
        self.rules.refused[usize::from(about)] = false;
    }

    /// The executor has failed for good. `is_refusal`: it returned an error and did not panic.
    pub(super) fn not_made(&mut self, about: Letter, is_refusal: bool) {
        self.rules.asked = Some((about, is_refusal));
        self.rules.may_end_running = true;
        self.rules.refused[usize::from(about)] |= is_refusal;
    }

    /// The deadline of the executor has expired.
    pub(super) fn has_no_controller(&mut self) {
        self.rules.may_end_running = true;
    }

    pub(super) fn taken(&mut self, about: Letter) {
        self.rules.taken = Some(about);
        self.rules.asked = Some((about, false));
    }

    pub(super) fn refused(&mut self, about: Letter) {
        if about == self.rules.wanted && !self.rules.has_changed {
            self.rules.refused_offer = Some(about);
        }
    }

    pub(super) fn failed(&mut self, operation: Operation) {
        if matches!(operation, Operation::Start | Operation::Terminate) {
            self.rules.may_end_running = true;
        }
    }

    pub(super) fn removed(&mut self, is_removed: bool) {
        if is_removed {
            self.rules.is_removed = true;
        } else {
            self.rules.removal_failed = true;
        }
    }

    /// The driver was dropped, with its controller.
    pub(super) fn gone(&mut self) {
        self.world.controller = None;
        self.world.is_closed = false;
    }

    /// Checks the rules that hold after every event.
    pub(super) fn check(&mut self, before: TaskState) {
        let state = self.core.task.state();
        let mut reachable = std::vec![before];
        let mut index = 0;
        while let Some(&from) = reachable.get(index) {
            reachable.extend(EDGES.iter().filter(|row| row.from == from).map(|row| row.to));
            index += 1;
        }
        self.expect(reachable.contains(&state), "2: the state never falls");
        if state.is_terminal() && before != state {
            let holds = !self.world.is_running() || self.rules.may_end_running;
            self.expect(holds, "11: no task has ended while its workload runs");
        }
        if state.is_terminal() {
            self.rules.owes_shutdown = false;
            self.rules.is_terminating = false;
        } else {
            let container = self.core.task.container_status();
            let exit_code = container.and_then(|container| container.exit_code);
            self.expect(exit_code.is_none(), "7: an exit code is recorded at the end");
        }
        let is_refused = self.applied == Some(X) && self.core.definitions.is_taken;
        self.expect(!is_refused, "9: no controller has what none can have");
        if let Some(controller) = self.world.controller {
            self.expect(self.applied == Some(controller), "9: applied is what the controller has");
            self.expect(self.core.definitions.is_taken, "9: what the controller has is taken");
        }
    }
}
