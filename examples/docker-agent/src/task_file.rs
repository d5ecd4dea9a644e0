//! Containers in task files: the keys of a `[[task]]`, and Compose files.

use std::path::Path;

use agent_kit::{Definition, FileDefinition, Keys, Problem, Translated};

use crate::compose;
use crate::definition::{DockerDefinition, KEYS, Mount, container_spec};

impl Definition for DockerDefinition {
    fn container_spec(&self) -> serde_json::Value {
        container_spec(self)
    }
}

impl FileDefinition for DockerDefinition {
    fn keys(_: &[&str]) -> Keys {
        Keys { known: &KEYS, required: &[("image", "\"alpine:3\"")] }
    }

    /// A file that ends with `.yaml` or `.yml` is read as a Compose file.
    fn translate(path: &Path, text: &str) -> Option<Result<Vec<Translated<Self>>, Problem>> {
        compose::is_compose_file(path).then(|| compose::tasks(path, text))
    }

    /// The host's paths are relative to `base`: `env_file`, and the sources of bind mounts.
    fn resolve_paths(&mut self, base: &Path) {
        if let Some(file) = &mut self.env_file {
            *file = base.join(&*file);
        }
        for mount in &mut self.mounts {
            if let Mount::Bind(bind) = mount {
                bind.source = base.join(&bind.source);
            }
        }
    }
}
