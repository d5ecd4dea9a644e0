//! Changes of a definition: which are possible while the container runs, and how they are made.

use bollard::models::ContainerUpdateBody;
use futures::FutureExt as _;
use onward::exec::ControllerError;

use super::DockerController;
use crate::container::{Container, Found, Phase};
use crate::definition::{DockerDefinition, KEYS, Resources};
use crate::error::failed;

/// The keys that can be changed after the start.
const CHANGEABLE: [&str; 3] = ["resources", "stop_grace", "pull"];

impl DockerController {
    pub(super) async fn change(&mut self, new: &DockerDefinition) -> Result<(), ControllerError> {
        let old = self.container.definition.clone();
        if *old == *new {
            return Ok(());
        }
        new.check().map_err(reject)?;
        if old.container_name != new.container_name {
            return Err(ControllerError::update_rejected(
                "`container_name` cannot be changed; a task with another name can have it",
            ));
        }
        if (&old.image, &old.platform) != (&new.image, &new.platform) {
            self.pull = None;
            self.has_image = false;
        }
        let changed = self.container.with_definition(new);
        // A container that is being created is there after that.
        self.container.shared.jobs.settle(&self.container.task).await;
        match self.container.find().await? {
            None => {}
            Some(found) if found.phase() == Phase::Created => {
                self.get_image(new).await.map_err(reject)?;
                let replacing = changed.clone();
                self.run(async move { replacing.replace(&found).await }.boxed())
                    .await
                    .map_err(reject)?;
            }
            Some(found) => {
                let body = in_place(&old, new)?;
                let changing = changed.clone();
                self.run(async move { changing.change_resources(&found, body).await }.boxed())
                    .await?;
            }
        }
        self.container = changed;
        Ok(())
    }
}

impl Container {
    async fn change_resources(
        &self,
        found: &Found,
        body: ContainerUpdateBody,
    ) -> Result<(), ControllerError> {
        if body == ContainerUpdateBody::default() {
            return Ok(());
        }
        let client = self.shared.engine.client().await?;
        let updated = client.update_container(&found.id, body).await;
        updated.map_err(|error| reject(failed("`resources` cannot be changed", error)))
    }
}

/// A final error refuses the update, and the task keeps its definition.
fn reject(error: ControllerError) -> ControllerError {
    if error.is_temporary() {
        return error;
    }
    ControllerError::update_rejected("the definition cannot be changed").with_source(error)
}

/// The change of a container that was started, if it is possible.
fn in_place(
    old: &DockerDefinition,
    new: &DockerDefinition,
) -> Result<ContainerUpdateBody, ControllerError> {
    let fixed = fixed_keys(old, new)?;
    if !fixed.is_empty() {
        return Err(ControllerError::update_rejected(format!(
            "{} cannot be changed once the container was started; a task with another name can have it",
            fixed.join(", ")
        )));
    }
    if old.resources == new.resources {
        return Ok(ContainerUpdateBody::default());
    }
    resources(&old.resources, &new.resources)
}

/// The keys that differ and cannot be changed.
fn fixed_keys(
    old: &DockerDefinition,
    new: &DockerDefinition,
) -> Result<Vec<String>, ControllerError> {
    let json = |definition| serde_json::to_value(definition).map_err(ControllerError::wrap);
    let (before, after) = (json(old)?, json(new)?);
    let differing = KEYS.iter().filter(|key| before.get(key) != after.get(key));
    let fixed = differing.filter(|key| !CHANGEABLE.contains(key));
    Ok(fixed.map(|key| format!("`{key}`")).collect())
}

fn resources(old: &Resources, new: &Resources) -> Result<ContainerUpdateBody, ControllerError> {
    let Resources {
        cpus,
        memory,
        memory_reservation,
        memory_swap,
        memory_swappiness,
        pids,
        generic,
    } = new;
    // For the engine, an absent limit is unchanged.
    let unset = [
        ("cpus", old.cpus.is_some() && cpus.is_none()),
        ("memory", old.memory.is_some() && memory.is_none()),
        ("memory_reservation", old.memory_reservation.is_some() && memory_reservation.is_none()),
        ("memory_swap", old.memory_swap.is_some() && memory_swap.is_none()),
        ("pids", old.pids.is_some() && pids.is_none()),
        ("memory_swappiness", old.memory_swappiness != *memory_swappiness),
        ("generic", old.generic != *generic),
    ];
    if let Some((key, _)) = unset.iter().find(|(_, is_refused)| *is_refused) {
        return Err(ControllerError::update_rejected(format!(
            "`resources.{key}` cannot be changed so once the container was started; a task with another name can have it"
        )));
    }
    Ok(ContainerUpdateBody {
        nano_cpus: cpus.map(|cpus| cpus.0),
        memory: *memory,
        memory_reservation: *memory_reservation,
        // The engine's default at the creation, which it does not adapt by itself.
        memory_swap: memory_swap.or_else(|| memory.map(|memory| memory.saturating_mul(2))),
        pids_limit: *pids,
        ..ContainerUpdateBody::default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;
    use crate::definition::Cpus;

    #[test]
    fn a_change_of_resources_is_made_in_place_and_any_other_is_refused_by_name() {
        let old = DockerDefinition::new("x");
        let mut new = old.clone();
        new.resources.cpus = Some(Cpus(500_000_000));
        new.resources.memory = Some(64 << 20);
        let body = in_place(&old, &new).unwrap();
        assert_eq!((body.nano_cpus, body.memory_swap), (Some(500_000_000), Some(128 << 20)));
        let refused = in_place(&new, &old).unwrap_err();
        assert!(refused.to_string().starts_with("`resources.cpus`"), "{refused}");

        new.env.insert("A".to_owned(), "1".to_owned());
        new.labels.insert("a".to_owned(), "b".to_owned());
        let refused = in_place(&old, &new).unwrap_err();
        assert!(refused.to_string().starts_with("`env`, `labels` cannot"), "{refused}");
        assert_eq!(refused.kind(), onward::exec::ErrorKind::UpdateRejected);
    }
}
