//! Notes about a task that its status does not contain.

use onward::agent::Snapshot;
use onward::agent::driver::DefinitionStatus;
use onward::agent::store::TaskRecord;

use crate::spec::TaskSpec;

/// Whether the task file has another definition than the running task.
pub(crate) fn is_redefined<D: PartialEq>(record: &TaskRecord<TaskSpec<D>>) -> bool {
    let wanted = &record.assignment.definition.definition;
    record.applied.as_ref().is_some_and(|applied| applied.definition.definition != *wanted)
}

/// Returns why a task is not as wanted, if its status does not show it. Its removal failed, or its
/// controller refused the definition, or the task ended before its definition changed.
pub(crate) fn note(snapshot: &Snapshot, removal_error: Option<&str>, is_redefined: bool) -> String {
    match (removal_error, &snapshot.definition) {
        (Some(error), _) => format!("cannot be removed: {error}"),
        (None, DefinitionStatus::Refused(reason)) => format!("its change was refused: {reason}"),
        (None, _) if is_redefined && snapshot.status.state.is_terminal() => {
            let err = snapshot.status.err.as_deref().map(|err| format!("{err}; "));
            format!(
                "{}it has ended, so its change has no effect: delete it from the file, save, and \
                 put it in again",
                err.unwrap_or_default()
            )
        }
        (None, _) => String::new(),
    }
}
