//! How each clause is checked.

mod end;
mod inspect;
mod lost;
mod wait;

use super::bench::{Bench, Stop, Trial, Verdict};
use super::clause::Clause;
use super::{Subject, Workload};
use crate::agent::Timer;
use crate::testing::Call;
use alloc::format;

/// What a workload exits with that ends badly.
pub(super) const CODE: i32 = 3;
/// SIGKILL, as everywhere.
const SIGNAL: i32 = 9;

const PREPARED: &[Call] = &[Call::Prepare];
const STARTED: &[Call] = &[Call::Prepare, Call::Start];

/// An operation that may be called again and again, and what is around it.
struct Case {
    /// What the task's workload does.
    workload: Workload,
    /// What is called before it.
    before: &'static [Call],
    call: Call,
    /// What is called after it, before the workload ends well; nothing where the
    /// operation itself ends the task.
    then: &'static [Call],
}

const PREPARE: &Case =
    &Case { workload: Workload::Exits(0), before: &[], call: Call::Prepare, then: &[Call::Start] };
const START: &Case =
    &Case { workload: Workload::Exits(0), before: PREPARED, call: Call::Start, then: &[] };
const SHUTDOWN: &Case =
    &Case { workload: Workload::Runs, before: STARTED, call: Call::Shutdown, then: &[] };
const REMOVE: &Case =
    &Case { workload: Workload::Runs, before: STARTED, call: Call::Remove, then: &[] };

pub(super) async fn check<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    match bench.clause {
        Clause::Life => life(bench).await,
        Clause::PrepareStartsNothing => prepare_starts_nothing(bench).await,
        Clause::PrepareDropped => dropped(bench, PREPARE, false).await,
        Clause::PrepareRepeated => repeated(bench, PREPARE).await,
        Clause::PrepareTakenUp => taken_up(bench, PREPARE).await,
        Clause::StartDropped => dropped(bench, START, false).await,
        Clause::StartRepeated => repeated(bench, START).await,
        Clause::StartTakenUp => taken_up(bench, START).await,
        Clause::WaitRunning => wait::wait_running(bench).await,
        Clause::WaitFails => wait::wait_fails(bench).await,
        Clause::WaitDropped => wait::wait_dropped(bench).await,
        Clause::WaitRepeated => wait::wait_repeated(bench).await,
        Clause::WaitTakenUp => wait::wait_taken_up(bench).await,
        Clause::ExitCode => wait::exit_code(bench, Workload::Exits(CODE), CODE).await,
        Clause::SignalExitCode => {
            wait::exit_code(bench, Workload::DiesOf(SIGNAL), 128 + SIGNAL).await
        }
        Clause::ShutdownEnds => end::ends(bench, Call::Shutdown).await,
        Clause::ShutdownOfNothing => end::of_nothing(bench, Call::Shutdown).await,
        Clause::ShutdownDropped => dropped(bench, SHUTDOWN, false).await,
        Clause::ShutdownRepeated => repeated(bench, SHUTDOWN).await,
        Clause::ShutdownTakenUp => taken_up(bench, SHUTDOWN).await,
        Clause::StartAbandoned => {
            end::abandoned(bench, PREPARED, Call::Start, Call::Shutdown).await
        }
        Clause::RemoveAbandoned => {
            end::abandoned(bench, &[], Call::Prepare, Call::Remove).await?;
            end::abandoned(bench, PREPARED, Call::Start, Call::Remove).await
        }
        Clause::TerminateEnds => {
            end::ends(bench, Call::Terminate).await?;
            end::abandoned(bench, STARTED, Call::Shutdown, Call::Terminate).await
        }
        Clause::TerminateForces => end::terminate_forces(bench).await,
        Clause::TerminateOfNothing => end::of_nothing(bench, Call::Terminate).await,
        Clause::RemoveFrees => end::remove_frees(bench).await,
        Clause::RemoveOfNothing => bench.task(Workload::Runs).await?.must(Call::Remove).await,
        Clause::RemoveDropped => dropped(bench, REMOVE, false).await,
        Clause::RemoveRepeated => repeated(bench, REMOVE).await,
        Clause::RemoveTakenUp => taken_up(bench, REMOVE).await,
        Clause::CloseLeaves => end::close_leaves(bench).await,
        Clause::Closed => end::closed(bench).await,
        Clause::LostEnding => lost::lost_ending(bench).await,
        Clause::LostStart => lost::lost_start(bench).await,
        Clause::Neighbours => end::neighbours(bench).await,
        Clause::LostWork => lost::lost_work(bench).await,
        Clause::InspectAnswers => inspect::inspect_answers(bench).await,
        Clause::InspectExitCode => inspect::inspect_exit_code(bench).await,
        Clause::UpdateEqual => inspect::update_equal(bench).await,
        Clause::NothingComesBack => bench.nothing_comes_back().await,
    }
}

async fn life<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Exits(0)).await?;
    trial.after(STARTED).await?;
    goes_well(&mut trial).await
}

/// The workload was started once, and ends well.
async fn goes_well<S: Subject, T: Timer>(trial: &mut Trial<'_, S, T>) -> Verdict {
    trial.require_ending("success").await?;
    trial.require_one_start()
}

async fn prepare_starts_nothing<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(PREPARED).await?;
    let seen = trial.observe();
    let found = format!("{} starts, running: {}", seen.starts, seen.running);
    trial.require(seen.starts == 0 && !seen.running, "nothing was started", &found)
}

/// A task as it is before an operation.
async fn before<'a, S: Subject, T: Timer>(
    bench: &'a Bench<'a, S, T>,
    case: &Case,
) -> Result<Trial<'a, S, T>, Stop> {
    let mut trial = bench.task(case.workload).await?;
    trial.after(case.before).await?;
    Ok(trial)
}

/// The operation succeeds, and has done what it is for.
async fn succeeds<S: Subject, T: Timer>(trial: &mut Trial<'_, S, T>, case: &Case) -> Verdict {
    trial.must(case.call).await?;
    if matches!(case.call, Call::Shutdown | Call::Remove) {
        return trial.require_end(case.call);
    }
    for call in case.then {
        trial.must(*call).await?;
    }
    goes_well(trial).await
}

/// Drops the operation after each number of polls; then it is called again, of this
/// instance or of another one.
async fn dropped<S: Subject, T: Timer>(
    bench: &Bench<'_, S, T>,
    case: &Case,
    restarts: bool,
) -> Verdict {
    for polls in 0..=bench.contract.polls {
        {
            let mut trial = before(bench, case).await?;
            if trial.drop_after(case.call, polls).await {
                break;
            }
            if restarts {
                trial.restart().await?;
            }
            succeeds(&mut trial, case).await?;
        }
        bench.clear().await;
    }
    Ok(())
}

async fn repeated<S: Subject, T: Timer>(bench: &Bench<'_, S, T>, case: &Case) -> Verdict {
    let mut trial = before(bench, case).await?;
    trial.must(case.call).await?;
    succeeds(&mut trial, case).await
}

async fn taken_up<S: Subject, T: Timer>(bench: &Bench<'_, S, T>, case: &Case) -> Verdict {
    let mut trial = before(bench, case).await?;
    trial.restart().await?;
    succeeds(&mut trial, case).await?;

    let mut trial = before(bench, case).await?;
    trial.must(case.call).await?;
    trial.restart().await?;
    succeeds(&mut trial, case).await?;

    dropped(bench, case, true).await
}
