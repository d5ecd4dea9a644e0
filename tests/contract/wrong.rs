//! A controller that keeps the contract, or breaks it in one place.

use onward::exec::{Assignment, Controller, ControllerError, Executor, Inquiry, Inspection};
use onward::lifecycle::ContainerStatus;
use onward::testing::contract::{InForce, Observation, Subject, UpdatePoint, Workload};
use onward::testing::{Turn, VirtualTime};
use std::collections::{BTreeMap, BTreeSet};
use std::future::{pending, poll_fn};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

/// What is kept of a workload that fails and has no code to tell.
const NO_CODE: i32 = -1;

/// What is wrong with a controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wrong {
    Nothing,
    /// Nothing either: it goes on after a close, as the default does.
    NothingAndHasNothingToClose,
    /// Nothing either: its workloads live in the agent's process, and die with it.
    NothingAndIsMortal,
    NothingIsHandedOut,
    StartsNothing,
    StartsInPrepare,
    IsBusyAfterADroppedPrepare,
    PreparesOnlyOnce,
    IsNeverReady,
    DoesNotKnowWhatAnotherHasPrepared,
    ForgetsADroppedStart,
    StartsAgain,
    DoesNotKnowWhatAnotherHasStarted,
    LeavesWhatADroppedStartHasBegun,
    StartsLateWhatWasDropped,
    DoesNotWait,
    SucceedsWhereItFailed,
    KillsWhereWaitIsDropped,
    TellsTheEndOnlyOnce,
    LosesTheExitCodeOfAnother,
    TellsNoExitCode,
    TellsTheSignalForTheExitCode,
    DoesNotShutDown,
    ShutsDownOnlyWhatWasStarted,
    HangsAfterADroppedShutdown,
    ShutsDownOnlyOnce,
    ShutsDownEverything,
    ShutsDownOnlyItsOwn,
    DoesNotTerminate,
    DoesNotTerminateAfterADroppedShutdown,
    TerminatesOnlyWhatWasStarted,
    TerminatesOnlyWhatObeys,
    LeavesFiles,
    RemovesOnlyWhatIsThere,
    PanicsAfterADroppedRemove,
    RemovesOnlyOnce,
    RemovesOnlyItsOwn,
    LeavesWhatADroppedPrepareHasBegun,
    KillsOnClose,
    HangsOnClose,
    WorksAfterClose,
    ForgetsTheEndWithItsProcess,
    StartsAgainWhatHasEnded,
    WaitsForWhatIsLost,
    WaitsForWhatIsLostUnlessAskedToStartIt,
    HangsWhereItStartsWhatIsLost,
    StartsAgainWhatIsLost,
    CannotShutDownWhatIsLost,
    CannotInspectWhatDoesNotRun,
    HangsOnInspect,
    InspectsNoExitCode,
    FailsOnUpdate,
    StopsForAnUpdate,
    FailsWhereItSucceeded,
    CannotPrepare,
    CannotPrepareWhatIgnoresShutdown,
    RefusesEveryUpdate,
    TakesHalfOfAnUpdate,
    TakesAnUpdateWithoutEffect,
    TakesWhatItMustRefuse,
    TakesHalfOfWhatItRefuses,
    FailsWhereItMustRefuse,
    StopsWhereItRefuses,
    ForgetsADroppedUpdate,
    HangsAfterADroppedUpdate,
    RefusesTheUpdateThatAnotherHasBegun,
    FindsOnlyWhatHasTheDefinitionOfItsStart,
    ListsNothing,
    ListsOnlyWhatRuns,
    HangsWhereItLists,
    ListsWhatWasRemoved,
    ReconcilesNothing,
    ReconcilesOnlyWhatHasEnded,
    LeavesFilesWhereItReconciles,
    ReconcilesOnlyOnce,
    ReconcilesOnlyWhatIsThere,
    HangsAfterADroppedReconcile,
    ReconcilesEverything,
}

/// What a task is: what its workload does, and two settings that an update may change. The
/// second one must stay below 10.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    workload: Workload,
    first: u8,
    second: u8,
}

impl Plan {
    const fn new(workload: Workload) -> Self {
        Self { workload, first: 0, second: 0 }
    }
}

/// The world, and the executor of one kind of controllers in it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) time: VirtualTime,
    wrong: Wrong,
    without: Vec<Workload>,
    without_hooks: bool,
    /// The call of `start` that fails, counted over all tasks.
    failing_start: Option<usize>,
    starts: Arc<AtomicUsize>,
    /// The process before it has died.
    reborn: bool,
    works: Arc<Mutex<BTreeMap<String, Work>>>,
}

/// What there is of one task.
#[derive(Clone, Default)]
struct Work {
    prepared: bool,
    starts: usize,
    started_at: Option<Duration>,
    /// The start has returned.
    is_up: bool,
    ended: Option<i32>,
    /// It has died with its process, or its end was forgotten with it.
    lost: bool,
    /// Somebody who was asked to start it does so now, if nobody else has.
    late: Option<Duration>,
    /// The settings in force, if it was prepared.
    settings: Option<(u8, u8)>,
    /// The settings with which it was started.
    started_with: Option<(u8, u8)>,
    /// What was begun and done, by whichever instance.
    happened: BTreeSet<&'static str>,
}

impl Work {
    fn is_running(&self) -> bool {
        self.started_at.is_some() && self.ended.is_none() && !self.lost
    }
}

impl World {
    pub(crate) fn new(time: &VirtualTime, wrong: Wrong) -> Self {
        Self {
            time: time.clone(),
            wrong,
            without: Vec::new(),
            without_hooks: false,
            failing_start: None,
            starts: Arc::default(),
            reborn: false,
            works: Arc::default(),
        }
    }

    /// The same without such workloads.
    pub(crate) fn without(self, workloads: &[Workload]) -> Self {
        Self { without: workloads.to_vec(), ..self }
    }

    /// The same with a call of `start` that fails, counted over all tasks.
    pub(crate) fn with_failing_start(self, number: usize) -> Self {
        Self { failing_start: Some(number), ..self }
    }

    /// How often `start` was called, of all tasks.
    pub(crate) fn count_starts(&self) -> usize {
        self.starts.load(Ordering::Relaxed)
    }

    /// The same without the hooks that have a default.
    pub(crate) fn without_hooks(self) -> Self {
        Self { without_hooks: true, ..self }
    }

    /// Takes two polls and some time.
    async fn pause(&self) {
        let mut woken = false;
        poll_fn(|context| {
            if std::mem::replace(&mut woken, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let until = self.time.now() + Duration::from_millis(5);
        self.time.sleep_until(until, Turn::Controller).await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Work>> {
        self.works.lock().unwrap()
    }
}

impl Executor for World {
    type Definition = Plan;
    type Controller = Operator;

    async fn controller(&self, assignment: &Assignment<Plan>) -> Result<Operator, ControllerError> {
        if self.wrong == Wrong::NothingIsHandedOut {
            return Err(ControllerError::new("no such kind"));
        }
        let Assignment { id, definition, .. } = assignment.clone();
        Ok(Operator {
            world: self.clone(),
            id,
            definition,
            tries: 0,
            begun: Vec::new(),
            done: Vec::new(),
        })
    }

    async fn found(&self) -> Result<Vec<String>, ControllerError> {
        self.pause().await;
        if self.wrong == Wrong::HangsWhereItLists {
            pending::<()>().await;
        }
        let works = self.lock();
        let is_listed = |work: &Work| match self.wrong {
            Wrong::ListsNothing => false,
            Wrong::ListsOnlyWhatRuns => work.is_running(),
            Wrong::ListsWhatWasRemoved => work.prepared || work.happened.contains("removed"),
            _ => work.prepared,
        };
        let listed = works.iter().filter(|(_, work)| is_listed(work));
        Ok(listed.map(|(id, _)| id.clone()).collect())
    }

    async fn reconcile(&self, id: &str) -> Result<(), ControllerError> {
        // Right executors do that.
        let is_first = |work: &mut Work| work.happened.insert("reconcile tried");
        if is_first(self.lock().entry(id.to_owned()).or_default()) {
            return Err(ControllerError::new("busy").temporary());
        }
        let work = self.lock().entry(id.to_owned()).or_default().clone();
        let has = |what| work.happened.contains(what);
        let (begun, done) = (has("reconcile begun"), has("reconcile done"));
        match self.wrong {
            Wrong::ReconcilesNothing => return Ok(()),
            Wrong::ReconcilesOnlyWhatHasEnded if work.is_running() => return Ok(()),
            Wrong::ReconcilesOnlyOnce if done => return Err("it is gone".into()),
            Wrong::ReconcilesOnlyWhatIsThere if !work.prepared && !begun => {
                return Err("there is nothing".into());
            }
            Wrong::HangsAfterADroppedReconcile if begun && !done => pending::<()>().await,
            _ => {}
        }
        let change = |change: fn(&mut Work)| {
            let mut works = self.lock();
            let of_all = self.wrong == Wrong::ReconcilesEverything;
            works
                .iter_mut()
                .filter(|(other, _)| of_all || *other == id)
                .for_each(|(_, w)| change(w));
        };
        change(|work| _ = work.happened.insert("reconcile begun"));
        self.pause().await;
        change(|work| {
            if work.started_at.is_some() {
                work.ended.get_or_insert(137);
            }
        });
        self.pause().await;
        let leaves = self.wrong == Wrong::LeavesFilesWhereItReconciles && work.is_running();
        if !leaves {
            change(|work| {
                work.prepared = false;
                work.happened.insert("removed");
            });
        }
        change(|work| _ = work.happened.insert("reconcile done"));
        Ok(())
    }
}

impl Subject for World {
    type Executor = Self;

    fn executor(&self) -> &Self {
        self
    }
    fn definition(&self, _: &str, workload: Workload) -> Option<Plan> {
        let exists = !self.without.contains(&workload);
        exists.then_some(Plan::new(workload))
    }
    fn updated_definition(&self, _: &str, workload: Workload, _: UpdatePoint) -> Option<Plan> {
        let plan = Plan { first: 1, second: 1, ..Plan::new(workload) };
        (!self.without_hooks).then_some(plan)
    }
    fn refused_definition(&self, _: &str, workload: Workload, _: UpdatePoint) -> Option<Plan> {
        let plan = Plan { first: 1, second: 10, ..Plan::new(workload) };
        (!self.without_hooks).then_some(plan)
    }
    fn reconciler(&self) -> Option<Self> {
        (!self.without_hooks).then(|| self.clone())
    }
    fn restarted(&self) -> Option<Self> {
        if self.without_hooks {
            return None;
        }
        let dies = [
            Wrong::NothingAndIsMortal,
            Wrong::WaitsForWhatIsLost,
            Wrong::WaitsForWhatIsLostUnlessAskedToStartIt,
            Wrong::HangsWhereItStartsWhatIsLost,
            Wrong::StartsAgainWhatIsLost,
            Wrong::CannotShutDownWhatIsLost,
        ];
        for work in self.lock().values_mut().filter(|work| work.started_at.is_some()) {
            work.lost |= match work.ended {
                None => dies.contains(&self.wrong),
                Some(_) => self.wrong == Wrong::ForgetsTheEndWithItsProcess,
            };
        }
        Some(Self { reborn: true, ..self.clone() })
    }
    fn observe(&self, id: &str) -> Observation {
        let work = self.lock().get(id).cloned().unwrap_or_default();
        let late = work.late.is_some_and(|late| late <= self.time.now());
        let running = work.is_running() || late && work.started_at.is_none();
        Observation::default()
            .with_starts(work.starts)
            .with_running(running)
            .with_remains(work.prepared)
            .with_in_force(work.settings.map(|settings| match settings {
                (0, 0) => InForce::Original,
                (1, 1 | 10) => InForce::Updated,
                _ => InForce::Mixed,
            }))
    }
}

pub(crate) struct Operator {
    world: World,
    id: String,
    definition: Plan,
    tries: u32,
    /// What this instance has begun, and what it has done.
    begun: Vec<&'static str>,
    done: Vec<&'static str>,
}

impl Operator {
    fn is(&self, wrong: Wrong) -> bool {
        self.world.wrong == wrong
    }

    fn has_begun(&self, call: &str) -> bool {
        self.begun.contains(&call)
    }

    fn has_done(&self, call: &str) -> bool {
        self.done.contains(&call)
    }

    /// The workload was started by this instance.
    fn is_its_own(&self) -> bool {
        self.has_begun("start")
    }

    fn check_open(&self) -> Result<(), ControllerError> {
        let closed = self.has_begun("close") && !self.is(Wrong::NothingAndHasNothingToClose);
        if closed { Err(ControllerError::closed()) } else { Ok(()) }
    }

    fn work<R>(&self, change: impl FnOnce(&mut Work) -> R) -> R {
        change(self.world.lock().entry(self.id.clone()).or_default())
    }

    async fn pause(&self) {
        self.world.pause().await;
    }

    fn settings(&self) -> (u8, u8) {
        (self.definition.first, self.definition.second)
    }

    /// Starts the workload.
    fn launch(&self) {
        let now = self.world.time.now();
        self.work(|work| {
            work.starts += 1;
            work.started_at = Some(now);
            work.started_with = work.settings;
            work.lost = false;
        });
    }

    /// Ends what runs.
    fn kill(&self, code: i32) {
        self.work(|work| {
            if work.started_at.is_some() && !work.lost {
                work.ended.get_or_insert(code);
            }
        });
    }

    fn is_running(&self) -> bool {
        self.work(|work| work.is_running())
    }
}

impl Operator {
    /// Takes a definition that it can take.
    async fn update_to(&mut self, definition: Plan) -> Result<(), ControllerError> {
        let (begun, dropped) =
            (self.work(|work| work.happened.contains("update begun")), self.has_begun("update"));
        match self.world.wrong {
            Wrong::RefusesEveryUpdate => {
                return Err(ControllerError::update_rejected("never"));
            }
            Wrong::HangsAfterADroppedUpdate if dropped => pending::<()>().await,
            Wrong::ForgetsADroppedUpdate if dropped => return Ok(()),
            Wrong::RefusesTheUpdateThatAnotherHasBegun if begun && !dropped => {
                return Err(ControllerError::update_rejected("it is being changed"));
            }
            _ => {}
        }
        self.begun.push("update");
        self.work(|work| _ = work.happened.insert("update begun"));
        self.pause().await;
        match self.world.wrong {
            Wrong::TakesHalfOfAnUpdate => self.set(Plan { second: 0, ..definition }),
            Wrong::TakesAnUpdateWithoutEffect => {}
            _ => self.set(definition),
        }
        self.pause().await;
        self.definition = definition;
        self.begun.retain(|call| *call != "update");
        Ok(())
    }

    /// Puts a definition in force.
    fn set(&mut self, definition: Plan) {
        self.definition = definition;
        let settings = self.settings();
        self.work(|work| work.settings = work.settings.map(|_| settings));
    }
}

struct KillOnDrop<'a>(&'a Operator);

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        self.0.kill(137);
    }
}

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
                Wrong::TakesWhatItMustRefuse => self.set(*definition),
                Wrong::TakesHalfOfWhatItRefuses => {
                    self.set(Plan { second: 0, ..*definition });
                    return refused();
                }
                Wrong::FailsWhereItMustRefuse => return Err("not that".into()),
                Wrong::StopsWhereItRefuses => {
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
            || self.is(Wrong::CannotPrepareWhatIgnoresShutdown) && ignores_shutdown
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
        if self.is(Wrong::DoesNotKnowWhatAnotherHasPrepared) && is_anothers {
            return Err("something is there".into());
        }
        if self.is(Wrong::IsNeverReady) && self.has_done("prepare") {
            return Err(ControllerError::new("not yet").temporary());
        }
        self.pause().await;
        // Right controllers do that.
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
        if self.is(Wrong::StartsLateWhatWasDropped) {
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
        if self.is(Wrong::DoesNotKnowWhatAnotherHasStarted) && is_anothers {
            return Err("something runs".into());
        }
        if lost && self.is(Wrong::HangsWhereItStartsWhatIsLost) {
            pending::<()>().await;
        }
        self.begun.push("start");
        let unknown = started_with.is_some_and(|settings| settings != self.settings());
        if self.is(Wrong::FindsOnlyWhatHasTheDefinitionOfItsStart) && is_anothers && unknown {
            return Err("something else runs".into());
        }
        let again = match self.world.wrong {
            Wrong::ForgetsADroppedStart => !is_up,
            Wrong::StartsAgain => self.has_done("start"),
            Wrong::StartsAgainWhatHasEnded => self.world.reborn && ended.is_some(),
            Wrong::StartsAgainWhatIsLost => lost,
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
        let Work { started_at, ended, lost, .. } = self.work(|work| work.clone());
        let waits = self.is(Wrong::WaitsForWhatIsLost)
            || self.is(Wrong::WaitsForWhatIsLostUnlessAskedToStartIt) && !self.is_its_own();
        if lost && !waits {
            return Err("it is lost with its agent".into());
        }
        if ended.is_none() {
            let guard = self.is(Wrong::KillsWhereWaitIsDropped).then(|| KillOnDrop(self));
            let code = match self.definition.workload {
                Workload::Exits(code) => code,
                Workload::Fails => NO_CODE,
                Workload::DiesOfSignal(n) if self.is(Wrong::TellsTheSignalForTheExitCode) => n,
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
        let told_before = self.has_done("wait");
        self.done.push("wait");
        let error = ControllerError::new("it failed");
        if code == 0 && self.is(Wrong::FailsWhereItSucceeded) {
            return Err(error);
        }
        if code == 0
            || self.is(Wrong::SucceedsWhereItFailed)
            || self.is(Wrong::TellsTheEndOnlyOnce) && told_before
        {
            return Ok(());
        }
        let unknown = code == NO_CODE
            || self.is(Wrong::TellsNoExitCode) && self.definition.workload == Workload::Exits(code)
            || self.is(Wrong::LosesTheExitCodeOfAnother) && !self.is_its_own();
        Err(if unknown { error } else { error.with_exit_code(code) })
    }

    async fn shutdown(&mut self) -> Result<(), ControllerError> {
        if self.is(Wrong::WorksAfterClose) && self.has_begun("close") {
            return Ok(());
        }
        self.check_open()?;
        if self.is(Wrong::ShutsDownOnlyWhatWasStarted)
            && self.work(|work| work.started_at.is_none())
        {
            return Err("there is nothing to shut down".into());
        }
        if self.is(Wrong::CannotShutDownWhatIsLost) && self.work(|work| work.lost) {
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
            || self.is(Wrong::LeavesWhatADroppedStartHasBegun) && start_dropped
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
        if self.is(Wrong::TerminatesOnlyWhatWasStarted)
            && self.work(|work| work.started_at.is_none())
        {
            return Err("there is nothing to terminate".into());
        }
        let disobeyed = self.definition.workload == Workload::IgnoresShutdown && self.is_running();
        if self.is(Wrong::TerminatesOnlyWhatObeys) && disobeyed {
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
        if self.is(Wrong::RemovesOnlyWhatIsThere)
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
            || self.is(Wrong::LeavesWhatADroppedPrepareHasBegun) && prepare_dropped;
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
            if self.is(Wrong::CannotInspectWhatDoesNotRun) {
                let failed = Inquiry::<ContainerStatus>::Failed("no such container".into());
                return Inspection::default().with_container_status(failed);
            }
            return Inspection::default();
        }
        let told = ended.filter(|_| !self.is(Wrong::InspectsNoExitCode));
        let exit_code = told.unwrap_or(0);
        let container = ContainerStatus { container_id: self.id.clone(), pid: 1, exit_code };
        Inspection::default().with_container_status(container)
    }
}
