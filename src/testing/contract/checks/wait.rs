//! How what is said of `wait` is checked.

use super::STARTED;
use crate::agent::Timer;
use crate::testing::Call;
use crate::testing::contract::bench::{Bench, Stop, Verdict, told};
use crate::testing::contract::{Subject, Workload};

pub(super) async fn wait_running<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(STARTED).await?;
    let returned = trial.glimpse(Call::Wait).await;
    trial.require(!returned, "`wait` waits on", &"it has returned")
}

pub(super) async fn wait_fails<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let badly = bench.endings()?.into_iter().find(|ending| *ending != Workload::Exits(0));
    let Some(job) = badly else {
        return Err(Stop::Unchecked("there is no workload that ends badly".into()));
    };
    let mut trial = bench.task(job).await?;
    trial.after(STARTED).await?;
    trial.require_error().await
}

pub(super) async fn wait_dropped<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
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

pub(super) async fn wait_repeated<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    for job in bench.endings()? {
        let mut trial = bench.task(job).await?;
        trial.after(STARTED).await?;
        let ending = trial.ending().await;
        trial.require_ending(&ending).await?;
        trial.require_ending(&ending).await?;
    }
    Ok(())
}

pub(super) async fn wait_taken_up<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
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

pub(super) async fn exit_code<S: Subject, T: Timer>(
    bench: &Bench<'_, S, T>,
    workload: Workload,
    code: i32,
) -> Verdict {
    let mut trial = bench.task(workload).await?;
    trial.after(STARTED).await?;
    trial.require_ending(&told(Some(code))).await
}
