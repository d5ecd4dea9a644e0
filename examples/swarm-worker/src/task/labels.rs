//! The labels of a container.

use std::collections::BTreeMap;

use crate::wire;

const PREFIX: &str = "com.docker.swarm.";

/// Those of the service's container, those of the task, and the swarm's own, which take
/// precedence.
pub(super) fn labels(
    task: &wire::Task,
    name: &str,
    spec: &wire::ContainerSpec,
) -> BTreeMap<String, String> {
    let mut labels = spec.labels.clone();
    if let Some(own) = &task.annotations {
        labels.extend(own.labels.clone());
    }
    let service = task.service_annotations.as_ref().map(|service| &*service.name);
    let swarm = [
        ("task", ""),
        ("task.id", &task.id),
        ("task.name", name),
        ("node.id", &task.node_id),
        ("service.id", &task.service_id),
        ("service.name", service.unwrap_or_default()),
    ];
    labels.extend(swarm.map(|(key, value)| (format!("{PREFIX}{key}"), value.to_owned())));
    labels
}
