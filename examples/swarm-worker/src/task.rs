//! `SwarmTask`: the stored definition of one task, made from the manager's message.

mod container;
mod expand;
mod files;
mod labels;
mod mounts;
mod networks;
mod optional;
mod privileges;
mod refusal;

use std::collections::BTreeMap;
use std::time::Duration;

use agent_kit::Definition;
use docker_agent::definition::DockerDefinition;
use onward::Assignment;
use onward::agent::{AssignedTask, Policy};
use onward::lifecycle::TaskState;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::template::Context;
use crate::wire::task_spec::Runtime;
use crate::{status, wire};

/// The time that an engine has beyond a task's stop grace, before the task is killed.
const EXTRA_GRACE: Duration = Duration::from_secs(10);

/// One task of a service, as the worker stores it.
///
/// It has everything from the manager's message that the worker needs after a restart. It has no
/// secrets, no configs and no credentials: those are in
/// [`SwarmDependencies`](crate::dependencies::SwarmDependencies). Its templates are not expanded, so
/// that equal messages are equal tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SwarmTask {
    /// The id of the task.
    pub id: String,
    /// The name of the task and of its container: `<service>.<slot, or node id>.<task id>`.
    pub name: String,
    /// The number of the replica in its service, from 1. It is 0 for a global service.
    pub slot: u64,
    /// The id of the node that runs the task.
    pub node_id: String,
    /// The service of the task.
    pub service: Service,
    /// Whether the image may need credentials of its registry.
    pub has_credentials: bool,
    /// What the task runs.
    pub workload: Workload,
}

/// The service of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The labels of the service. Those of the container are in its definition.
    pub labels: BTreeMap<String, String>,
}

/// What a task runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// A container. Its templates are not expanded.
    Container(Box<DockerDefinition>),
    /// Nothing: the task is REJECTED with this message, which names the option that is wrong or
    /// not supported.
    Refused(String),
}

impl SwarmTask {
    /// Reads a task of a manager's message. `None`: the task has no id.
    ///
    /// A task that is malformed, or that this worker does not support, is
    /// [`Workload::Refused`]. Assign it like any other: the executor rejects it, and the manager
    /// gets the message in its status.
    ///
    /// The status is the one that the manager has. The policy has the task's stop grace.
    #[must_use]
    pub fn from_wire(task: &wire::Task) -> Option<AssignedTask<Self>> {
        if task.id.is_empty() {
            return None;
        }
        let (desired_state, refused) = match TaskState::try_from(task.desired_state) {
            Ok(state) => (state, None),
            Err(unknown) => (TaskState::Running, Some(format!("desired_state: {unknown}"))),
        };
        let mut definition = Self::read(task);
        if let Some(refused) = refused {
            definition.workload = Workload::Refused(refused);
        }
        let policy = definition.policy();
        let assignment = Assignment::new(task.id.as_str(), definition)
            .with_desired_state(desired_state)
            .with_service_id(task.service_id.as_str());
        let assigned = AssignedTask::new(assignment).with_policy(policy);
        Some(match task.status.as_ref().and_then(status::from_wire) {
            Some(status) => assigned.with_status(status),
            None => assigned,
        })
    }

    fn read(task: &wire::Task) -> Self {
        let wire::Annotations { name: service, labels, .. } =
            task.service_annotations.clone().unwrap_or_default();
        let name = name(task);
        let runtime = task.spec.as_ref().and_then(|spec| spec.runtime.as_ref());
        let workload = match runtime {
            Some(Runtime::Container(spec)) => container::definition(task, &name, spec)
                .map_err(|refusal| refusal.to_string())
                .and_then(storable)
                .map(|definition| Workload::Container(Box::new(definition))),
            Some(Runtime::Attachment(_)) => Err("the task attaches a container that `docker run` \
                has started to a network of the swarm, and this worker has no such networks"
                .to_owned()),
            Some(Runtime::Generic(generic)) => Err(format!(
                "the runtime {:?} is not supported by this worker; it runs containers",
                generic.kind
            )),
            None => Err("spec.runtime: it is missing, or not known to this worker".to_owned()),
        };
        Self {
            id: task.id.clone(),
            name,
            slot: task.slot,
            node_id: task.node_id.clone(),
            service: Service { id: task.service_id.clone(), name: service, labels },
            has_credentials: registry_auth(task).is_some(),
            workload: workload.unwrap_or_else(Workload::Refused),
        }
    }

    /// The definition of the container, with its templates expanded on this node.
    ///
    /// # Errors
    ///
    /// The task is [`Workload::Refused`], or a template is wrong. The text names the option.
    pub fn expand(&self, node: &wire::NodeDescription) -> Result<DockerDefinition, String> {
        match &self.workload {
            Workload::Container(container) => {
                expand::expand(DockerDefinition::clone(container), &self.context(node))
                    .map_err(|refusal| refusal.to_string())
            }
            Workload::Refused(reason) => Err(reason.clone()),
        }
    }

    /// The values that the templates of the task can use on this node.
    #[must_use]
    pub fn context(&self, node: &wire::NodeDescription) -> Context {
        let platform = node.platform.clone().unwrap_or_default();
        Context {
            service_id: self.service.id.clone(),
            service_name: self.service.name.clone(),
            service_labels: self.service.labels.clone(),
            node_id: self.node_id.clone(),
            node_hostname: node.hostname.clone(),
            node_architecture: platform.architecture,
            node_os: platform.os,
            task_id: self.id.clone(),
            task_name: self.name.clone(),
            task_slot: slot(self.slot, &self.node_id),
        }
    }

    /// The policy of the driver: the task is killed if the engine does not stop it within its stop
    /// grace and ten seconds more. A task that the manager removes while it runs is shut down
    /// first.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let policy = Policy::default().with_shutdown_before_removal(true);
        match &self.workload {
            Workload::Container(container) => {
                policy.with_shutdown_grace(container.stop_grace.saturating_add(EXTRA_GRACE))
            }
            Workload::Refused(_) => policy,
        }
    }
}

/// The name of a task: its own, or `<service>.<slot, or node id>.<task id>`.
fn name(task: &wire::Task) -> String {
    let own = task.annotations.as_ref().map(|own| &*own.name).unwrap_or_default();
    if !own.is_empty() {
        return own.to_owned();
    }
    let service = task.service_annotations.as_ref().map(|service| &*service.name);
    format!("{}.{}.{}", service.unwrap_or_default(), slot(task.slot, &task.node_id), task.id)
}

/// A global service has no slots, and one task on each node.
fn slot(slot: u64, node_id: &str) -> String {
    if slot == 0 { node_id.to_owned() } else { slot.to_string() }
}

/// The registry credentials of a task, coded, if its message has some.
pub(crate) fn registry_auth(task: &wire::Task) -> Option<&str> {
    let Some(Runtime::Container(spec)) = task.spec.as_ref()?.runtime.as_ref() else { return None };
    let credentials = &*spec.pull_options.as_ref()?.registry_auth;
    (!credentials.is_empty()).then_some(credentials)
}

/// Checks that the definition can be read again after a restart. So it passes all checks of a
/// definition in a task file.
fn storable(definition: DockerDefinition) -> Result<DockerDefinition, String> {
    let stored = serde_json::to_value(&definition).map_err(|error| error.to_string())?;
    match serde_path_to_error::deserialize::<_, DockerDefinition>(stored) {
        Ok(_) => Ok(definition),
        Err(error) => Err(format!("{}: {}", error.path(), error.inner())),
    }
}

impl Definition for SwarmTask {
    fn container_spec(&self) -> Value {
        match &self.workload {
            Workload::Container(container) => container.container_spec(),
            Workload::Refused(_) => Value::Object(serde_json::Map::new()),
        }
    }

    fn name(&self) -> Option<&str> {
        Some(&self.name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a test fails by panicking
mod tests;
