//! A task as the agent tells of it, in the form of the Docker Engine API's `GET /tasks`.

use std::collections::BTreeMap;

use onward::agent::TaskView;
use onward::{TaskState, TaskStatus};
use serde::{Deserialize, Serialize};
use time::UtcDateTime;
use time::format_description::well_known::Rfc3339;

use crate::agent::note;
use crate::definition::ProcessDefinition;

/// A task, and what its form has no place for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Listed {
    /// The task.
    pub task: ListedTask,
    /// A change that it has refused, or what is left of it; empty where there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A task in the Engine API's form, with what is known of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedTask {
    /// Its name, which is its id here.
    #[serde(rename = "ID")]
    pub id: String,
    /// The version of its definition.
    pub version: Version,
    /// Not known here, which the API writes as the year 1.
    pub created_at: String,
    /// When its status has changed last.
    pub updated_at: String,
    /// It has its name, and no labels.
    pub name: String,
    /// None.
    pub labels: BTreeMap<String, String>,
    /// What it is.
    pub spec: Spec,
    /// How far it is.
    pub status: TaskStatus,
    /// The state that it is wanted in; `remove` if it is no longer in the file.
    pub desired_state: String,
}

/// The version of a definition.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Version {
    /// It grows with each change.
    pub index: u64,
}

/// What a task is. The API knows containers, so a process is described as one without an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Spec {
    /// The process.
    pub container_spec: ContainerSpec,
}

/// A process, with the API's words.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ContainerSpec {
    /// The executable and its arguments.
    pub command: Vec<String>,
    /// Variables that are set, each as `NAME=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dir: Option<String>,
    /// The signal that asks it to end.
    pub stop_signal: String,
    /// How long it may take then, in nanoseconds.
    pub stop_grace_period: u64,
}

impl Listed {
    /// What there is to tell of a task.
    #[must_use]
    pub fn of(view: &TaskView<ProcessDefinition>) -> Self {
        let record = &view.record;
        // What the process has, where it has not taken a change.
        let assignment = record.previous.as_deref().unwrap_or(&record.assignment);
        let status = view.snapshot.status.clone();
        let desired =
            if record.removing { TaskState::Remove } else { record.assignment.desired_state };
        let task = ListedTask {
            id: assignment.id.clone(),
            version: Version { index: assignment.version },
            created_at: time(None),
            updated_at: time(status.timestamp),
            name: assignment.id.clone(),
            labels: BTreeMap::new(),
            spec: Spec { container_spec: ContainerSpec::of(&assignment.definition) },
            status,
            desired_state: desired.as_str().to_owned(),
        };
        Self { task, note: note(&view.snapshot, view.left.as_ref()) }
    }
}

impl ContainerSpec {
    fn of(definition: &ProcessDefinition) -> Self {
        let ProcessDefinition { command, env, dir, stop_signal, stop_grace, .. } = definition;
        Self {
            command: command.clone(),
            env: env.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            dir: dir.as_ref().map(|dir| dir.display().to_string()),
            stop_signal: format!("SIG{stop_signal}"),
            stop_grace_period: u64::try_from(stop_grace.as_nanos()).unwrap_or(u64::MAX),
        }
    }
}

/// A time as the API writes it.
fn time(at: Option<UtcDateTime>) -> String {
    let none = || "0001-01-01T00:00:00Z".to_owned();
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(none)
}
