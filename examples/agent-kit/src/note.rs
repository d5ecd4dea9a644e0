//! Remarks about a task that its status does not have.

use onward::agent::Snapshot;
use onward::agent::driver::DefinitionStatus;
use onward::agent::store::TaskRecord;

use crate::spec::TaskSpec;

/// Whether the file has another definition than the task was begun with.
pub(crate) fn is_redefined<D: PartialEq>(record: &TaskRecord<TaskSpec<D>>) -> bool {
    let wanted = &record.assignment.definition.definition;
    record.applied.as_ref().is_some_and(|applied| applied.definition.definition != *wanted)
}

/// Why a task is not as wanted, if its status does not show it: its removal failed, its
/// controller refused the definition, or the task has ended before it was redefined.
pub(crate) fn note(snapshot: &Snapshot, removal_error: Option<&str>, is_redefined: bool) -> String {
    match (removal_error, &snapshot.definition) {
        (Some(error), _) => format!("could not be removed: {error}"),
        (None, DefinitionStatus::Refused(reason)) => format!("its change was refused: {reason}"),
        (None, _) if is_redefined && snapshot.status.state.is_terminal() => {
            let err = snapshot.status.err.as_deref().map(|err| format!("{err}; "));
            format!(
                "{}it has ended, so its change has no effect: leave it out of the file, save, and \
                 put it in again",
                err.unwrap_or_default()
            )
        }
        (None, _) => String::new(),
    }
}
