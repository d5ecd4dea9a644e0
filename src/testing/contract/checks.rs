//! Calls the check of each clause. The checks are in the files below.

mod basics;
mod close;
mod end;
mod executor;
mod inspect;
mod other_tasks;
mod repeatable;
mod restart;
mod steps;
mod update;
mod wait;

use super::clause::Clause;
use super::clause_run::{ClauseRun, FAILURE};
use super::subject::{Subject, Workload};
use super::verdict::Verdict;
use crate::exec::Call;
use repeatable::{PREPARE, REMOVE, SHUTDOWN, START};
use steps::{PREPARED, STARTED};

/// SIGKILL on every system.
const SIGNAL: i32 = 9;

/// Checks the clause of the run.
pub(super) async fn check<S: Subject>(run: &ClauseRun<'_, S>) -> Verdict {
    match run.clause {
        Clause::ControllerMade => basics::controller_made(run).await,
        Clause::PrepareSucceeds => basics::prepare_succeeds(run).await,
        Clause::StartRuns => basics::start_runs(run).await,
        Clause::Life => basics::life(run).await,
        Clause::PrepareStartsNothing => basics::prepare_starts_nothing(run).await,
        Clause::PrepareDropped => repeatable::dropped(run, PREPARE, false).await,
        Clause::PrepareRepeated => repeatable::repeated(run, PREPARE).await,
        Clause::PrepareNewController => repeatable::new_controller(run, PREPARE).await,
        Clause::StartDropped => repeatable::dropped(run, START, false).await,
        Clause::StartRepeated => repeatable::repeated(run, START).await,
        Clause::StartNewController => repeatable::new_controller(run, START).await,
        Clause::WaitWhileRunning => wait::while_running(run).await,
        Clause::WaitReportsFailure => wait::reports_failure(run).await,
        Clause::WaitDropped => wait::dropped(run).await,
        Clause::WaitRepeated => wait::repeated(run).await,
        Clause::WaitNewController => wait::new_controller(run).await,
        Clause::WaitExitCode => wait::exit_code(run, Workload::Exits(FAILURE), FAILURE).await,
        Clause::WaitSignalExitCode => {
            wait::exit_code(run, Workload::DiesOfSignal(SIGNAL), 128 + SIGNAL).await
        }
        Clause::ShutdownEnds => end::ends(run, Call::Shutdown).await,
        Clause::ShutdownOfNothing => end::of_nothing(run, Call::Shutdown).await,
        Clause::ShutdownDropped => repeatable::dropped(run, SHUTDOWN, false).await,
        Clause::ShutdownRepeated => repeatable::repeated(run, SHUTDOWN).await,
        Clause::ShutdownNewController => repeatable::new_controller(run, SHUTDOWN).await,
        Clause::ShutdownAfterDroppedStart => {
            end::after_dropped(run, PREPARED, Call::Start, Call::Shutdown).await
        }
        Clause::TerminateEnds => {
            end::ends(run, Call::Terminate).await?;
            end::after_dropped(run, STARTED, Call::Shutdown, Call::Terminate).await
        }
        Clause::TerminateForces => end::terminate_forces(run).await,
        Clause::TerminateOfNothing => end::of_nothing(run, Call::Terminate).await,
        Clause::RemoveLeavesNothing => end::remove_leaves_nothing(run).await,
        Clause::RemoveOfNothing => end::remove_of_nothing(run).await,
        Clause::RemoveDropped => repeatable::dropped(run, REMOVE, false).await,
        Clause::RemoveRepeated => repeatable::repeated(run, REMOVE).await,
        Clause::RemoveNewController => repeatable::new_controller(run, REMOVE).await,
        Clause::RemoveAfterDroppedCall => end::remove_after_dropped_call(run).await,
        Clause::CloseKeepsWorkload => close::keeps_workload(run).await,
        Clause::CallsAfterClose => close::calls_after_close(run).await,
        Clause::RestartKeepsResult => restart::keeps_result(run).await,
        Clause::RestartStartsOnce => restart::starts_once(run).await,
        Clause::RestartReportsLostWorkload => restart::reports_lost_workload(run).await,
        Clause::OtherTasksUntouched => other_tasks::untouched(run).await,
        Clause::InspectSucceeds => inspect::succeeds(run).await,
        Clause::InspectExitCode => inspect::exit_code(run).await,
        Clause::UpdateUnchanged => update::unchanged(run).await,
        Clause::UpdateTaken => update::taken(run).await,
        Clause::UpdateRefused => update::refused(run).await,
        Clause::UpdateDropped => update::dropped(run).await,
        Clause::UpdateNewController => update::new_controller(run).await,
        Clause::ListExisting => executor::list_existing(run).await,
        Clause::ListRemoved => executor::list_removed(run).await,
        Clause::ReconcileRemoves => executor::reconcile_removes(run).await,
        Clause::ReconcileRepeated => executor::reconcile_repeated(run).await,
        Clause::ReconcileDropped => executor::reconcile_dropped(run).await,
        Clause::ReconcileOtherTasks => executor::reconcile_other_tasks(run).await,
        Clause::NothingComesBack => end::nothing_comes_back(run).await,
    }
}
