//! The contract kit passes what keeps the contract, and finds what does not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // what a test does not expect fails it

#[path = "contract/wrong.rs"]
mod wrong;

use onward::testing::contract::{Clause, Contract, Report, Workload};
use onward::testing::{Call, CallEvent, VirtualPool, VirtualTime};
use std::collections::BTreeSet;
use std::time::Duration;
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
    (Wrong::SucceedsWhereItFailed, Clause::WaitFails),
    (Wrong::DoesNotShutDown, Clause::ShutdownEnds),
    (Wrong::ShutsDownOnlyWhatWasStarted, Clause::ShutdownOfNothing),
    (Wrong::HangsAfterADroppedShutdown, Clause::ShutdownDropped),
    (Wrong::ShutsDownOnlyOnce, Clause::ShutdownRepeated),
    (Wrong::ShutsDownOnlyItsOwn, Clause::ShutdownTakenUp),
    (Wrong::DoesNotTerminate, Clause::TerminateEnds),
    (Wrong::DoesNotTerminateAfterADroppedShutdown, Clause::TerminateEnds),
    (Wrong::TerminatesOnlyWhatWasStarted, Clause::TerminateOfNothing),
    (Wrong::StartsLateWhatWasDropped, Clause::NothingComesBack),
    (Wrong::TerminatesOnlyWhatObeys, Clause::TerminateForces),
    (Wrong::ForgetsTheEndWithItsProcess, Clause::LostEnding),
    (Wrong::StartsAgainWhatHasEnded, Clause::LostEnding),
    (Wrong::WaitsForWhatIsLost, Clause::LostWork),
    (Wrong::WaitsForWhatIsLostUnlessAskedToStartIt, Clause::LostWork),
    (Wrong::HangsWhereItStartsWhatIsLost, Clause::LostStart),
    (Wrong::StartsAgainWhatIsLost, Clause::LostStart),
    (Wrong::ShutsDownEverything, Clause::Neighbours),
    (Wrong::CannotShutDownWhatIsLost, Clause::LostWork),
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
    for right in [Wrong::Nothing, Wrong::NothingAndHasNothingToClose, Wrong::NothingAndIsMortal] {
        let report = check(right);
        report.assert_holds();
        assert_eq!(report.held, Clause::ALL);
        assert_eq!(report.unchecked, []);
    }
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

#[test]
fn a_breach_says_what_was_expected_what_was_found_and_what_was_called() {
    let report = check(Wrong::ForgetsADroppedStart);
    let breach = &report.breaches[0];
    assert_eq!(breach.text, Clause::StartDropped.text());
    assert_eq!(breach.expected, "the workload was started once");
    assert_eq!(breach.found, "2 starts");
    let told = breach.trace.iter().map(|entry| (entry.call, &entry.event));
    let starts: Vec<_> = told.filter(|(call, _)| *call == Call::Start).collect();
    assert_eq!(starts[..2], [(Call::Start, &CallEvent::Begun), (Call::Start, &CallEvent::Dropped)]);

    let text = report.to_string();
    for part in ["1 broken", Clause::StartDropped.text(), "2 starts", "start dropped"] {
        assert!(text.contains(part), "{text}");
    }
    let unchecked = "start-taken-up: unchecked: `start-dropped` is broken";
    assert!(text.contains(unchecked), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["breaches"][0]["clause"], "start-dropped");
    assert_eq!(json["breaches"][0]["trace"][0]["call"], "controller");
}

#[test]
#[should_panic(expected = "`shutdown` returns when the workload has ended")]
fn a_broken_contract_fails_a_test() {
    check(Wrong::DoesNotShutDown).assert_holds();
}

#[test]
fn what_hangs_and_what_panics_is_told_so() {
    let found = |wrong| check(wrong).breaches[0].found.clone();
    assert_eq!(found(Wrong::HangsAfterADroppedShutdown), "it has not returned within 10s");
    assert_eq!(found(Wrong::PanicsAfterADroppedRemove), "it panicked: it is being removed");
    assert_eq!(found(Wrong::IsNeverReady), "it has not returned within 10s");
    assert_eq!(found(Wrong::PreparesOnlyOnce), "it failed: it was prepared twice");
}

#[test]
fn a_workload_that_a_subject_does_not_have_is_not_asked_for() {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let world = World::new(&time, Wrong::Nothing).without(&[Workload::DiesOf(9)]);
    let contract = Contract::new(time.timer()).with_polls(1).with_patience(Duration::from_secs(1));
    let report = pool.run_until(contract.check(&world)).unwrap();
    report.assert_holds();
    let why = "there is no workload DiesOf(9)".to_owned();
    assert_eq!(report.unchecked, [(Clause::SignalExitCode, why)]);
}

/// What is held of this by a world whose workloads end without a code, if at all.
fn check_without_codes(wrong: Wrong, also_without: &[Workload]) -> Report {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let without = [&[Workload::DiesOf(9), Workload::Exits(3)], also_without].concat();
    let world = World::new(&time, wrong).without(&without);
    pool.run_until(Contract::new(time.timer()).check(&world)).unwrap()
}

#[test]
fn workloads_without_an_exit_code_are_waited_for_all_the_same() {
    let report = check_without_codes(Wrong::Nothing, &[]);
    report.assert_holds();
    let unchecked: Vec<_> = report.unchecked.iter().map(|(clause, _)| *clause).collect();
    assert_eq!(unchecked, [Clause::ExitCode, Clause::SignalExitCode, Clause::InspectExitCode]);

    let report = check_without_codes(Wrong::TellsTheEndOnlyOnce, &[Workload::Exits(0)]);
    assert_eq!(report.breaches[0].clause, Clause::WaitRepeated);

    let neither = [Workload::Exits(0), Workload::Fails];
    let report = check_without_codes(Wrong::Nothing, &neither);
    let why = "there is no workload that ends by itself".to_owned();
    assert!(report.unchecked.contains(&(Clause::WaitRepeated, why)));
}

#[test]
fn the_name_of_a_clause_is_the_one_that_is_printed() {
    for clause in Clause::ALL {
        assert_eq!(serde_json::to_value(clause).unwrap(), clause.as_str());
    }
}
