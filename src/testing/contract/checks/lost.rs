//! How the death of the agent's process is checked.

use super::STARTED;
use crate::agent::Timer;
use crate::testing::Call;
use crate::testing::contract::bench::{AN_ERROR, Bench, Verdict};
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

/// The process dies while the workload runs, and the workload with it; if it lives on,
/// it has been taken up in other clauses.
pub(super) async fn lost_work<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
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
