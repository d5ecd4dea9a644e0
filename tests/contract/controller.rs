//! A controller that keeps the contract, or breaks it in one place: its operations.

use crate::operator::{KillOnDrop, Operator};
use crate::plan::Plan;
use crate::world::Work;
use crate::wrong::Wrong;
use onward::exec::{Controller, ControllerError, Inspected, Inspection};
use onward::lifecycle::ContainerStatus;
use onward::testing::Turn;
use onward::testing::contract::Workload;
use std::future::pending;
use std::panic::resume_unwind;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The stored exit code of a failed workload without an exit code.
const NO_CODE: i32 = -1;

impl Controller for Operator {
    type Definition = Plan;

    async fn update(&mut self, definition: &Plan) -> Result<(), ControllerError> {
        self.check_open()?;
        self.pause().await;
        if self.is(Wrong::FailsOnUpdate) && self.is_running() && *definition == self.definition {
            return Err(ControllerError::new("it runs"));
        }
        if *definition == self.definition {
            if self.is(Wrong::StopsForAnUpdate) && self.definition.workload == Workload::Runs {
                self.kill(137);
            }
            return Ok(());
        }
        let refused = || Err(ControllerError::update_rejected("not that"));
        if definition.second >= 10 || definition.workload != self.definition.workload {
            match self.world.wrong {
                Wrong::AcceptsAnUpdateThatItMustReject => self.set(*definition),
                Wrong::AppliesHalfOfARejectedUpdate => {
                    self.set(Plan { second: 0, ..*definition });
                    return refused();
                }
                Wrong::FailsInsteadOfRejectingAnUpdate => return Err("not that".into()),
                Wrong::StopsWhenItRejectsAnUpdate => {
                    self.kill(137);
                    return refused();
                }
                _ => return refused(),
            }
            return Ok(());
        }
        self.update_to(*definition).await
    }

    async fn prepare(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        let ignores_shutdown = self.definition.workload == Workload::IgnoresShutdown;
        if self.is(Wrong::CannotPrepare)
            || self.is(Wrong::CannotPrepareIfItIgnoresShutdown) && ignores_shutdown
        {
            return Err("there is no room".into());
        }
        let dropped = self.has_begun("prepare") && !self.has_done("prepare");
        if self.is(Wrong::IsBusyAfterADroppedPrepare) && dropped {
            return Err("it is being prepared".into());
        }
        if self.is(Wrong::PreparesOnlyOnce) && self.has_done("prepare") {
            return Err("it was prepared twice".into());
        }
        let is_anothers = self.work(|work| work.prepared) && !self.has_begun("prepare");
        if self.is(Wrong::FailsIfAnotherHasPrepared) && is_anothers {
            return Err("something is there".into());
        }
        if self.is(Wrong::IsNeverReady) && self.has_done("prepare") {
            return Err(ControllerError::new("not yet").temporary());
        }
        self.pause().await;
        // A correct controller counts too.
        self.tries += 1;
        if self.tries == 1 {
            return Err(ControllerError::new("busy").temporary());
        }
        self.begun.push("prepare");
        let before = self.work(|work| std::mem::replace(&mut work.prepared, true));
        let settings = self.settings();
        self.work(|work| _ = work.settings.get_or_insert(settings));
        if self.is(Wrong::StartsInPrepare) && !before {
            self.launch();
        }
        self.pause().await;
        self.done.push("prepare");
        if before { Err(ControllerError::already_prepared()) } else { Ok(()) }
    }

    async fn start(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        let number = self.world.starts.fetch_add(1, Ordering::Relaxed) + 1;
        if self.world.failing_start == Some(number) {
            return Err("it lost a race".into());
        }
        if self.is(Wrong::StartsLateAfterADroppedStart) {
            let late = self.world.time.now() + Duration::from_millis(500);
            self.work(|work| work.late = work.late.or(Some(late)));
        }
        self.pause().await;
        if !self.work(|work| work.prepared) {
            return Err("it is not prepared".into());
        }
        let Work { started_at, is_up, ended, lost, started_with, .. } =
            self.work(|work| work.clone());
        let is_anothers = started_at.is_some() && !self.is_its_own();
        if self.is(Wrong::FailsIfAnotherHasStarted) && is_anothers {
            return Err("something runs".into());
        }
        if lost && self.is(Wrong::HangsInStartOfALostWorkload) {
            pending::<()>().await;
        }
        self.begun.push("start");
        let unknown = started_with.is_some_and(|settings| settings != self.settings());
        if self.is(Wrong::FindsOnlyTasksWithTheOriginalDefinition) && is_anothers && unknown {
            return Err("something else runs".into());
        }
        let again = match self.world.wrong {
            Wrong::ForgetsADroppedStart => !is_up,
            Wrong::StartsAgain => self.has_done("start"),
            Wrong::StartsAnEndedWorkloadAgain => self.world.reborn && ended.is_some(),
            Wrong::StartsALostWorkloadAgain => lost,
            _ => false,
        };
        let starts = !self.is(Wrong::StartsNothing);
        if starts && (started_at.is_none() || again) {
            self.launch();
        }
        self.pause().await;
        self.work(|work| work.is_up = true);
        self.done.push("start");
        if started_at.is_some() { Err(ControllerError::already_started()) } else { Ok(()) }
    }

    async fn wait(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        if self.can_continue() {
            let late = self.world.time.now() + Duration::from_millis(300);
            self.world.time.sleep_until(late, Turn::Controller).await;
            self.work(|work| work.lost = false);
        }
        let Work { started_at, ended, lost, .. } = self.work(|work| work.clone());
        let waits = self.is(Wrong::WaitsForALostWorkload)
            || self.is(Wrong::WaitsForALostWorkloadUnlessStartIsCalled) && !self.is_its_own();
        if lost && !waits {
            return Err("it is lost with its agent".into());
        }
        if ended.is_none() {
            let guard = self.is(Wrong::KillsIfWaitIsDropped).then(|| KillOnDrop(self));
            let code = match self.definition.workload {
                Workload::Exits(code) => code,
                Workload::Fails => NO_CODE,
                Workload::DiesOfSignal(n) if self.is(Wrong::ReturnsTheSignalAsExitCode) => n,
                Workload::DiesOfSignal(signal) => 128 + signal,
                _ if self.is(Wrong::DoesNotWait) => return Ok(()),
                _ => pending().await,
            };
            let end = started_at.unwrap_or_default() + Duration::from_millis(20);
            self.world.time.sleep_until(end, Turn::Controller).await;
            std::mem::forget(guard);
            self.kill(code);
        }
        let code = self.work(|work| work.ended).unwrap_or(0);
        self.pause().await;
        let returned_before = self.has_done("wait");
        self.done.push("wait");
        let error = ControllerError::new("it failed");
        if code == 0 && self.is(Wrong::WaitFailsAfterASuccess) {
            return Err(error);
        }
        if code == 0
            || self.is(Wrong::WaitSucceedsAfterAFailure)
            || self.is(Wrong::ReturnsTheResultOnlyOnce) && returned_before
        {
            return Ok(());
        }
        let unknown = code == NO_CODE
            || self.is(Wrong::ReturnsNoExitCode)
                && self.definition.workload == Workload::Exits(code)
            || self.is(Wrong::LosesTheExitCodeOfAnother) && !self.is_its_own();
        Err(if unknown { error } else { error.with_exit_code(code) })
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        if self.is(Wrong::WorksAfterClose) && self.has_begun("close") {
            return Ok(());
        }
        self.check_open()?;
        if self.is(Wrong::ShutsDownOnlyStartedTasks) && self.work(|work| work.started_at.is_none())
        {
            return Err("there is nothing to shut down".into());
        }
        if self.is(Wrong::CannotShutDownALostWorkload) && self.work(|work| work.lost) {
            return Err("it is lost with its agent".into());
        }
        let dropped = self.has_begun("shutdown") && !self.has_done("shutdown");
        if self.is(Wrong::HangsAfterADroppedShutdown) && dropped {
            pending::<()>().await;
        }
        if self.is(Wrong::ShutsDownOnlyOnce) && self.has_done("shutdown") {
            return Err("it was shut down twice".into());
        }
        self.begun.push("shutdown");
        self.pause().await;
        let start_dropped = self.has_begun("start") && !self.has_done("start");
        let leaves = self.is(Wrong::DoesNotShutDown)
            || self.is(Wrong::LeavesTheWorkloadOfADroppedStart) && start_dropped
            || self.is(Wrong::ShutsDownOnlyItsOwn) && !self.is_its_own();
        if self.definition.workload == Workload::IgnoresShutdown && self.is_running() {
            pending::<()>().await;
        }
        if self.is(Wrong::ShutsDownEverything) {
            let mut works = self.world.lock();
            let running = works.values_mut().filter(|work| work.is_running());
            running.for_each(|work| work.ended = Some(143));
        }
        if !leaves {
            self.kill(143);
        }
        self.pause().await;
        self.done.push("shutdown");
        Ok(())
    }

    async fn terminate(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        if self.is(Wrong::TerminatesOnlyStartedTasks) && self.work(|work| work.started_at.is_none())
        {
            return Err("there is nothing to terminate".into());
        }
        let disobeyed = self.definition.workload == Workload::IgnoresShutdown && self.is_running();
        if self.is(Wrong::TerminatesOnlyIfShutdownIsObeyed) && disobeyed {
            pending::<()>().await;
        }
        let leaves = self.is(Wrong::DoesNotTerminate)
            || self.is(Wrong::DoesNotTerminateAfterADroppedShutdown) && self.has_begun("shutdown");
        if !leaves {
            self.kill(137);
        }
        self.pause().await;
        Ok(())
    }

    async fn remove(&mut self) -> Result<(), ControllerError> {
        self.check_open()?;
        if self.is(Wrong::RemovesOnlyExistingTasks)
            && self.work(|work| !work.prepared)
            && !self.has_begun("remove")
        {
            return Err("there is nothing to remove".into());
        }
        let dropped = self.has_begun("remove") && !self.has_done("remove");
        if self.is(Wrong::PanicsAfterADroppedRemove) && dropped {
            resume_unwind(Box::new("it is being removed"));
        }
        if self.is(Wrong::RemovesOnlyOnce) && self.has_done("remove") {
            return Err("it was removed twice".into());
        }
        if self.is(Wrong::RemovesOnlyItsOwn) && self.is_running() && !self.is_its_own() {
            return Err("it is another's".into());
        }
        self.begun.push("remove");
        self.pause().await;
        let was_running = self.is_running();
        self.kill(137);
        let prepare_dropped = self.has_begun("prepare") && !self.has_done("prepare");
        let leaves = self.is(Wrong::LeavesFiles) && was_running
            || self.is(Wrong::LeavesFilesOfADroppedPrepare) && prepare_dropped;
        if !leaves {
            self.work(|work| {
                work.prepared = false;
                work.happened.insert("removed");
            });
        }
        self.pause().await;
        self.done.push("remove");
        Ok(())
    }

    async fn close(&mut self) -> Result<(), ControllerError> {
        self.begun.push("close");
        if self.is(Wrong::HangsOnClose) {
            pending::<()>().await;
        }
        if self.is(Wrong::KillsOnClose) {
            self.kill(137);
        }
        Ok(())
    }

    async fn inspect(&mut self) -> Inspection {
        if self.is(Wrong::HangsOnInspect) && self.is_running() {
            pending::<()>().await;
        }
        self.pause().await;
        let Work { started_at, ended, .. } = self.work(|work| work.clone());
        if started_at.is_none() {
            if self.is(Wrong::CannotInspectBeforeTheStart) {
                let failed = Inspected::<ContainerStatus>::Failed("no such container".into());
                return Inspection::default().with_container_status(failed);
            }
            return Inspection::default();
        }
        let exit_code = ended.filter(|_| !self.is(Wrong::InspectsNoExitCode));
        let container_id = self.id.clone();
        let container = ContainerStatus { container_id, pid: Some(1), exit_code };
        Inspection::default().with_container_status(container)
    }
}
