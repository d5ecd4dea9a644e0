//! How each clause is checked.

use super::bench::{AN_ERROR, Bench, Fault, Stop, Trial, Verdict, told};
use super::clause::Clause;
use super::{Subject, Workload};
use crate::agent::Timer;
use crate::exec::{ErrorKind, Inquiry};
use crate::testing::Call;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

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
        Clause::WaitRunning => wait_running(bench).await,
        Clause::WaitFails => wait_fails(bench).await,
        Clause::WaitDropped => wait_dropped(bench).await,
        Clause::WaitRepeated => wait_repeated(bench).await,
        Clause::WaitTakenUp => wait_taken_up(bench).await,
        Clause::ExitCode => exit_code(bench, Workload::Exits(CODE), CODE).await,
        Clause::SignalExitCode => exit_code(bench, Workload::DiesOf(SIGNAL), 128 + SIGNAL).await,
        Clause::ShutdownEnds => ends(bench, Call::Shutdown).await,
        Clause::ShutdownOfNothing => of_nothing(bench, Call::Shutdown).await,
        Clause::ShutdownDropped => dropped(bench, SHUTDOWN, false).await,
        Clause::ShutdownRepeated => repeated(bench, SHUTDOWN).await,
        Clause::ShutdownTakenUp => taken_up(bench, SHUTDOWN).await,
        Clause::StartAbandoned => abandoned(bench, PREPARED, Call::Start, Call::Shutdown).await,
        Clause::RemoveAbandoned => {
            abandoned(bench, &[], Call::Prepare, Call::Remove).await?;
            abandoned(bench, PREPARED, Call::Start, Call::Remove).await
        }
        Clause::TerminateEnds => {
            ends(bench, Call::Terminate).await?;
            abandoned(bench, STARTED, Call::Shutdown, Call::Terminate).await
        }
        Clause::TerminateForces => terminate_forces(bench).await,
        Clause::TerminateOfNothing => of_nothing(bench, Call::Terminate).await,
        Clause::RemoveFrees => remove_frees(bench).await,
        Clause::RemoveOfNothing => bench.task(Workload::Runs).await?.must(Call::Remove).await,
        Clause::RemoveDropped => dropped(bench, REMOVE, false).await,
        Clause::RemoveRepeated => repeated(bench, REMOVE).await,
        Clause::RemoveTakenUp => taken_up(bench, REMOVE).await,
        Clause::CloseLeaves => close_leaves(bench).await,
        Clause::Closed => closed(bench).await,
        Clause::LostEnding => lost_ending(bench).await,
        Clause::LostWork => lost_work(bench).await,
        Clause::InspectAnswers => inspect_answers(bench).await,
        Clause::InspectExitCode => inspect_exit_code(bench).await,
        Clause::UpdateEqual => update_equal(bench).await,
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

async fn wait_running<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(STARTED).await?;
    let returned = trial.glimpse(Call::Wait).await;
    trial.require(!returned, "`wait` waits on", &"it has returned")
}

async fn wait_fails<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let badly = bench.endings()?.into_iter().find(|ending| *ending != Workload::Exits(0));
    let Some(job) = badly else {
        return Err(Stop::Unchecked("there is no workload that ends badly".into()));
    };
    let mut trial = bench.task(job).await?;
    trial.after(STARTED).await?;
    let ending = trial.ending().await;
    trial.require(ending.starts_with(AN_ERROR), "`wait` tells an error", &ending)
}

async fn wait_dropped<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(STARTED).await?;
    for polls in 0..2 {
        trial.drop_after(Call::Wait, polls).await;
        trial.require_running()?;
    }
    trial.glimpse(Call::Wait).await;
    trial.require_running()?;

    let [job, ..] = bench.endings()?[..] else { return Ok(()) };
    let mut trial = bench.task(job).await?;
    trial.after(STARTED).await?;
    let ending = trial.ending().await;
    for polls in 0..=bench.contract.polls {
        {
            let mut trial = bench.task(job).await?;
            trial.after(STARTED).await?;
            if trial.drop_after(Call::Wait, polls).await {
                break;
            }
            trial.require_ending(&ending).await?;
        }
        bench.clear().await;
    }
    Ok(())
}

async fn wait_repeated<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    for job in bench.endings()? {
        let mut trial = bench.task(job).await?;
        trial.after(STARTED).await?;
        let ending = trial.ending().await;
        trial.require_ending(&ending).await?;
        trial.require_ending(&ending).await?;
    }
    Ok(())
}

async fn wait_taken_up<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    for job in bench.endings()? {
        let mut trial = bench.task(job).await?;
        trial.after(STARTED).await?;
        let ending = trial.ending().await;
        trial.restart().await?;
        trial.require_ending(&ending).await?;

        let mut trial = bench.task(job).await?;
        trial.after(STARTED).await?;
        trial.restart().await?;
        trial.require_ending(&ending).await?;
    }
    Ok(())
}

async fn exit_code<S: Subject, T: Timer>(
    bench: &Bench<'_, S, T>,
    workload: Workload,
    code: i32,
) -> Verdict {
    let mut trial = bench.task(workload).await?;
    trial.after(STARTED).await?;
    trial.require_ending(&told(Some(code))).await
}

async fn ends<S: Subject, T: Timer>(bench: &Bench<'_, S, T>, call: Call) -> Verdict {
    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(STARTED).await?;
    trial.must(call).await?;
    trial.require_end(call)
}

async fn terminate_forces<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Disobeys).await?;
    trial.after(STARTED).await?;
    trial.glimpse(Call::Shutdown).await;
    trial.must(Call::Terminate).await?;
    trial.require_end(Call::Terminate)
}

/// The process dies after the workload has ended.
async fn lost_ending<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    for job in bench.endings()? {
        let mut trial = bench.task(job).await?;
        trial.after(STARTED).await?;
        let ending = trial.ending().await;
        trial.die().await?;
        trial.require_ending(&ending).await?;
        trial.must(Call::Start).await?;
        trial.require_one_start()?;
        trial.require_ending(&ending).await?;
    }
    Ok(())
}

/// The process dies while the workload runs, and the workload with it; if it lives on,
/// it has been taken up in other clauses.
async fn lost_work<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    for call in [Call::Shutdown, Call::Terminate, Call::Remove] {
        let mut trial = bench.task(Workload::Runs).await?;
        trial.after(STARTED).await?;
        trial.die().await?;
        trial.must(call).await?;
        trial.require_end(call)?;
    }
    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(STARTED).await?;
    trial.die().await?;
    // Whether it says that it was started, or that it is lost, is its own business.
    _ = trial.call(Call::Start).await;
    trial.require_one_start()?;
    if trial.observe().running {
        return Ok(());
    }
    let ending = trial.ending().await;
    trial.require(ending.starts_with(AN_ERROR), "`wait` tells an error", &ending)
}

async fn of_nothing<S: Subject, T: Timer>(bench: &Bench<'_, S, T>, call: Call) -> Verdict {
    bench.task(Workload::Runs).await?.must(call).await?;

    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(PREPARED).await?;
    trial.must(call).await?;

    let mut trial = bench.task(Workload::Exits(0)).await?;
    trial.after(STARTED).await?;
    trial.ending().await;
    trial.must(call).await
}

/// What an operation has begun that was dropped is ended by another one.
async fn abandoned<S: Subject, T: Timer>(
    bench: &Bench<'_, S, T>,
    before: &[Call],
    abandoned: Call,
    ends: Call,
) -> Verdict {
    for polls in 0..=bench.contract.polls {
        {
            let mut trial = bench.task(Workload::Runs).await?;
            trial.after(before).await?;
            if trial.drop_after(abandoned, polls).await {
                break;
            }
            trial.must(ends).await?;
            trial.require_end(ends)?;
        }
        bench.clear().await;
    }
    Ok(())
}

async fn remove_frees<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    for before in [PREPARED, STARTED] {
        let mut trial = bench.task(Workload::Runs).await?;
        trial.after(before).await?;
        trial.must(Call::Remove).await?;
        trial.require_end(Call::Remove)?;
    }
    let mut trial = bench.task(Workload::Exits(0)).await?;
    trial.after(STARTED).await?;
    trial.ending().await;
    trial.must(Call::Remove).await?;
    trial.require_end(Call::Remove)
}

async fn close_leaves<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Exits(0)).await?;
    trial.after(PREPARED).await?;
    close(&mut trial).await?;
    trial.restart().await?;
    trial.must(Call::Start).await?;
    goes_well(&mut trial).await?;

    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(STARTED).await?;
    close(&mut trial).await?;
    trial.require_running()?;
    trial.restart().await?;
    trial.must(Call::Start).await?;
    trial.require_running()
}

/// It may fail, but not hang or panic.
async fn close<S: Subject, T: Timer>(trial: &mut Trial<'_, S, T>) -> Verdict {
    match trial.call_once(Call::Close).await {
        Ok(()) | Err(Fault::Error(_)) => Ok(()),
        Err(fault) => trial.require(false, "`close` returns", &fault),
    }
}

async fn closed<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    use Call::{Prepare, Remove, Shutdown, Start, Terminate, Update, Wait};
    for before in [&[], STARTED] {
        let mut trial = bench.task(Workload::Runs).await?;
        trial.after(before).await?;
        close(&mut trial).await?;
        // `wait` last: of one that goes on as before it never returns.
        let mut others = Vec::new();
        let mut is_closed = false;
        for call in [Update, Prepare, Start, Shutdown, Terminate, Remove, Wait] {
            if call == Wait && !is_closed {
                continue;
            }
            match trial.call_once(call).await {
                Err(Fault::Error(error)) if error.kind() == ErrorKind::Closed => is_closed = true,
                Err(fault) => others.push((call, fault.to_string())),
                Ok(()) => others.push((call, "it succeeded".to_string())),
            }
        }
        if let (true, Some((call, found))) = (is_closed, others.first()) {
            trial.require(false, &format!("`{call}` answers `closed` as others do"), found)?;
        }
    }
    Ok(())
}

async fn inspect_answers<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Runs).await?;
    answers(&mut trial).await?;
    for call in STARTED {
        trial.after(&[*call]).await?;
        answers(&mut trial).await?;
    }
    // Whether it succeeds is for another clause to say.
    _ = trial.call(Call::Shutdown).await;
    answers(&mut trial).await?;

    for job in bench.endings()? {
        let mut trial = bench.task(job).await?;
        trial.after(STARTED).await?;
        trial.ending().await;
        answers(&mut trial).await?;
    }
    Ok(())
}

async fn answers<S: Subject, T: Timer>(trial: &mut Trial<'_, S, T>) -> Verdict {
    const EXPECTED: &str = "`inspect` has an answer";
    match trial.inspect().await {
        Err(fault) => trial.require(false, EXPECTED, &fault),
        Ok(inspection) => {
            if let Inquiry::Failed(error) = inspection.container_status {
                trial.require(false, EXPECTED, &format!("no container status: {error:#}"))?;
            }
            if let Inquiry::Failed(error) = inspection.port_status {
                trial.require(false, EXPECTED, &format!("no port status: {error:#}"))?;
            }
            Ok(())
        }
    }
}

async fn inspect_exit_code<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Exits(CODE)).await?;
    trial.after(STARTED).await?;
    let Err(Fault::Error(error)) = trial.call(Call::Wait).await else { return Ok(()) };
    let Some(told) = error.exit_code() else { return Ok(()) };
    let Ok(inspection) = trial.inspect().await else { return Ok(()) };
    let Inquiry::Is(status) = inspection.container_status else { return Ok(()) };
    let found = format!("`inspect` tells the exit code {}", status.exit_code);
    trial.require(status.exit_code == told, &format!("the exit code {told}"), &found)
}

async fn update_equal<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Exits(0)).await?;
    for call in STARTED {
        update(&mut trial).await?;
        trial.must(*call).await?;
    }
    goes_well(&mut trial).await?;

    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(STARTED).await?;
    update(&mut trial).await?;
    trial.require_running()
}

async fn update<S: Subject, T: Timer>(trial: &mut Trial<'_, S, T>) -> Verdict {
    match trial.call(Call::Update).await {
        Ok(()) => Ok(()),
        Err(Fault::Error(error)) if error.kind() == ErrorKind::UpdateRejected => Ok(()),
        Err(fault) => trial.require(false, "`update` succeeds, or is rejected", &fault),
    }
}
