//! Compose files: reads the services of a Compose file as tasks, and refuses the keys that have no
//! counterpart in a [`DockerDefinition`].
//!
//! Each service becomes a task of its name. Networks and volumes get the names that Compose gives
//! them, so that the data of a project that Compose has run before is found again. A value that
//! cannot be kept is an error with its position and its key. It is never ignored.

mod files;
mod health;
mod interpolation;
mod item;
mod network;
mod port;
mod resources;
mod security;
mod service;
mod storage;
#[cfg(test)]
mod tests;
mod units;
mod yaml;

use std::collections::BTreeMap;
use std::path::Path;

use agent_kit::{Position, Problem, Translated};

use crate::definition::{DockerDefinition, Network, VolumeMount};
use files::Source;
use interpolation::Env;
use item::{Entry, Item};

/// The variable with the name of the project. It takes precedence over the file's `name`.
const PROJECT_NAME: &str = "COMPOSE_PROJECT_NAME";

/// Whether the name of a file is that of a Compose file: it ends with `.yaml` or `.yml`.
#[must_use]
pub fn is_compose_file(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

/// Reads the tasks of a Compose file. `text` is its content, and its variables are those of the
/// process's environment. The directory of `path` has the name of the project, if the file has no
/// `name`. The order is that of the file. Paths of the host stay relative.
///
/// # Errors
///
/// The position, the key, and what is wrong with it: the text is no YAML, a value is wrong, a key has
/// no counterpart, or a variable is not set.
pub fn tasks(path: &Path, text: &str) -> Result<Vec<Translated<DockerDefinition>>, Problem> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().and_then(Path::file_name).unwrap_or_default();
    read(&directory.to_string_lossy(), text, &|name| std::env::var(name).ok())
}

/// What the services of a file share.
struct Project {
    /// The prefix of the names of networks and volumes.
    name: String,
    networks: BTreeMap<String, Network>,
    volumes: BTreeMap<String, VolumeMount>,
    secrets: BTreeMap<String, Source>,
    configs: BTreeMap<String, Source>,
}

fn read(
    directory: &str,
    text: &str,
    env: Env<'_>,
) -> Result<Vec<Translated<DockerDefinition>>, Problem> {
    let node = yaml::parse(text)?;
    let file = Item::new(&node, env);
    let nothing =
        "there is no service in it; write `services:`, and below it a name and its `image`";
    if file.is_null() {
        return Err(file.problem(nothing));
    }
    let mut parts = BTreeMap::new();
    for entry in file.entries()? {
        match entry.key {
            // Compose does not read `version` any more.
            "version" => {}
            "name" | "services" | "networks" | "volumes" | "secrets" | "configs" => {
                parts.insert(entry.key, entry.item);
            }
            "include" => {
                return Err(
                    entry.problem("other files are not read; copy their services into this one")
                );
            }
            unknown => {
                return Err(entry.problem(format!(
                    "the key `{unknown}` is misspelled, or has no counterpart here; correct it or leave it out; known are `name`, \
                     `services`, `networks`, `volumes`, `secrets` and `configs`"
                )));
            }
        }
    }
    // A file that was emptied by accident must not end all tasks.
    let services = match parts.get("services") {
        Some(services) if !services.is_null() => services.entries()?,
        Some(empty) => return Err(empty.problem(nothing)),
        None => return Err(file.problem(nothing)),
    };
    let name = project_name(directory, parts.get("name"), env)?;
    let filled = |key| parts.get(key).filter(|part| !part.is_null());
    let entries = |key| filled(key).map_or(Ok(Vec::new()), Item::entries);
    let project = Project {
        networks: collect(&entries("networks")?, |entry| network::top_level(&name, entry))?,
        volumes: collect(&entries("volumes")?, |entry| storage::top_level(&name, entry))?,
        secrets: collect(&entries("secrets")?, files::source)?,
        configs: collect(&entries("configs")?, files::source)?,
        name,
    };
    let tasks = services.iter().map(|entry| {
        let definition = service::read(&project, entry)?;
        let (name, position) = (entry.key.to_owned(), entry.position);
        Ok(Translated { name, position, definition })
    });
    tasks.collect()
}

fn collect<T>(
    entries: &[Entry<'_>],
    read: impl Fn(&Entry<'_>) -> Result<T, Problem>,
) -> Result<BTreeMap<String, T>, Problem> {
    entries.iter().map(|entry| Ok((entry.key.to_owned(), read(entry)?))).collect()
}

/// The name of the project: of the environment, of the file, or of its directory.
fn project_name(directory: &str, item: Option<&Item<'_>>, env: Env<'_>) -> Result<String, Problem> {
    let is_start = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_known = |c: char| is_start(c) || c == '_' || c == '-';
    let is_name = |name: &str| name.starts_with(is_start) && name.chars().all(is_known);
    let right = "use a-z, 0-9, '_' and '-', beginning with a letter or a digit";
    if let Some(name) = env(PROJECT_NAME).filter(|name| !name.is_empty()) {
        if is_name(&name) {
            return Ok(name);
        }
        let told = format!("{name:?}, the value of {PROJECT_NAME}, is no project name; {right}");
        return Err(yaml::problem(Position { line: 1, column: 1 }, told));
    }
    if let Some(item) = item.filter(|item| !item.is_null()) {
        let name = item.text()?;
        if is_name(&name) {
            return Ok(name);
        }
        return Err(item.problem(format!("{name:?} is no project name; {right}")));
    }
    let name: String = directory.to_lowercase().chars().filter(|c| is_known(*c)).collect();
    match name.trim_start_matches(['_', '-']) {
        "" => Ok("default".to_owned()),
        name => Ok(name.to_owned()),
    }
}
