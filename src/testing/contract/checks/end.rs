//! How what ends, removes or closes is checked.

use super::{PREPARED, STARTED, goes_well};
use crate::agent::Timer;
use crate::exec::ErrorKind;
use crate::testing::Call;
use crate::testing::contract::bench::{Bench, Fault, Stop, Trial, Verdict};
use crate::testing::contract::{Subject, Workload};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

pub(super) async fn ends<S: Subject, T: Timer>(bench: &Bench<'_, S, T>, call: Call) -> Verdict {
    let mut trial = bench.task(Workload::Runs).await?;
    trial.after(STARTED).await?;
    trial.must(call).await?;
    trial.require_end(call)
}

pub(super) async fn terminate_forces<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut trial = bench.task(Workload::Disobeys).await?;
    trial.after(STARTED).await?;
    // It may take it a while before it knows how not to obey.
    trial.glimpse(Call::Wait).await;
    trial.glimpse(Call::Shutdown).await;
    if !trial.observe().running {
        return Err(Stop::Unchecked("the workload has obeyed".into()));
    }
    trial.must(Call::Terminate).await?;
    trial.require_end(Call::Terminate)
}

/// One task runs, and another one is ended beside it.
pub(super) async fn neighbours<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
    let mut neighbour = bench.task(Workload::Runs).await?;
    neighbour.after(STARTED).await?;
    for call in [Call::Shutdown, Call::Terminate, Call::Remove, Call::Close] {
        let mut trial = bench.task(Workload::Runs).await?;
        trial.after(STARTED).await?;
        // Whether it succeeds is for another clause to say.
        _ = trial.call(call).await;
        neighbour.require_running()?;
    }
    let has_ended = neighbour.glimpse(Call::Wait).await;
    neighbour.require(!has_ended, "`wait` goes on", &"it has returned")
}

pub(super) async fn of_nothing<S: Subject, T: Timer>(
    bench: &Bench<'_, S, T>,
    call: Call,
) -> Verdict {
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
pub(super) async fn abandoned<S: Subject, T: Timer>(
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

pub(super) async fn remove_frees<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
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

pub(super) async fn close_leaves<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
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

pub(super) async fn closed<S: Subject, T: Timer>(bench: &Bench<'_, S, T>) -> Verdict {
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
