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

/// Returns why a task is not as wanted, if its status does not show it. Its removal or its change
/// failed, or its controller refused the definition, or the task ended before its definition
/// changed.
pub(crate) fn note(
    snapshot: &Snapshot,
    removal_error: Option<&str>,
    is_removing: bool,
    is_redefined: bool,
) -> String {
    if let Some(error) = removal_error {
        return format!("cannot be removed: {error}");
    }
    match (&snapshot.definition, &snapshot.last_error) {
        (_, Some(error)) if is_removing => format!("not removed yet, trying again: {error}"),
        _ if is_redefined && snapshot.status.state.is_terminal() => {
            let err = snapshot.status.err.as_deref().map(|err| format!("{err}; "));
            format!(
                "{}it has ended, so its change has no effect: delete it from the file, save, and \
                 put it in again",
                err.unwrap_or_default()
            )
        }
        (DefinitionStatus::Refused(reason), _) => format!("its change was refused: {reason}"),
        (DefinitionStatus::Outdated, Some(error)) => {
            format!("its change has no effect yet, trying again: {error}")
        }
        _ => String::new(),
    }
}
