//! Options that older engines do not know. Such an engine ignores them, so they are refused here.

use bollard::ClientVersion;
use onward::exec::ControllerError;

use crate::definition::{BindMount, DockerDefinition, HealthCheck, Mount, TmpfsMount, VolumeMount};

/// An option of a definition, and the first versions of the API and of Docker that have it.
struct Newer {
    option: &'static str,
    api: (usize, usize),
    docker: u8,
}

const START_INTERVAL: Newer =
    Newer { option: "healthcheck.start_interval", api: (1, 44), docker: 25 };
const FORCE_RECURSIVE: Newer =
    Newer { option: "mounts.read_only_force_recursive", api: (1, 44), docker: 25 };
const SUBPATH: Newer = Newer { option: "mounts.subpath", api: (1, 45), docker: 26 };
const TMPFS_OPTIONS: Newer = Newer { option: "mounts.options", api: (1, 46), docker: 27 };

/// Checks that an engine with this version of the API knows the options of the definition.
///
/// Two options are not checked. An engine that does not know `create_source` refuses a source that does
/// not exist. One that does not know `read_only_non_recursive` always does what it asks for.
///
/// # Errors
///
/// The engine would ignore an option. The error is final, and names the option.
pub(crate) fn check_known(
    definition: &DockerDefinition,
    engine: &ClientVersion,
) -> Result<(), ControllerError> {
    let has = (engine.major_version, engine.minor_version);
    match newer_options(definition).into_iter().find(|newer| newer.api > has) {
        None => Ok(()),
        Some(Newer { option, api: (major, minor), docker }) => Err(ControllerError::new(format!(
            "`{option}` needs version {major}.{minor} of the API (Docker {docker}), and the engine \
                 has {engine}; leave it out, or use a newer engine"
        ))),
    }
}

fn newer_options(definition: &DockerDefinition) -> Vec<Newer> {
    let mut found = Vec::new();
    if let Some(HealthCheck { start_interval: Some(_), .. }) = definition.healthcheck {
        found.push(START_INTERVAL);
    }
    found.extend(definition.mounts.iter().filter_map(|mount| match mount {
        Mount::Bind(BindMount { read_only_force_recursive: true, .. }) => Some(FORCE_RECURSIVE),
        Mount::Volume(VolumeMount { subpath: Some(_), .. }) => Some(SUBPATH),
        Mount::Tmpfs(TmpfsMount { options, .. }) if !options.is_empty() => Some(TMPFS_OPTIONS),
        Mount::Bind(_) | Mount::Volume(_) | Mount::Tmpfs(_) => None,
    }));
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_option_that_the_engine_would_ignore_is_refused_by_name() {
        let mount = |mount| json!({ "image": "x", "mounts": [mount] });
        let cases = [
            (json!({"image": "x", "healthcheck": {"start_interval": "1s"}}), 44, START_INTERVAL),
            (
                mount(
                    json!({"type": "bind", "source": "/a", "target": "/a", "read_only_force_recursive": true}),
                ),
                44,
                FORCE_RECURSIVE,
            ),
            (mount(json!({"type": "volume", "target": "/a", "subpath": "b"})), 45, SUBPATH),
            (
                mount(json!({"type": "tmpfs", "target": "/a", "options": ["noexec"]})),
                46,
                TMPFS_OPTIONS,
            ),
        ];
        for (definition, minor_version, Newer { option, .. }) in cases {
            let definition = serde_json::from_value(definition).unwrap();
            let engine = |minor_version| ClientVersion { major_version: 1, minor_version };
            check_known(&definition, &engine(minor_version)).unwrap();
            let refused = check_known(&definition, &engine(minor_version - 1)).unwrap_err();
            let told = format!("`{option}` needs version 1.{minor_version} of the API (Docker ");
            assert!(refused.to_string().starts_with(&told), "{refused}");
            assert!(!refused.is_temporary());
        }
    }
}
