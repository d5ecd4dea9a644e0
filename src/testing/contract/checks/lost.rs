//! How the death of the agent's process is checked.

use super::{PREPARED, STARTED};
use crate::agent::Timer;
use crate::testing::Call;
use crate::testing::contract::bench::{Bench, Fault, Stop, Trial, Verdict};
use crate::testing::contract::{Subject, Workload};

/// The process dies after the workload has ended.
pub(super) async fn lost_ending<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
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

/// The process dies while the workload runs, and the workload with it.
pub(super) async fn lost_work<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    for call in [Call::Shutdown, Call::Terminate, Call::Remove] {
        let mut trial = lost(bench).await?;
        trial.must(call).await?;
        trial.require_end(call)?;
    }
    let mut trial = lost(bench).await?;
    // Where it lives on, or is begun anew by this, other clauses have taken it up.
    trial.glimpse(Call::Wait).await;
    if !trial.observe().running {
        trial.require_error().await?;
    }
    let mut trial = lost(bench).await?;
    start_again(&mut trial).await?;
    trial.require_no_second_start()
}

/// The process dies while it starts the workload.
pub(super) async fn lost_start<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let [.., job] = bench.endings()?[..] else { return Ok(()) };
    for polls in 0..=bench.contract.polls {
        {
            let mut trial = bench.task(job).await?;
            trial.after(PREPARED).await?;
            let started = trial.drop_after(Call::Start, polls).await;
            trial.die().await?;
            if start_again(&mut trial).await? {
                trial.ending().await;
            }
            trial.require_no_second_start()?;
            if started {
                break;
            }
        }
        bench.clear().await;
    }
    Ok(())
}

async fn lost<'a, S: Subject, T: Timer>(
    bench: &'a Bench<'a, S, T>,
) -> Result<Trial<'a, S, T>, Stop> {
    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(STARTED).await?;
    trial.die().await?;
    Ok(trial)
}

/// Whether `start` says that it was started, or that it is lost, is its own business; but
/// it says one of both.
async fn start_again<S: Subject, T: Timer>(trial: &mut Trial<'_, S, T>) -> Result<bool, Stop> {
    match trial.call(Call::Start).await {
        Ok(()) => Ok(true),
        Err(Fault::Error(_)) => Ok(false),
        Err(fault) => trial.require(false, "`start` answers", &fault).map(|()| false),
    }
}
