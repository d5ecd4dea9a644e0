//! The contract kit accepts controllers that keep the contract, and finds each breach.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
#![allow(clippy::wildcard_enum_match_arm)] // an unexpected variant fails the test

#[path = "contract/controller.rs"]
mod controller;
#[path = "contract/operator.rs"]
mod operator;
#[path = "contract/plan.rs"]
mod plan;
#[path = "contract/subject.rs"]
mod subject;
#[path = "contract/world.rs"]
mod world;
#[path = "contract/wrong.rs"]
mod wrong;

use onward::testing::contract::{Clause, ClauseVerdict, Contract, Report, Workload};
use onward::testing::{Call, CallEvent, VirtualPool, VirtualTime};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use world::World;
use wrong::Wrong;

fn check(wrong: Wrong) -> Report {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let world = World::new(&time, wrong);
    let report = pool.run_until(Contract::new(Arc::new(pool.clone())).check(&world));
    report.expect("the kit drops calls that hang")
}

fn broken(report: &Report) -> Vec<Clause> {
    report.breaches.iter().map(|breach| breach.clause).collect()
}

fn unchecked(report: &Report) -> Vec<Clause> {
    report.unchecked.iter().map(|unchecked| unchecked.clause).collect()
}

/// Each wrong controller, and the clause that it breaks.
const WRONG: &[(Wrong, Clause)] = &[
    (Wrong::MakesNoController, Clause::ControllerMade),
    (Wrong::CannotPrepare, Clause::PrepareSucceeds),
    (Wrong::StartsNothing, Clause::StartRuns),
    (Wrong::WaitFailsAfterASuccess, Clause::Life),
    (Wrong::StartsInPrepare, Clause::PrepareStartsNothing),
    (Wrong::IsBusyAfterADroppedPrepare, Clause::PrepareDropped),
    (Wrong::PreparesOnlyOnce, Clause::PrepareRepeated),
    (Wrong::IsNeverReady, Clause::PrepareRepeated),
    (Wrong::FailsIfAnotherHasPrepared, Clause::PrepareNewController),
    (Wrong::ForgetsADroppedStart, Clause::StartDropped),
    (Wrong::StartsAgain, Clause::StartRepeated),
    (Wrong::FailsIfAnotherHasStarted, Clause::StartNewController),
    (Wrong::LeavesTheWorkloadOfADroppedStart, Clause::ShutdownAfterDroppedStart),
    (Wrong::DoesNotWait, Clause::WaitWhileRunning),
    (Wrong::KillsIfWaitIsDropped, Clause::WaitDropped),
    (Wrong::ReturnsTheResultOnlyOnce, Clause::WaitRepeated),
    (Wrong::LosesTheExitCodeOfAnother, Clause::WaitNewController),
    (Wrong::ReturnsNoExitCode, Clause::WaitExitCode),
    (Wrong::ReturnsTheSignalAsExitCode, Clause::WaitSignalExitCode),
    (Wrong::WaitSucceedsAfterAFailure, Clause::WaitReportsFailure),
    (Wrong::DoesNotShutDown, Clause::ShutdownEnds),
    (Wrong::ShutsDownOnlyStartedTasks, Clause::ShutdownOfNothing),
    (Wrong::HangsAfterADroppedShutdown, Clause::ShutdownDropped),
    (Wrong::ShutsDownOnlyOnce, Clause::ShutdownRepeated),
    (Wrong::ShutsDownOnlyItsOwn, Clause::ShutdownNewController),
    (Wrong::DoesNotTerminate, Clause::TerminateEnds),
    (Wrong::DoesNotTerminateAfterADroppedShutdown, Clause::TerminateEnds),
    (Wrong::TerminatesOnlyStartedTasks, Clause::TerminateOfNothing),
    (Wrong::StartsLateAfterADroppedStart, Clause::NothingComesBack),
    (Wrong::TerminatesOnlyIfShutdownIsObeyed, Clause::TerminateForces),
    (Wrong::LosesTheResultWithItsProcess, Clause::RestartKeepsResult),
    (Wrong::StartsAnEndedWorkloadAgain, Clause::RestartKeepsResult),
    (Wrong::WaitsForALostWorkload, Clause::RestartReportsLostWorkload),
    (Wrong::WaitsForALostWorkloadUnlessStartIsCalled, Clause::RestartReportsLostWorkload),
    (Wrong::HangsInStartOfALostWorkload, Clause::RestartStartsOnce),
    (Wrong::StartsALostWorkloadAgain, Clause::RestartStartsOnce),
    (Wrong::ShutsDownEverything, Clause::OtherTasksUntouched),
    (Wrong::CannotShutDownALostWorkload, Clause::RestartReportsLostWorkload),
    (Wrong::LeavesFiles, Clause::RemoveLeavesNothing),
    (Wrong::RemovesOnlyExistingTasks, Clause::RemoveOfNothing),
    (Wrong::PanicsAfterADroppedRemove, Clause::RemoveDropped),
    (Wrong::RemovesOnlyOnce, Clause::RemoveRepeated),
    (Wrong::RemovesOnlyItsOwn, Clause::RemoveNewController),
    (Wrong::LeavesFilesOfADroppedPrepare, Clause::RemoveAfterDroppedCall),
    (Wrong::KillsOnClose, Clause::CloseKeepsWorkload),
    (Wrong::HangsOnClose, Clause::CloseKeepsWorkload),
    (Wrong::WorksAfterClose, Clause::CallsAfterClose),
    (Wrong::CannotInspectBeforeTheStart, Clause::InspectSucceeds),
    (Wrong::HangsOnInspect, Clause::InspectSucceeds),
    (Wrong::InspectsNoExitCode, Clause::InspectExitCode),
    (Wrong::FailsOnUpdate, Clause::UpdateUnchanged),
    (Wrong::StopsForAnUpdate, Clause::UpdateUnchanged),
    (Wrong::RejectsEveryUpdate, Clause::UpdateTaken),
    (Wrong::AppliesHalfOfAnUpdate, Clause::UpdateTaken),
    (Wrong::AcceptsAnUpdateWithoutEffect, Clause::UpdateTaken),
    (Wrong::AcceptsAnUpdateThatItMustReject, Clause::UpdateRefused),
    (Wrong::AppliesHalfOfARejectedUpdate, Clause::UpdateRefused),
    (Wrong::FailsInsteadOfRejectingAnUpdate, Clause::UpdateRefused),
    (Wrong::StopsWhenItRejectsAnUpdate, Clause::UpdateRefused),
    (Wrong::ForgetsADroppedUpdate, Clause::UpdateDropped),
    (Wrong::HangsAfterADroppedUpdate, Clause::UpdateDropped),
    (Wrong::RejectsAnUpdateThatAnotherHasBegun, Clause::UpdateNewController),
    (Wrong::FindsOnlyTasksWithTheOriginalDefinition, Clause::UpdateNewController),
    (Wrong::ListsNothing, Clause::ListExisting),
    (Wrong::ListsOnlyRunningTasks, Clause::ListExisting),
    (Wrong::HangsInList, Clause::ListExisting),
    (Wrong::ListsRemovedTasks, Clause::ListRemoved),
    (Wrong::ReconcilesNothing, Clause::ReconcileRemoves),
    (Wrong::ReconcilesOnlyEndedTasks, Clause::ReconcileRemoves),
    (Wrong::LeavesFilesInReconcile, Clause::ReconcileRemoves),
    (Wrong::ReconcilesOnlyOnce, Clause::ReconcileRepeated),
    (Wrong::ReconcilesOnlyExistingTasks, Clause::ReconcileRepeated),
    (Wrong::HangsAfterADroppedReconcile, Clause::ReconcileDropped),
    (Wrong::ReconcilesEverything, Clause::ReconcileOtherTasks),
];

#[test]
fn a_correct_controller_keeps_every_clause() {
    for right in [
        Wrong::Nothing,
        Wrong::NothingAndHasNothingToClose,
        Wrong::NothingAndIsMortal,
        Wrong::NothingAndContinuesLate,
    ] {
        let report = check(right);
        report.assert_holds();
        assert_eq!(report.held, Clause::ALL);
        assert_eq!(report.unchecked, []);
    }
}

#[test]
fn a_wrong_controller_breaks_only_the_clause_about_its_fault() {
    for (wrong, clause) in WRONG {
        let report = check(*wrong);
        assert_eq!(broken(&report), [*clause], "{wrong:?}: {report}");
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
fn a_breach_has_the_expectation_the_finding_and_the_calls() {
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
    let unchecked = "start-new-controller: not checked: it needs `start-dropped`, which is broken";
    assert!(text.contains(unchecked), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["breaches"][0]["clause"], "start-dropped");
    assert_eq!(json["breaches"][0]["trace"][0]["call"], "controller");
}

#[test]
fn the_calls_of_a_breach_show_where_the_process_was_restarted() {
    let report = check(Wrong::WaitsForALostWorkload);
    let events: Vec<_> = report.breaches[0].trace.iter().map(|entry| &entry.event).collect();
    let at = events.iter().position(|event| **event == CallEvent::Restarted).unwrap();
    // The restart comes after `start`, and before the next controller and its only `wait`.
    let calls = report.breaches[0].trace[at - 1..].iter().map(ToString::to_string);
    let calls: Vec<_> = calls.map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
    let expected = [
        "start succeeded",
        "controller after `restarted`",
        "controller begun",
        "controller succeeded",
        "wait begun",
        "wait dropped",
    ];
    assert_eq!(calls, expected);
}

#[test]
#[should_panic(expected = "`shutdown` returns when the workload has ended")]
fn a_broken_contract_fails_a_test() {
    check(Wrong::DoesNotShutDown).assert_holds();
}

#[test]
fn the_report_distinguishes_hangs_panics_and_errors() {
    let found = |wrong| check(wrong).breaches[0].found.clone();
    assert_eq!(found(Wrong::HangsAfterADroppedShutdown), "it did not return within 10s");
    assert_eq!(found(Wrong::PanicsAfterADroppedRemove), "it panicked: it is being removed");
    assert_eq!(found(Wrong::IsNeverReady), "it did not return within 10s");
    assert_eq!(found(Wrong::PreparesOnlyOnce), "it failed: it was prepared twice");
}

#[test]
fn clauses_about_a_missing_workload_are_not_checked() {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let world = World::new(&time, Wrong::Nothing).without(&[Workload::DiesOfSignal(9)]);
    let contract = Contract::new(Arc::new(pool.clone()))
        .with_max_polls(1)
        .with_timeout(Duration::from_secs(1));
    let report = pool.run_until(contract.check(&world)).unwrap();
    report.assert_holds();
    assert_eq!(unchecked(&report), [Clause::WaitSignalExitCode]);
    let reason = "the subject has no definition for `Workload::DiesOfSignal(9)`";
    assert_eq!(report.unchecked[0].reason, reason);
}

/// The report on a world whose workloads end without exit codes, if they end at all.
fn check_without_codes(wrong: Wrong, also_without: &[Workload]) -> Report {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let without = [&[Workload::DiesOfSignal(9), Workload::Exits(3)], also_without].concat();
    let world = World::new(&time, wrong).without(&without);
    pool.run_until(Contract::new(Arc::new(pool.clone())).check(&world)).unwrap()
}

#[test]
fn wait_is_checked_for_workloads_without_an_exit_code() {
    let report = check_without_codes(Wrong::Nothing, &[]);
    report.assert_holds();
    assert_eq!(
        unchecked(&report),
        [Clause::WaitExitCode, Clause::WaitSignalExitCode, Clause::InspectExitCode]
    );

    let report = check_without_codes(Wrong::ReturnsTheResultOnlyOnce, &[Workload::Exits(0)]);
    assert_eq!(report.breaches[0].clause, Clause::WaitRepeated);

    let neither = [Workload::Exits(0), Workload::Fails];
    let report = check_without_codes(Wrong::Nothing, &neither);
    let reason = "the subject has no workload that ends by itself";
    let repeated = report.unchecked.iter().find(|one| one.clause == Clause::WaitRepeated).unwrap();
    assert_eq!(repeated.reason, reason);
}

#[test]
fn a_clause_is_parsed_from_its_printed_name() {
    for clause in Clause::ALL {
        assert_eq!(serde_json::to_value(clause).unwrap(), clause.as_str());
    }
}

#[test]
fn the_clauses_that_need_a_missing_hook_are_reported_by_name() {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let world = World::new(&time, Wrong::Nothing).without_hooks();
    let report = pool.run_until(Contract::new(Arc::new(pool.clone())).check(&world)).unwrap();
    report.assert_holds();
    let reasons = report.unchecked.iter().map(|one| (one.clause.as_str(), one.reason.as_str()));
    let restarted = "`Subject::restarted` returns `None`";
    let updated = "`Subject::updated_definition` returns `None`";
    let refused = "`Subject::refused_definition` returns `None`";
    let reconciler = "`Subject::reconciler` returns `None`";
    let expected = [
        ("restart-keeps-result", restarted),
        ("restart-starts-once", restarted),
        ("restart-reports-lost-workload", restarted),
        ("update-taken", updated),
        ("update-refused", refused),
        ("update-dropped", updated),
        ("update-new-controller", updated),
        ("list-existing", reconciler),
        ("reconcile-removes", reconciler),
        ("reconcile-repeated", reconciler),
        ("reconcile-dropped", reconciler),
        ("reconcile-other-tasks", reconciler),
        ("list-removed", reconciler),
    ];
    assert_eq!(reasons.collect::<Vec<_>>(), expected);
    let text = report.to_string();
    assert!(text.contains("list-existing: not checked: `Subject::reconciler` returns `None`"));
}

#[test]
fn a_broken_basic_clause_hides_only_the_clauses_that_need_it() {
    let report = check(Wrong::CannotPrepare);
    assert_eq!(report.held, [Clause::ControllerMade, Clause::RemoveOfNothing]);
    for needs in unchecked(&report) {
        let found = report.unchecked.iter().find(|one| one.clause == needs).unwrap();
        assert!(found.reason.starts_with("it needs `"), "{found}");
    }
    let report = check(Wrong::MakesNoController);
    assert_eq!(unchecked(&report), Clause::ALL[1..]);
}

#[test]
fn one_clause_is_checked_by_its_name() {
    for (wrong, clause) in WRONG {
        let time = VirtualTime::new();
        let pool = VirtualPool::new(time.clone(), 0);
        let contract = Contract::new(Arc::new(pool.clone())).only(clause.as_str()).unwrap();
        let report = pool.run_until(contract.check(&World::new(&time, *wrong))).unwrap();
        assert_eq!(broken(&report), [*clause], "{wrong:?}: {report}");
    }
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let contract = Contract::new(Arc::new(pool.clone()));
    let contract = contract.only("nothing-comes-back").unwrap().only("life").unwrap();
    let report = pool.run_until(contract.check(&World::new(&time, Wrong::Nothing))).unwrap();
    assert_eq!(report.held, [Clause::Life, Clause::NothingComesBack]);
    report.assert_all_held();
}

#[test]
fn a_failure_before_the_checked_call_is_a_breach_of_the_clause_about_that_call() {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let contract = Contract::new(Arc::new(pool.clone())).only("terminate-forces").unwrap();
    let report = pool.run_until(contract.check(&World::new(&time, Wrong::CannotPrepare))).unwrap();
    assert_eq!(broken(&report), [Clause::PrepareSucceeds]);
    assert_eq!(unchecked(&report), [Clause::TerminateForces]);
    let reason =
        "`prepare-succeeds` is broken before the checked call: it failed: there is no room";
    assert_eq!(report.unchecked[0].reason, reason);
}

#[test]
fn a_call_that_fails_for_one_workload_hides_no_other_clause() {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let world = World::new(&time, Wrong::CannotPrepareIfItIgnoresShutdown);
    let report =
        pool.run_until(Contract::new(Arc::new(pool.clone())).repeat(2).check(&world)).unwrap();
    assert_eq!(broken(&report), [Clause::PrepareSucceeds], "{report}");
    assert_eq!(unchecked(&report), [Clause::TerminateForces], "{report}");
    assert_eq!(report.held.len(), Clause::ALL.len() - 2, "{report}");
    assert!(report.breaches[0].trace[0].id.starts_with("terminate-forces-"), "{report}");
}

#[test]
fn a_broken_life_hides_no_other_clause() {
    let report = check(Wrong::WaitFailsAfterASuccess);
    assert_eq!(broken(&report), [Clause::Life], "{report}");
    assert_eq!(unchecked(&report), [], "{report}");
    assert_eq!(report.held.len(), Clause::ALL.len() - 1, "{report}");
}

#[test]
fn an_unknown_clause_is_an_error_that_lists_the_names() {
    let pool = VirtualPool::new(VirtualTime::new(), 0);
    let error = Contract::new(Arc::new(pool)).only("terminate").unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("no clause is called \"terminate\"; the clauses are "), "{text}");
    assert!(Clause::ALL.iter().all(|clause| text.contains(clause.as_str())), "{text}");
}

#[test]
fn results_are_reported_while_the_kit_runs() {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let results = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&results);
    let clock = time.clone();
    let contract = Contract::new(Arc::new(pool.clone()))
        .on_result(move |result| into.lock().unwrap().push((clock.now(), result.clone())));
    let world = World::new(&time, Wrong::DoesNotShutDown);
    let report = pool.run_until(contract.check(&world)).unwrap();
    let results = results.lock().unwrap();
    let clauses: Vec<_> = results.iter().map(|(_, result)| result.clause).collect();
    assert_eq!(clauses, Clause::ALL);
    assert!(results.is_sorted_by(|(one, _), (next, _)| one <= next));
    assert!(results[0].0 < results[results.len() / 2].0);
    let broken = results.iter().find(|(_, result)| result.clause == Clause::ShutdownEnds);
    let ClauseVerdict::Broken(breach) = &broken.unwrap().1.verdict else { panic!("{broken:?}") };
    assert_eq!(**breach, report.breaches[0]);
    let first = results[0].1.to_string();
    assert!(first.starts_with("controller-made: held (repetition 1, "), "{first}");
}

#[test]
fn the_report_has_the_repetition_in_which_a_clause_broke() {
    let run = |failing: Option<usize>, repetitions| {
        let time = VirtualTime::new();
        let pool = VirtualPool::new(time.clone(), 0);
        let world = World::new(&time, Wrong::Nothing);
        let world = match failing {
            Some(number) => world.with_failing_start(number),
            None => world,
        };
        let contract = Contract::new(Arc::new(pool.clone())).repeat(repetitions);
        (pool.run_until(contract.check(&world)).unwrap(), world.count_starts())
    };
    let (report, starts) = run(None, 1);
    report.assert_all_held();
    // The first start of the third repetition fails.
    let (report, _) = run(Some(2 * starts + 1), 3);
    assert_eq!(broken(&report), [Clause::StartRuns]);
    assert_eq!(report.breaches[0].repetition, 3);
    let text = report.to_string();
    assert!(text.contains("start-runs: broken in repetition 3"), "{text}");
    // The clauses that need it held twice and were not checked the third time.
    assert!(unchecked(&report).contains(&Clause::Life));
    assert!(report.held.contains(&Clause::PrepareStartsNothing));
    assert!(run(Some(2 * starts + 1), 2).0.holds());
}

/// The id of the tasks of a broken clause, and the seed.
fn id(seed: Option<u64>) -> (String, u64) {
    let time = VirtualTime::new();
    let pool = VirtualPool::new(time.clone(), 0);
    let contract = Contract::new(Arc::new(pool.clone())).only("shutdown-ends").unwrap();
    let contract = match seed {
        Some(seed) => contract.with_seed(seed),
        None => contract,
    };
    let world = World::new(&time, Wrong::DoesNotShutDown);
    let report = pool.run_until(contract.check(&world)).unwrap();
    let text = report.to_string();
    assert!(text.contains(&format!("seed {})", report.seed)), "{text}");
    let id = report.breaches[0].trace[0].id.clone();
    assert!(text.contains(&format!("calls for the task {id}:")), "{text}");
    (id, report.seed)
}

#[test]
fn ids_differ_in_every_run_and_are_the_same_for_a_seed() {
    let (first, seed) = id(None);
    assert_ne!(id(None).0, first);
    assert_eq!(id(Some(seed)), (first, seed));
    assert_eq!(id(Some(36)).0, "shutdown-ends-10.00001");
}

#[test]
fn a_breach_is_written_in_full() {
    let (time, wrong) = (VirtualTime::new(), Wrong::ReconcilesOnlyEndedTasks);
    let pool = VirtualPool::new(time.clone(), 0);
    let contract =
        Contract::new(Arc::new(pool.clone())).only("reconcile-removes").unwrap().with_seed(7);
    let report = pool.run_until(contract.check(&World::new(&time, wrong))).unwrap();
    let text = report.to_string();
    let expected = "\
0 clauses held, 1 broken, 0 not checked (1 repetition, seed 7)

reconcile-removes: broken in repetition 1
  contract: `reconcile` ends the workload of a task that is not assigned, and leaves nothing of the task.
  documented at: onward::Executor::reconcile
  expected: nothing runs after `reconcile`
  found: the workload runs
  calls for the task reconcile-removes-7.00002:
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with("90ms reconcile begun\n    90ms reconcile succeeded\n"), "{text}");
}
