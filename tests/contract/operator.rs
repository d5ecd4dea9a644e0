//! A controller that keeps the contract, or breaks it in one place: its state.

use crate::plan::Plan;
use crate::world::{Work, World};
use crate::wrong::Wrong;
use onward::exec::ControllerError;
use std::future::pending;

pub(crate) struct Operator {
    pub(crate) world: World,
    pub(crate) id: String,
    pub(crate) definition: Plan,
    pub(crate) tries: u32,
    /// The calls that this instance has begun, and those that have succeeded.
    pub(crate) begun: Vec<&'static str>,
    pub(crate) done: Vec<&'static str>,
}

impl Operator {
    pub(crate) fn is(&self, wrong: Wrong) -> bool {
        self.world.wrong == wrong
    }

    pub(crate) fn has_begun(&self, call: &str) -> bool {
        self.begun.contains(&call)
    }

    pub(crate) fn has_done(&self, call: &str) -> bool {
        self.done.contains(&call)
    }

    /// Whether this instance has started the workload.
    pub(crate) fn is_its_own(&self) -> bool {
        self.has_begun("start")
    }

    pub(crate) fn check_open(&self) -> Result<(), ControllerError> {
        let closed = self.has_begun("close") && !self.is(Wrong::NothingAndHasNothingToClose);
        if closed { Err(ControllerError::closed()) } else { Ok(()) }
    }

    pub(crate) fn work<R>(&self, change: impl FnOnce(&mut Work) -> R) -> R {
        change(self.world.lock().entry(self.id.clone()).or_default())
    }

    pub(crate) async fn pause(&self) {
        self.world.pause().await;
    }

    pub(crate) fn settings(&self) -> (u8, u8) {
        (self.definition.first, self.definition.second)
    }

    /// Starts the workload.
    pub(crate) fn launch(&self) {
        let now = self.world.time.now();
        self.work(|work| {
            work.starts += 1;
            work.started_at = Some(now);
            work.started_with = work.settings;
            work.lost = false;
        });
    }

    /// Whether the workload has died with the agent and can be continued. That is not a start.
    pub(crate) fn can_continue(&self) -> bool {
        self.is(Wrong::NothingAndContinuesLate)
            && self.work(|work| work.lost && work.ended.is_none())
    }

    /// Ends the workload, so that it is not continued either.
    pub(crate) fn kill(&self, code: i32) {
        let can_continue = self.can_continue();
        self.work(|work| {
            if work.started_at.is_some() && (!work.lost || can_continue) {
                work.ended.get_or_insert(code);
            }
        });
    }

    pub(crate) fn is_running(&self) -> bool {
        self.work(|work| work.is_running())
    }
}

impl Operator {
    /// Changes to a definition that it can change to.
    pub(crate) async fn update_to(&mut self, definition: Plan) -> Result<(), ControllerError> {
        let (begun, dropped) =
            (self.work(|work| work.happened.contains("update begun")), self.has_begun("update"));
        match self.world.wrong {
            Wrong::RejectsEveryUpdate => {
                return Err(ControllerError::update_rejected("never"));
            }
            Wrong::HangsAfterADroppedUpdate if dropped => pending::<()>().await,
            Wrong::ForgetsADroppedUpdate if dropped => return Ok(()),
            Wrong::RejectsAnUpdateThatAnotherHasBegun if begun && !dropped => {
                return Err(ControllerError::update_rejected("it is being changed"));
            }
            _ => {}
        }
        self.begun.push("update");
        self.work(|work| _ = work.happened.insert("update begun"));
        self.pause().await;
        match self.world.wrong {
            Wrong::AppliesHalfOfAnUpdate => self.set(Plan { second: 0, ..definition }),
            Wrong::AcceptsAnUpdateWithoutEffect => {}
            _ => self.set(definition),
        }
        self.pause().await;
        self.definition = definition;
        self.begun.retain(|call| *call != "update");
        Ok(())
    }

    /// Puts a definition in force.
    pub(crate) fn set(&mut self, definition: Plan) {
        self.definition = definition;
        let settings = self.settings();
        self.work(|work| work.settings = work.settings.map(|_| settings));
    }
}

pub(crate) struct KillOnDrop<'a>(pub(crate) &'a Operator);

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        self.0.kill(137);
    }
}
