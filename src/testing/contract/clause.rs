//! `Clause`: the clauses of the contract, with their names, their texts, and their places
//! in the documentation.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

macro_rules! clauses {
    ($($clause:ident $name:literal after $stage:ident [$($base:ident)*] $source:literal $text:literal)*) => {
        /// A clause of the contract of [`Controller`](crate::Controller) and
        /// [`Executor`](crate::Executor).
        ///
        /// If a clause requires an operation to succeed, "already prepared" and "already
        /// started" are successes too. If an operation fails with a temporary error, the kit
        /// calls it again.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[cfg_attr(
            feature = "serde",
            derive(serde::Serialize, serde::Deserialize),
            serde(rename_all = "kebab-case")
        )]
        #[non_exhaustive]
        pub enum Clause {
            $(#[doc = $text] $clause,)*
        }

        impl Clause {
            /// All clauses, in the order in which the kit checks them.
            pub const ALL: &[Self] = &[$(Self::$clause),*];

            /// The name of the clause, for example `terminate-forces`.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$clause => $name,)*
                }
            }

            /// What the contract requires, in one or two sentences.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$clause => $text,)*
                }
            }

            /// The place in the documentation with this part of the contract: a method, for
            /// example `onward::Controller::start`; a section, for example
            /// `onward::Controller#the-contract`; or a trait, for example
            /// `onward::Executor`.
            pub const fn documented_at(self) -> &'static str {
                match self {
                    $(Self::$clause => concat!("onward::", $source),)*
                }
            }

            /// The last of the [basic clauses](Self::BASIC) that this clause needs. If a
            /// basic clause up to this one is broken, this clause cannot be checked.
            const fn stage(self) -> Self {
                match self {
                    $(Self::$clause => Self::$stage,)*
                }
            }

            /// The other clauses that this clause needs. If one of them is broken, this
            /// clause is not checked, because its breach would have the same cause.
            const fn bases(self) -> &'static [Self] {
                match self {
                    $(Self::$clause => &[$(Self::$base),*],)*
                }
            }
        }
    };
}

clauses! {
    ControllerMade "controller-made" after ControllerMade [] "Executor::controller"
        "`Executor::controller` makes a controller for a definition that the executor supports."
    PrepareSucceeds "prepare-succeeds" after ControllerMade [] "Controller::prepare"
        "`prepare` of a new task succeeds."
    StartRuns "start-runs" after PrepareSucceeds [] "Controller::start"
        "`start` after `prepare` succeeds, and the workload runs when it returns."
    Life "life" after StartRuns [] "Controller#the-contract"
        "`prepare`, `start` and `wait`, called in this order, succeed for a workload that exits with 0, and start it once."
    PrepareStartsNothing "prepare-starts-nothing" after PrepareSucceeds [] "Controller::prepare"
        "`prepare` does not start the workload: a task can wait in READY."
    PrepareDropped "prepare-dropped" after StartRuns [] "Controller::prepare"
        "If the future of `prepare` is dropped after any number of polls, the next call of `prepare` succeeds, and so does the rest of the task's life."
    PrepareRepeated "prepare-repeated" after StartRuns [] "Controller::prepare"
        "`prepare` succeeds if it has succeeded before."
    PrepareNewController "prepare-new-controller" after StartRuns [PrepareDropped PrepareRepeated] "Controller#the-contract"
        "`prepare` of a new controller succeeds if another one has prepared the task, or was dropped while it did."
    StartDropped "start-dropped" after StartRuns [] "Controller::start"
        "If the future of `start` is dropped after any number of polls, the next call of `start` succeeds. The workload is never started twice."
    StartRepeated "start-repeated" after StartRuns [] "Controller::start"
        "`start` succeeds if it has succeeded before, and does not start the workload again."
    StartNewController "start-new-controller" after StartRuns [StartDropped StartRepeated] "Controller#the-contract"
        "`start` of a new controller succeeds if another one has prepared or started the task, or was dropped while it started it. The workload is never started twice."
    WaitWhileRunning "wait-while-running" after StartRuns [] "Controller::wait"
        "`wait` does not return while the workload runs."
    WaitReportsFailure "wait-reports-failure" after StartRuns [] "Controller::wait"
        "`wait` fails with an error that is not temporary if the workload has failed."
    WaitDropped "wait-dropped" after StartRuns [WaitWhileRunning] "Controller::wait"
        "If the future of `wait` is dropped after any number of polls, the workload runs on, and the next call returns the same as without the drop."
    WaitRepeated "wait-repeated" after StartRuns [] "Controller::wait"
        "`wait` returns the same result each time it is called."
    WaitNewController "wait-new-controller" after StartRuns [WaitRepeated WaitDropped] "Controller#the-contract"
        "`wait` of a new controller returns the same result, whether the workload ended before or after the controller was made."
    WaitExitCode "wait-exit-code" after StartRuns [WaitReportsFailure] "Controller::wait"
        "The error of `wait` has the exit code of a workload that has failed."
    WaitSignalExitCode "wait-signal-exit-code" after StartRuns [WaitReportsFailure] "Controller::wait"
        "The error of `wait` has the exit code 128 + n if signal n has ended the workload."
    ShutdownEnds "shutdown-ends" after StartRuns [] "Controller::shutdown"
        "`shutdown` returns when the workload has ended."
    ShutdownOfNothing "shutdown-of-nothing" after StartRuns [] "Controller::shutdown"
        "`shutdown` succeeds if there is nothing to end: the task was never prepared, was never started, or has ended."
    ShutdownDropped "shutdown-dropped" after StartRuns [ShutdownEnds] "Controller::shutdown"
        "If the future of `shutdown` is dropped after any number of polls, the next call of `shutdown` ends the workload."
    ShutdownRepeated "shutdown-repeated" after StartRuns [ShutdownEnds] "Controller::shutdown"
        "`shutdown` succeeds if it has succeeded before."
    ShutdownNewController "shutdown-new-controller" after StartRuns [ShutdownEnds ShutdownOfNothing ShutdownDropped ShutdownRepeated] "Controller#the-contract"
        "`shutdown` of a new controller ends the workload that another one has started, even if that one was dropped during its `shutdown`."
    ShutdownAfterDroppedStart "shutdown-after-dropped-start" after StartRuns [ShutdownEnds ShutdownOfNothing] "Controller::start"
        "`shutdown` after a dropped `start` ends the workload that the dropped `start` has begun to start."
    TerminateEnds "terminate-ends" after StartRuns [] "Controller::terminate"
        "`terminate` returns when the workload has ended, even after a dropped `shutdown`."
    TerminateForces "terminate-forces" after StartRuns [TerminateEnds] "Controller::terminate"
        "`terminate` ends a workload that ignores `shutdown`."
    TerminateOfNothing "terminate-of-nothing" after StartRuns [] "Controller::terminate"
        "`terminate` succeeds if there is nothing to end: the task was never prepared, was never started, or has ended."
    RemoveLeavesNothing "remove-leaves-nothing" after StartRuns [] "Controller::remove"
        "`remove` leaves nothing of a task that is prepared, runs or has ended, even if it was not shut down before."
    RemoveOfNothing "remove-of-nothing" after ControllerMade [] "Controller::remove"
        "`remove` succeeds if the task was never prepared."
    RemoveDropped "remove-dropped" after StartRuns [RemoveLeavesNothing] "Controller::remove"
        "If the future of `remove` is dropped after any number of polls, the next call of `remove` leaves nothing."
    RemoveRepeated "remove-repeated" after StartRuns [RemoveLeavesNothing] "Controller::remove"
        "`remove` succeeds if it has succeeded before."
    RemoveNewController "remove-new-controller" after StartRuns [RemoveLeavesNothing RemoveOfNothing RemoveDropped RemoveRepeated] "Controller#the-contract"
        "`remove` of a new controller leaves nothing of the task that another one has started, even if that one was dropped during its `remove`."
    RemoveAfterDroppedCall "remove-after-dropped-call" after StartRuns [RemoveLeavesNothing RemoveOfNothing] "Controller::remove"
        "`remove` after a dropped `prepare` or a dropped `start` removes everything that the dropped call has begun."
    CloseKeepsWorkload "close-keeps-workload" after StartRuns [StartNewController] "Controller::close"
        "`close` keeps the workload and everything that `prepare` has made: a new controller continues the task."
    CallsAfterClose "calls-after-close" after StartRuns [CloseKeepsWorkload] "Controller::close"
        "After `close`, either every operation fails with `closed`, or all work as before."
    RestartKeepsResult "restart-keeps-result" after StartRuns [StartDropped StartRepeated StartNewController WaitRepeated WaitDropped WaitNewController] "Controller#the-contract"
        "If the agent's process dies after the workload has ended, `wait` returns the same result afterwards, and `start` does not start the workload again."
    RestartStartsOnce "restart-starts-once" after StartRuns [StartDropped StartRepeated StartNewController] "Controller#the-contract"
        "If the agent's process dies after any number of polls of `start`, the next `start` does not start the workload a second time."
    RestartReportsLostWorkload "restart-reports-lost-workload" after StartRuns [RestartStartsOnce StartDropped StartRepeated StartNewController ShutdownEnds ShutdownNewController TerminateEnds RemoveLeavesNothing RemoveNewController] "Controller#the-contract"
        "If a workload dies with the agent's process, `wait` fails with an error that is not temporary or continues the workload, `start` does not start the workload again, and `shutdown`, `terminate` and `remove` succeed."
    OtherTasksUntouched "other-tasks-untouched" after StartRuns [WaitWhileRunning ShutdownEnds ShutdownNewController TerminateEnds RemoveLeavesNothing CloseKeepsWorkload] "Controller#the-contract"
        "The operations of one task do not change other tasks."
    InspectSucceeds "inspect-succeeds" after StartRuns [] "Controller::inspect"
        "`inspect` returns soon and without an error in every state of the task."
    InspectExitCode "inspect-exit-code" after StartRuns [] "Controller::inspect"
        "When the workload has ended, `inspect` returns the exit code that `wait` returned."
    UpdateUnchanged "update-unchanged" after StartRuns [] "Controller::update"
        "`update` with an equal definition succeeds or fails with `update_rejected`, and the task goes on."
    UpdateTaken "update-taken" after StartRuns [] "Controller::update"
        "`update` succeeds with a definition that the controller can change to. All of that definition is in force afterwards, and the task goes on."
    UpdateRefused "update-refused" after StartRuns [] "Controller::update"
        "`update` fails with `update_rejected` if it cannot change to all of the definition. Nothing of that definition is in force afterwards, and the task goes on."
    UpdateDropped "update-dropped" after StartRuns [UpdateUnchanged UpdateTaken] "Controller::update"
        "If the future of `update` is dropped after any number of polls, the next call with the same definition succeeds, and all of it is in force."
    UpdateNewController "update-new-controller" after StartRuns [WaitWhileRunning UpdateUnchanged UpdateTaken UpdateRefused UpdateDropped StartNewController ShutdownEnds ShutdownNewController] "Controller#the-contract"
        "After `update`, a controller made with the new definition finds the workload. After a dropped `update`, and after one that the agent has not stored, a controller made with the old definition takes the new one. After a refused `update`, a controller made with the old definition finds the workload."
    ListExisting "list-existing" after StartRuns [] "Executor"
        "The executor lists the id of each task of which something exists: it is prepared, runs, or has ended and was not removed."
    ReconcileRemoves "reconcile-removes" after StartRuns [] "Executor::reconcile"
        "`reconcile` ends the workload of a task that is not assigned, and leaves nothing of the task."
    ReconcileRepeated "reconcile-repeated" after StartRuns [ReconcileRemoves] "Executor::reconcile"
        "`reconcile` succeeds if it has succeeded before, and if there is nothing to remove."
    ReconcileDropped "reconcile-dropped" after StartRuns [ReconcileRemoves] "Executor::reconcile"
        "If the future of `reconcile` is dropped after any number of polls, the next call of `reconcile` leaves nothing."
    ReconcileOtherTasks "reconcile-other-tasks" after StartRuns [WaitWhileRunning] "Executor::reconcile"
        "`reconcile` does not change a task that it was not called for."
    ListRemoved "list-removed" after StartRuns [ListExisting RemoveLeavesNothing ReconcileRemoves] "Executor"
        "The executor does not list a task after `remove` or `reconcile`."
    NothingComesBack "nothing-comes-back" after StartRuns [RestartStartsOnce RestartReportsLostWorkload StartNewController ShutdownEnds RemoveLeavesNothing RemoveOfNothing RemoveDropped RemoveRepeated RemoveNewController RemoveAfterDroppedCall] "Controller#the-contract"
        "After a task was removed, no earlier operation takes effect any more."
}

impl Clause {
    /// The clauses about the beginning of a task's life, in their order. Most other clauses
    /// need these up to a certain one. No clause needs `life`.
    const BASIC: [Self; 3] = [Self::ControllerMade, Self::PrepareSucceeds, Self::StartRuns];

    /// The first of the broken clauses without which this one cannot be checked.
    pub(super) fn blocked_by(self, broken: &[Self]) -> Option<Self> {
        let stages = Self::BASIC.into_iter().filter(|basic| *basic <= self.stage());
        let mut needed = stages.chain(self.bases().iter().copied());
        needed.find(|needed| *needed != self && broken.contains(needed))
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Clause {
    type Err = UnknownClauseError;

    fn from_str(name: &str) -> Result<Self, UnknownClauseError> {
        let mut all = Self::ALL.iter().copied();
        all.find(|clause| clause.as_str() == name).ok_or_else(|| UnknownClauseError(name.into()))
    }
}

/// The error for a name that is not a clause. Its text lists all names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownClauseError(String);

impl fmt::Display for UnknownClauseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no clause is called {:?}; the clauses are", self.0)?;
        let mut separator = " ";
        for clause in Clause::ALL {
            write!(f, "{separator}{clause}")?;
            separator = ", ";
        }
        Ok(())
    }
}

impl core::error::Error for UnknownClauseError {}
