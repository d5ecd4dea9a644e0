//! Checks of `close`.

use super::steps::{PREPARED, STARTED, lives};
use crate::exec::Call;
use crate::exec::ErrorKind;
use crate::testing::contract::call::Fault;
use crate::testing::contract::clause_run::ClauseRun;
use crate::testing::contract::subject::{Subject, Workload};
use crate::testing::contract::tested_task::TestedTask;
use crate::testing::contract::verdict::Verdict;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

pub(super) async fn keeps_workload<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    let mut task = TestedTask::new(run, Workload::Exits(0)).await?;
    task.after(PREPARED).await?;
    close(&mut task).await?;
    task.new_controller().await?;
    task.must(Call::Start).await?;
    lives(&mut task).await?;

    let mut task = TestedTask::new(run, Workload::Runs).await?;
    task.after(STARTED).await?;
    close(&mut task).await?;
    task.require_running()?;
    task.new_controller().await?;
    task.must(Call::Start).await?;
    task.require_running()
}

/// `close` may fail, but must not hang or panic.
async fn close<S: Subject>(task: &mut TestedTask<'_, S>) -> Verdict {
    match task.call_once(Call::Close).await {
        Ok(()) | Err(Fault::Error(_)) => Ok(()),
        Err(fault) => task.require(false, "`close` returns", &fault),
    }
}

pub(super) async fn calls_after_close<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    use Call::{Prepare, Remove, Shutdown, Start, Terminate, Update, Wait};
    for before in [&[], STARTED] {
        let mut task = TestedTask::new(run, Workload::Runs).await?;
        task.after(before).await?;
        close(&mut task).await?;
        // `wait` is last, and is called only if another operation is closed. Otherwise it
        // would never return.
        let mut others = Vec::new();
        let mut is_closed = false;
        for call in [Update, Prepare, Start, Shutdown, Terminate, Remove, Wait] {
            if call == Wait && !is_closed {
                continue;
            }
            match task.call_once(call).await {
                Err(Fault::Error(error)) if error.kind() == ErrorKind::Closed => is_closed = true,
                Err(fault) => others.push((call, fault.to_string())),
                Ok(()) => others.push((call, "it succeeded".to_string())),
            }
        }
        if let (true, Some((call, found))) = (is_closed, others.first()) {
            let expected = format!("`{call}` fails with `closed`, as other operations do");
            task.require(false, &expected, found)?;
        }
    }
    Ok(())
}
