//! The contract kit passes what keeps the contract, and finds what does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "contract/wrong.rs"]
mod wrong;

use onward::testing::contract::{Clause, Contract, Report};
use onward::testing::{VirtualPool, VirtualTime};
use std::collections::BTreeSet;
use wrong::{World, Wrong};

fn check(wrong: Wrong) -> Report {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let world = World::new(&time, wrong);
    let report = pool.run_until(Contract::new(time.timer()).check(&world));
    report.expect("what hangs is dropped")
}

/// Each wrong controller, and the clause that it breaks.
const WRONG: &[(Wrong, Clause)] = &[
    (Wrong::NothingIsHandedOut, Clause::Life),
    (Wrong::StartsNothing, Clause::Life),
    (Wrong::StartsInPrepare, Clause::PrepareStartsNothing),
    (Wrong::IsBusyAfterADroppedPrepare, Clause::PrepareDropped),
    (Wrong::PreparesOnlyOnce, Clause::PrepareRepeated),
    (Wrong::IsNeverReady, Clause::PrepareRepeated),
    (Wrong::DoesNotKnowWhatAnotherHasPrepared, Clause::PrepareTakenUp),
    (Wrong::ForgetsADroppedStart, Clause::StartDropped),
    (Wrong::StartsAgain, Clause::StartRepeated),
    (Wrong::DoesNotKnowWhatAnotherHasStarted, Clause::StartTakenUp),
    (Wrong::LeavesWhatADroppedStartHasBegun, Clause::StartAbandoned),
    (Wrong::DoesNotWait, Clause::WaitRunning),
    (Wrong::KillsWhereWaitIsDropped, Clause::WaitDropped),
    (Wrong::TellsTheEndOnlyOnce, Clause::WaitRepeated),
    (Wrong::LosesTheExitCodeOfAnother, Clause::WaitTakenUp),
    (Wrong::TellsNoExitCode, Clause::ExitCode),
    (Wrong::TellsTheSignalForTheExitCode, Clause::SignalExitCode),
    (Wrong::DoesNotShutDown, Clause::ShutdownEnds),
    (Wrong::ShutsDownOnlyWhatWasStarted, Clause::ShutdownOfNothing),
    (Wrong::HangsAfterADroppedShutdown, Clause::ShutdownDropped),
    (Wrong::ShutsDownOnlyOnce, Clause::ShutdownRepeated),
    (Wrong::ShutsDownOnlyItsOwn, Clause::ShutdownTakenUp),
    (Wrong::DoesNotTerminate, Clause::TerminateEnds),
    (Wrong::DoesNotTerminateAfterADroppedShutdown, Clause::TerminateEnds),
    (Wrong::TerminatesOnlyWhatWasStarted, Clause::TerminateOfNothing),
    (Wrong::LeavesFiles, Clause::RemoveFrees),
    (Wrong::RemovesOnlyWhatIsThere, Clause::RemoveOfNothing),
    (Wrong::PanicsAfterADroppedRemove, Clause::RemoveDropped),
    (Wrong::RemovesOnlyOnce, Clause::RemoveRepeated),
    (Wrong::RemovesOnlyItsOwn, Clause::RemoveTakenUp),
    (Wrong::LeavesWhatADroppedPrepareHasBegun, Clause::RemoveAbandoned),
    (Wrong::KillsOnClose, Clause::CloseLeaves),
    (Wrong::HangsOnClose, Clause::CloseLeaves),
    (Wrong::WorksAfterClose, Clause::Closed),
    (Wrong::CannotInspectWhatDoesNotRun, Clause::InspectAnswers),
    (Wrong::HangsOnInspect, Clause::InspectAnswers),
    (Wrong::InspectsNoExitCode, Clause::InspectExitCode),
    (Wrong::FailsOnUpdate, Clause::UpdateEqual),
    (Wrong::StopsForAnUpdate, Clause::UpdateEqual),
];

#[test]
fn a_right_controller_keeps_every_clause() {
    let report = check(Wrong::Nothing);
    report.assert_holds();
    assert_eq!(report.held, Clause::ALL);
    assert_eq!(report.unchecked, []);
}

#[test]
fn a_wrong_controller_breaks_the_clause_that_is_about_it_and_no_other() {
    for (wrong, clause) in WRONG {
        let report = check(*wrong);
        let broken: Vec<_> = report.breaches.iter().map(|breach| breach.clause).collect();
        assert_eq!(broken, [*clause], "{wrong:?}: {report}");
        let told = report.held.len() + report.unchecked.len() + report.breaches.len();
        assert_eq!(told, Clause::ALL.len(), "{wrong:?}: {report}");
    }
}

#[test]
fn there_is_a_wrong_controller_for_every_clause() {
    let caught: BTreeSet<_> = WRONG.iter().map(|(_, clause)| *clause).collect();
    assert!(Clause::ALL.iter().all(|clause| caught.contains(clause)));
}
