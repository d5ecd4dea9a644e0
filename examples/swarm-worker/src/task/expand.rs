//! Expands the templates in a container's definition.

use std::collections::BTreeMap;
use std::path::PathBuf;

use docker_agent::definition::{DockerDefinition, Mount};

use super::refusal::Refusal;
use crate::template::Context;

/// Expands the host name, the values of environment variables, and of mounts the source, the target,
/// the labels and the options of the driver. The others are no templates.
///
/// # Errors
///
/// A template is wrong.
pub(super) fn expand(
    mut definition: DockerDefinition,
    context: &Context,
) -> Result<DockerDefinition, Refusal> {
    let expand = |option: &str, text: &mut String| {
        *text = context.expand(text).map_err(|error| Refusal::new(option, error))?;
        Ok(())
    };
    if let Some(hostname) = &mut definition.hostname {
        expand("hostname", hostname)?;
    }
    for (name, value) in &mut definition.env {
        expand(&format!("env.{name}"), value)?;
    }
    for (at, mount) in definition.mounts.iter_mut().enumerate() {
        let option = |name: &str| format!("mounts[{at}].{name}");
        let expand_map = |name: &str, entries: &mut BTreeMap<String, String>| {
            entries.iter_mut().try_for_each(|(key, value)| {
                expand(&option(&format!("volume_options.{name}.{key}")), value)
            })
        };
        match mount {
            Mount::Bind(bind) => {
                // It comes from a message, so it is UTF-8.
                let mut source = bind.source.to_string_lossy().into_owned();
                expand(&option("source"), &mut source)?;
                bind.source = PathBuf::from(source);
                expand(&option("target"), &mut bind.target)?;
            }
            Mount::Volume(volume) => {
                volume
                    .source
                    .iter_mut()
                    .try_for_each(|source| expand(&option("source"), source))?;
                expand(&option("target"), &mut volume.target)?;
                expand_map("labels", &mut volume.labels)?;
                expand_map("driver_config.options", &mut volume.driver_options)?;
            }
            Mount::Tmpfs(tmpfs) => expand(&option("target"), &mut tmpfs.target)?,
        }
    }
    Ok(definition)
}
