//! The clauses of the contract.

use core::fmt;

macro_rules! clauses {
    ($($clause:ident $name:literal [$($base:ident)*] $text:literal)*) => {
        /// A clause of the contract of [`Controller`](crate::Controller).
        ///
        /// Where it says that an operation succeeds, an answer that is as good as
        /// success is one: already prepared, already started. One that fails
        /// temporarily, or is interrupted, is called again.
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
            /// All of them, in the order in which they are checked.
            pub const ALL: &[Self] = &[$(Self::$clause),*];

            /// The name, in lower case with hyphens.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$clause => $name,)*
                }
            }

            /// What it says.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$clause => $text,)*
                }
            }

            /// The clauses without which this one says nothing, apart from
            /// [`Life`](Self::Life): where one of them is broken, it is not checked.
            pub(super) const fn rests_on(self) -> &'static [Self] {
                match self {
                    $(Self::$clause => &[$(Self::$base),*],)*
                }
            }
        }
    };
}

clauses! {
    Life "life" []
        "`prepare`, `start` and `wait`, called in this order, take a task to its end, and start its workload once."
    PrepareStartsNothing "prepare-starts-nothing" []
        "`prepare` starts nothing: a task can wait in READY."
    PrepareDropped "prepare-dropped" []
        "`prepare` that was dropped after any number of polls is called again, and succeeds; the task goes on."
    PrepareRepeated "prepare-repeated" []
        "`prepare` succeeds where it has succeeded before."
    PrepareTakenUp "prepare-taken-up" [PrepareDropped PrepareRepeated]
        "`prepare` of another instance succeeds where one has prepared the task, or has begun to."
    StartDropped "start-dropped" []
        "`start` that was dropped after any number of polls is called again, and succeeds; it never starts the workload twice."
    StartRepeated "start-repeated" []
        "`start` succeeds where it has succeeded before, and does not start the workload again."
    StartTakenUp "start-taken-up" [StartDropped StartRepeated]
        "`start` of another instance succeeds where one has prepared or started the task, or has begun to start it; it never starts the workload twice."
    WaitRunning "wait-running" []
        "`wait` does not return while the workload runs."
    WaitFails "wait-fails" []
        "`wait` answers an error that is not temporary for a workload that has ended badly."
    WaitDropped "wait-dropped" [WaitRunning]
        "`wait` that was dropped after any number of polls is called again, and answers as if it had not been; the workload runs on."
    WaitRepeated "wait-repeated" []
        "`wait` answers the same however often it is asked."
    WaitTakenUp "wait-taken-up" [WaitRepeated WaitDropped]
        "`wait` of another instance answers the same, before and after the end."
    ExitCode "exit-code" [WaitFails]
        "The error of `wait` has the exit code of a workload that has ended badly."
    SignalExitCode "signal-exit-code" [WaitFails]
        "The error of `wait` has the exit code 128 + n of a workload that signal n has ended."
    ShutdownEnds "shutdown-ends" []
        "`shutdown` returns when the workload has ended."
    ShutdownOfNothing "shutdown-of-nothing" []
        "`shutdown` succeeds where there is nothing to end: never prepared, never started, ended before."
    ShutdownDropped "shutdown-dropped" [ShutdownEnds]
        "`shutdown` that was dropped after any number of polls is called again, and ends the workload."
    ShutdownRepeated "shutdown-repeated" [ShutdownEnds]
        "`shutdown` succeeds where it has succeeded before."
    ShutdownTakenUp "shutdown-taken-up" [ShutdownEnds ShutdownOfNothing ShutdownDropped ShutdownRepeated]
        "`shutdown` of another instance ends what one has started, also if that was shutting it down."
    StartAbandoned "start-abandoned" [ShutdownEnds ShutdownOfNothing]
        "`shutdown` after a `start` that was dropped ends what that has begun."
    TerminateEnds "terminate-ends" []
        "`terminate` returns when the workload has ended, after a `shutdown` that was dropped too."
    TerminateForces "terminate-forces" [TerminateEnds]
        "`terminate` ends what does not end when it is asked to."
    TerminateOfNothing "terminate-of-nothing" []
        "`terminate` succeeds where there is nothing to end: never prepared, never started, ended before."
    RemoveFrees "remove-frees" []
        "`remove` leaves nothing of a task, be it prepared, running or ended, and not shut down."
    RemoveOfNothing "remove-of-nothing" []
        "`remove` succeeds where there is nothing to remove: it was never prepared."
    RemoveDropped "remove-dropped" [RemoveFrees]
        "`remove` that was dropped after any number of polls is called again, and leaves nothing."
    RemoveRepeated "remove-repeated" [RemoveFrees]
        "`remove` succeeds where it has succeeded before."
    RemoveTakenUp "remove-taken-up" [RemoveFrees RemoveOfNothing RemoveDropped RemoveRepeated]
        "`remove` of another instance leaves nothing of what one has started, also if that was removing it."
    RemoveAbandoned "remove-abandoned" [RemoveFrees RemoveOfNothing]
        "`remove` after a `prepare` or a `start` that was dropped leaves nothing of what that has begun."
    CloseLeaves "close-leaves" [StartTakenUp]
        "`close` leaves the workload and what `prepare` made as they are: another instance takes them up."
    Closed "closed" [CloseLeaves]
        "After `close`, every operation answers `closed`, or all go on as before."
    LostEnding "lost-ending" [StartDropped StartRepeated StartTakenUp WaitRepeated WaitDropped WaitTakenUp]
        "When the agent's process has died, `wait` tells the end that it told before, and `start` does not start the workload again."
    LostStart "lost-start" [StartDropped StartRepeated StartTakenUp]
        "When the agent's process has died after any number of polls of `start`, the next `start` does not start the workload a second time."
    LostWork "lost-work" [LostStart StartDropped StartRepeated StartTakenUp ShutdownEnds ShutdownTakenUp TerminateEnds RemoveFrees RemoveTakenUp]
        "When a workload has died with the agent's process, `wait` answers an error that is not temporary, `start` does not start it again, and `shutdown`, `terminate` and `remove` succeed."
    Neighbours "neighbours" [WaitRunning ShutdownEnds ShutdownTakenUp TerminateEnds RemoveFrees CloseLeaves]
        "What is done with a task leaves other tasks as they are."
    InspectAnswers "inspect-answers" []
        "`inspect` answers soon and without an error, however far the task is."
    InspectExitCode "inspect-exit-code" []
        "`inspect`, once the workload has ended, tells the exit code that `wait` told."
    UpdateEqual "update-equal" []
        "`update` takes or refuses a definition that changes nothing, and the task goes on."
    NothingComesBack "nothing-comes-back" [LostStart LostWork StartTakenUp ShutdownEnds RemoveFrees RemoveOfNothing RemoveDropped RemoveRepeated RemoveTakenUp RemoveAbandoned]
        "When a task was removed, nothing that was begun before takes effect any more."
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
