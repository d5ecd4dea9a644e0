//! How inquiries and updates are checked.

use super::{CODE, STARTED, goes_well};
use crate::agent::Timer;
use crate::exec::{ErrorKind, Inspected};
use crate::testing::Call;
use crate::testing::contract::bench::{Bench, Fault, Stop, Trial, Verdict};
use crate::testing::contract::{Subject, Workload};
use alloc::format;

pub(super) async fn inspect_answers<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
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
            if let Inspected::Failed(error) = inspection.container_status {
                trial.require(false, EXPECTED, &format!("no container status: {error:#}"))?;
            }
            if let Inspected::Failed(error) = inspection.port_status {
                trial.require(false, EXPECTED, &format!("no port status: {error:#}"))?;
            }
            Ok(())
        }
    }
}

pub(super) async fn inspect_exit_code<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Exits(CODE)).await?;
    trial.after(STARTED).await?;
    let told = match trial.call(Call::Wait).await {
        Err(Fault::Error(error)) => error.exit_code(),
        _ => None,
    };
    let inspection = trial.inspect().await.map(|inspection| inspection.container_status);
    let (Some(told), Ok(Inspected::Known(status))) = (told, inspection) else {
        return Err(Stop::Unchecked("`wait` or `inspect` tells none".into()));
    };
    let found = match status.exit_code {
        Some(exit_code) => format!("`inspect` tells the exit code {exit_code}"),
        None => String::from("`inspect` tells no exit code"),
    };
    trial.require(status.exit_code == Some(told), &format!("the exit code {told}"), &found)
}

pub(super) async fn update_equal<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
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
