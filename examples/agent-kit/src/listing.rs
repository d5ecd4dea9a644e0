//! A task in the form of the Docker Engine API's `GET /tasks`, for `ps --json`.

use std::collections::BTreeMap;

use onward::agent::worker::TaskView;
use onward::lifecycle::{ContainerStatus, PortStatus};
use onward::{TaskState, TaskStatus};
use serde::{Deserialize, Serialize};
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::kind::Definition;
use crate::note::{is_redefined, note};
use crate::spec::TaskSpec;
use crate::tasks::name;
use crate::workload::pid;

/// A task in the Engine API's form, with a note that this form has no field for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// The task.
    pub task: ListedTask,
    /// Why the task is not as wanted, if its status does not show it. Empty in most cases.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A task in the Engine API's form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedTask {
    /// The id of the task.
    #[serde(rename = "ID")]
    pub id: String,
    /// The version of the task.
    pub version: Version,
    /// When the task was first assigned.
    pub created_at: String,
    /// When the status last changed.
    pub updated_at: String,
    /// The name of the task. It is the id, except in an agent whose tasks have
    /// [names](Definition::name).
    pub name: String,
    /// Always empty.
    pub labels: BTreeMap<String, String>,
    /// The definition.
    pub spec: Spec,
    /// The status.
    pub status: ListedStatus,
    /// The desired state. `remove` if the task is no longer in the file.
    pub desired_state: String,
    /// The result of [`TaskExecutor::details`](crate::TaskExecutor::details). The API has no such
    /// field.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// The version of a task. The API requires it, but this agent does not count versions.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// Always 1.
    pub index: u64,
}

/// The status of a task in the Engine API's form. An unknown process id or exit code is left out,
/// so that it does not read as 0.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedStatus {
    /// When the status last changed.
    pub timestamp: String,
    /// The state.
    pub state: TaskState,
    /// The last step of the task.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The last error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub err: Option<String>,
    /// The process, if one was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_status: Option<ListedProcess>,
    /// The ports that are published now.
    pub port_status: PortStatus,
}

/// A process: the API's `ContainerStatus`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedProcess {
    /// The name of the task. A process id can be reused, so it is no id.
    #[serde(rename = "ContainerID")]
    pub container_id: String,
    /// The process id, while the task has not ended.
    #[serde(rename = "PID", default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i32>,
    /// The exit code, if the process has ended and the exit code is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

/// The definition of a task.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Spec {
    /// The result of [`Definition::container_spec`].
    pub container_spec: serde_json::Value,
}

impl Listed {
    /// Makes the listing of a task.
    #[must_use]
    pub fn of<D: Definition>(
        view: &TaskView<TaskSpec<D>>,
        details: BTreeMap<String, String>,
    ) -> Self {
        let record = &view.record;
        // If the controller has not taken the wanted definition, show the one that it has.
        let assignment = record.applied.as_deref().unwrap_or(&record.assignment);
        let status = &view.snapshot.status;
        let task = ListedTask {
            id: assignment.id.to_string(),
            version: Version { index: 1 },
            created_at: created_at(view),
            updated_at: time(status.timestamp),
            name: name(view).to_owned(),
            labels: BTreeMap::new(),
            spec: Spec { container_spec: assignment.definition.definition.container_spec() },
            status: ListedStatus::of(status),
            desired_state: desired_state(view).as_str().to_owned(),
            details,
        };
        Self { task, note: note_of(view) }
    }
}

/// Returns why the task is not as wanted, if its status does not show it.
pub(crate) fn note_of<D: Definition>(view: &TaskView<TaskSpec<D>>) -> String {
    let TaskView { record, snapshot, removal_error, .. } = view;
    note(snapshot, removal_error.as_deref(), record.removing, is_redefined(record))
}

/// Returns when the task was first assigned.
pub(crate) fn created_at<D>(view: &TaskView<TaskSpec<D>>) -> String {
    let record = &view.record;
    let assignment = record.applied.as_deref().unwrap_or(&record.assignment);
    time(Some(assignment.definition.assigned_at))
}

/// Returns the desired state of the task. A task that is no longer in the file is shut down first,
/// and then removed.
pub(crate) fn desired_state<D>(view: &TaskView<TaskSpec<D>>) -> TaskState {
    let is_removed = view.record.removing && view.has_ended();
    if is_removed { TaskState::Remove } else { view.record.assignment.desired_state }
}

impl ListedStatus {
    pub(crate) fn of(status: &TaskStatus) -> Self {
        Self {
            timestamp: time(status.timestamp),
            state: status.state,
            message: status.message.to_string(),
            err: status.err.as_deref().map(str::to_owned),
            container_status: ListedProcess::of(status),
            port_status: status.port_status.clone(),
        }
    }

    /// Returns when the status last changed, if that is known.
    #[must_use]
    pub fn changed_at(&self) -> Option<UtcDateTime> {
        let at = UtcDateTime::parse(&self.timestamp, &Rfc3339).ok();
        at.filter(|_| self.timestamp != NO_TIME)
    }
}

impl ListedProcess {
    fn of(status: &TaskStatus) -> Option<Self> {
        let ContainerStatus { container_id, exit_code, .. } = status.container_status.clone()?;
        Some(Self { container_id, pid: pid(status), exit_code })
    }
}

/// An unknown time in the form of the API.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// Formats a time in the form of the API.
fn time(at: Option<UtcDateTime>) -> String {
    let none = || NO_TIME.to_owned();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(none)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn a_task_that_has_ended_has_no_process() {
        let check = |state, expected: &str| {
            let mut status = TaskStatus::new(state);
            let pid = Some(4711);
            status.container_status = Some(ContainerStatus { pid, ..ContainerStatus::default() });
            let listed = ListedStatus::of(&status).container_status;
            assert_eq!(serde_json::to_string(&listed).unwrap(), expected, "{state}");
        };
        check(TaskState::Running, r#"{"ContainerID":"","PID":4711}"#);
        for state in [TaskState::Shutdown, TaskState::Failed, TaskState::Orphaned] {
            check(state, r#"{"ContainerID":""}"#);
        }
    }
}
