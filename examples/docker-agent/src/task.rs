//! `TaskDefinition`: a container or a process.

use std::path::Path;

use agent_kit::{Definition, FileDefinition, Keys, Problem, Translated};
use process_agent::definition::ProcessDefinition;
use serde::{Deserialize, Deserializer, Serialize};

use crate::definition::DockerDefinition;

/// The definition of a task. With the key `image` it is a container, and without it a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskDefinition {
    /// A container of the engine.
    Container(Box<DockerDefinition>),
    /// A process of the agent's own system.
    Process(Box<ProcessDefinition>),
}

fn is_container(given: &[&str]) -> bool {
    given.contains(&"image")
}

impl Definition for TaskDefinition {
    fn container_spec(&self) -> serde_json::Value {
        match self {
            Self::Container(container) => container.container_spec(),
            Self::Process(process) => process.container_spec(),
        }
    }
}

impl FileDefinition for TaskDefinition {
    fn keys(given: &[&str]) -> Keys {
        if is_container(given) {
            DockerDefinition::keys(given)
        } else if given.contains(&"command") {
            ProcessDefinition::keys(given)
        } else {
            const EXAMPLE: &str =
                "\"alpine:3\" for a container, or command = [\"date\"] for a process";
            Keys { required: &[("image", EXAMPLE)], ..DockerDefinition::keys(given) }
        }
    }

    fn read<'de, D: Deserializer<'de>>(given: &[&str], table: D) -> Result<Self, D::Error> {
        if is_container(given) {
            DockerDefinition::read(given, table).map(Box::new).map(Self::Container)
        } else {
            ProcessDefinition::read(given, table).map(Box::new).map(Self::Process)
        }
    }

    /// The services of a Compose file are containers.
    fn translate(path: &Path, text: &str) -> Option<Result<Vec<Translated<Self>>, Problem>> {
        let container = |task: Translated<DockerDefinition>| {
            let Translated { name, position, definition } = task;
            Translated { name, position, definition: Self::Container(Box::new(definition)) }
        };
        let tasks = DockerDefinition::translate(path, text)?;
        Some(tasks.map(|tasks| tasks.into_iter().map(container).collect()))
    }

    fn resolve_paths(&mut self, base: &Path) {
        match self {
            Self::Container(container) => container.resolve_paths(base),
            Self::Process(process) => process.resolve_paths(base),
        }
    }
}
