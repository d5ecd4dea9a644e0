//! Applies the changes of one message: first to the dependencies, then to the tasks.

use std::sync::Arc;

use agent_kit::spec::TaskSpec;
use agent_kit::tasks::Tasks;
use onward::Assignment;
use onward::agent::worker::RefusedTask;
use onward::agent::{AssignError, AssignedTask, AssignmentChange};
use time::UtcDateTime;

use super::changes::{Change, Changes};
use crate::dependencies::SwarmDependencies;
use crate::task::SwarmTask;
use crate::wire;

/// Applies the changes of one message. Secrets, configs and credentials come first, because the
/// tasks of the same message need them.
///
/// After a failure it can be called again with the same changes. Returns the tasks that could not be
/// changed.
///
/// # Errors
///
/// The tasks could not be stored. They are unchanged.
///
/// # Cancel safety
///
/// If you drop the future, the changes are applied or not. You can apply them again.
pub async fn apply(
    changes: &Changes,
    tasks: &Tasks<SwarmTask>,
    dependencies: &SwarmDependencies,
) -> Result<Vec<RefusedTask>, AssignError> {
    take_dependencies(changes, tasks, dependencies);
    if changes.is_complete {
        let assigned = changes.tasks.values().filter_map(|change| match change {
            Change::Update(task) => assigned(task),
            Change::Remove => None,
        });
        return tasks.assign(assigned).await;
    }
    if changes.tasks.is_empty() {
        return Ok(Vec::new());
    }
    let updates = changes.tasks.iter().filter_map(|(id, change)| match change {
        Change::Update(task) => assigned(task).map(AssignmentChange::Update),
        Change::Remove => Some(AssignmentChange::Remove(id.clone())),
    });
    tasks.update(updates).await
}

fn take_dependencies(
    changes: &Changes,
    known: &Tasks<SwarmTask>,
    dependencies: &SwarmDependencies,
) {
    let Changes { is_complete, secrets, configs, tasks } = changes;
    if *is_complete {
        dependencies.replace(
            secrets.values().cloned().filter_map(Change::updated),
            configs.values().cloned().filter_map(Change::updated),
        );
        for view in known.tasks() {
            if !tasks.contains_key(view.id()) {
                dependencies.remove_task(view.id());
            }
        }
    } else {
        for (id, change) in secrets {
            match change {
                Change::Update(secret) => dependencies.update_secret(secret.clone()),
                Change::Remove => dependencies.remove_secret(id),
            }
        }
        for (id, change) in configs {
            match change {
                Change::Update(config) => dependencies.update_config(config.clone()),
                Change::Remove => dependencies.remove_config(id),
            }
        }
    }
    for (id, change) in tasks {
        match change {
            Change::Update(task) => dependencies.update_task(task),
            Change::Remove => dependencies.remove_task(id),
        }
    }
}

/// Returns the task in the form of the kit.
fn assigned(task: &wire::Task) -> Option<AssignedTask<TaskSpec<SwarmTask>>> {
    let AssignedTask { assignment, policy, status, .. } = SwarmTask::from_wire(task)?;
    let assigned_at = created_at(task).unwrap_or(UtcDateTime::UNIX_EPOCH);
    let Assignment { id, desired_state, definition, service_id, .. } =
        Arc::unwrap_or_clone(assignment);
    let spec = TaskSpec { definition, assigned_at, is_stopped_by_exit: false };
    let mut assignment = Assignment::new(id, spec).with_desired_state(desired_state);
    assignment.service_id = service_id;
    let mut assigned = AssignedTask::new(assignment);
    (assigned.policy, assigned.status) = (policy, status);
    Some(assigned)
}

fn created_at(task: &wire::Task) -> Option<UtcDateTime> {
    let created_at = task.meta.as_ref()?.created_at.as_ref()?;
    crate::status::time_of(created_at)
}
