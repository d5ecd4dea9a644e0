//! A model of a driver, as a worker sees it.

use super::{Letter, X};
use crate::agent::driver::{Changes, DriverExit};
use crate::agent::store::TaskRecord;
use crate::agent::worker::core::Input;
use crate::exec::Assignment;
use crate::lifecycle::{TaskState, TaskStatus};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The handle of a driver: the data that it was made with.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Seat {
    pub(super) id: Arc<str>,
    pub(super) state: TaskState,
    wanted: Letter,
    applied: Option<Letter>,
}

/// The stage of a driver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Stage {
    Driven,
    /// The removal has failed, and the driver still closes its controller.
    Failing,
    RemovalFailed,
    /// The task was removed.
    Gone,
    Closed,
}

/// Whether there is a controller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Has {
    Nothing,
    /// The executor was asked.
    Asked,
    Controller,
    Refusal,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Driver {
    pub(super) seat: Seat,
    pub(super) stage: Stage,
    pub(super) has: Has,
    pub(super) state: TaskState,
    pub(super) wanted: Letter,
    pub(super) desired: TaskState,
    pub(super) is_removing: bool,
    pub(super) is_closing: bool,
    /// The applied definition, or the one that the executor was asked for.
    pub(super) applied: Option<Letter>,
    pub(super) is_taken: bool,
    refused: Option<Letter>,
    /// The executor has refused since the last start of the agent.
    pub(super) was_refused: bool,
    /// A full set was answered after the removal had failed.
    pub(super) is_wanted_again: bool,
}

/// An action of a driver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Ask,
    Make,
    Refuse,
    /// The task is running.
    Start,
    TakeUpdate,
    Complete,
    ShutDown,
    Remove,
    FailRemoval,
    End,
}

impl Seat {
    pub(super) fn new(
        id: &Arc<str>,
        record: &TaskRecord<Letter>,
        status: Option<&TaskStatus>,
    ) -> Self {
        Self {
            id: Arc::clone(id),
            state: status.map_or(TaskState::Assigned, |status| status.state),
            wanted: record.assignment.definition,
            applied: record.applied.as_ref().map(|applied| applied.definition),
        }
    }
}

impl Driver {
    pub(super) fn new(seat: Seat) -> Self {
        let Seat { state, wanted, applied, .. } = seat;
        Self {
            seat,
            stage: Stage::Driven,
            has: Has::Nothing,
            state,
            wanted,
            desired: TaskState::New,
            is_removing: false,
            is_closing: false,
            applied,
            is_taken: applied.is_some(),
            refused: None,
            was_refused: false,
            is_wanted_again: false,
        }
    }

    pub(super) fn is_driven(&self) -> bool {
        matches!(self.stage, Stage::Driven | Stage::Failing)
    }

    pub(super) fn restart(&mut self) {
        (self.stage, self.has, self.is_wanted_again) = (Stage::Driven, Has::Nothing, false);
    }

    /// Passes a record to the driver.
    pub(super) fn tell(&mut self, record: &TaskRecord<Letter>) {
        if self.stage != Stage::Driven || self.is_closing {
            return;
        }
        if self.wanted != record.assignment.definition {
            self.refused = None;
        }
        self.wanted = record.assignment.definition;
        self.desired = record.assignment.desired_state;
        self.is_removing |= record.removing;
        if self.has == Has::Refusal {
            self.has = Has::Nothing;
        }
    }

    /// The possible actions of the driver.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if !self.is_driven() {
            return steps;
        }
        if self.is_closing || self.stage == Stage::Failing {
            steps.push(Step::End);
            return steps;
        }
        match self.has {
            Has::Nothing => steps.push(Step::Ask),
            Has::Asked if self.applied == Some(X) => steps.push(Step::Refuse),
            Has::Asked => steps.extend([Step::Make, Step::Refuse]),
            Has::Refusal => {}
            Has::Controller if self.is_removing => steps.extend([Step::Remove, Step::FailRemoval]),
            Has::Controller if self.state.is_terminal() => {}
            Has::Controller if self.desired >= TaskState::Shutdown => steps.push(Step::ShutDown),
            Has::Controller => {
                if self.applied != Some(self.wanted) && self.refused != Some(self.wanted) {
                    steps.push(Step::TakeUpdate);
                }
                let is_running = self.state == TaskState::Running;
                steps.push(if is_running { Step::Complete } else { Step::Start });
            }
        }
        steps
    }

    /// Does an action. Returns the event for the worker.
    pub(super) fn step(&mut self, step: Step) -> Vec<Input<Letter>> {
        let before = self.state;
        let id = Arc::clone(&self.seat.id);
        match step {
            Step::Ask => {
                self.has = Has::Asked;
                if !self.is_taken {
                    self.applied = Some(self.wanted);
                }
            }
            Step::Make => (self.has, self.is_taken) = (Has::Controller, true),
            Step::Refuse => {
                (self.has, self.was_refused) = (Has::Refusal, true);
                // The next request is for the wanted definition.
                (self.applied, self.is_taken) = (None, false);
                if self.is_removing {
                    self.stage = Stage::Gone;
                    return [Input::Ended(id, DriverExit::Removed)].into();
                }
                if !self.state.is_terminal() {
                    let is_running = self.state == TaskState::Running;
                    self.state = if is_running { TaskState::Failed } else { TaskState::Rejected };
                }
            }
            Step::Start => self.state = TaskState::Running,
            Step::TakeUpdate if self.wanted == X => self.refused = Some(X),
            Step::TakeUpdate => self.applied = Some(self.wanted),
            Step::Complete => self.state = TaskState::Complete,
            Step::ShutDown => self.state = TaskState::Shutdown,
            Step::Remove => {
                self.stage = Stage::Gone;
                return [Input::Ended(id, DriverExit::Removed)].into();
            }
            Step::FailRemoval => self.stage = Stage::Failing,
            Step::End if self.stage == Stage::Failing => {
                self.stage = Stage::RemovalFailed;
                let error = "no".into();
                return [Input::Ended(id, DriverExit::RemovalFailed { error })].into();
            }
            Step::End => {
                self.stage = Stage::Closed;
                return [Input::Ended(id, DriverExit::Closed)].into();
            }
        }
        let status = (before != self.state).then(|| TaskStatus::new(self.state));
        let applied = self.applied.map(|of| Arc::new(Assignment::new(&*self.seat.id, of)));
        let changed = Changes {
            status,
            applied,
            is_taken: self.is_taken,
            is_refused: self.has == Has::Refusal,
            is_removal_failed: self.stage == Stage::Failing,
            has_logs: false,
        };
        [Input::Changed(id, changed)].into()
    }
}
