//! Makes the executor that the arguments of `run` name, and stores those arguments for `leave`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agent_kit::state::State;
use anyhow::Context as _;
use docker_agent::engine::Engine;
use docker_agent::files;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};

use super::arguments::{RuntimeArguments, RuntimeKind};
use crate::dependencies::SwarmDependencies;
use crate::description::NodeSettings;
use crate::identity;
use crate::runtime::{Commands, SwarmExecutor};
use crate::task::SwarmTask;

/// The name of the file with the arguments of the last `run`.
const FILE: &str = "runtime.json";

/// Makes the executor.
pub(super) fn executor(
    arguments: &RuntimeArguments,
    state: &State<SwarmTask>,
    node_id: &str,
    settings: NodeSettings,
    dependencies: SwarmDependencies,
) -> anyhow::Result<SwarmExecutor> {
    let RuntimeArguments { runtime, docker_host, commands } = arguments;
    Ok(match (runtime, commands) {
        (RuntimeKind::Docker, _) => {
            let engine = match docker_host {
                Some(uri) => Engine::new(uri.as_str()),
                None => Engine::from_env(),
            };
            let files = memory_dir().join(node_id);
            SwarmExecutor::docker(engine, node_id, files, settings, dependencies)
        }
        (RuntimeKind::Process, Some(file)) => {
            let commands = Commands::read(file)?;
            SwarmExecutor::process(state.tasks_dir(), commands, settings, dependencies)
        }
        (RuntimeKind::Process, None) => {
            anyhow::bail!("--runtime process needs --commands FILE");
        }
        (RuntimeKind::Noop, _) => SwarmExecutor::noop(settings, dependencies),
    })
}

/// Returns a directory in memory, for the secrets and configs of containers. Some machines have no
/// file system in memory at `/run`.
fn memory_dir() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").filter(|_| !geteuid().is_root());
    let usual = PathBuf::from(own.unwrap_or_else(|| "/run".into()));
    let dirs = [usual.clone(), "/dev/shm".into()];
    let found = dirs.into_iter().find(|dir| files::is_in_memory(dir).unwrap_or(false));
    found.unwrap_or(usual).join("swarm-worker")
}

/// What the last `run` has run. `leave` needs no more, so that a damaged key does not prevent it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct LastRun {
    /// The id of the node.
    pub(super) node_id: String,
    /// What its tasks are.
    #[serde(flatten)]
    pub(super) arguments: RuntimeArguments,
}

/// Stores the arguments, with absolute paths and the engine that the environment names.
pub(super) fn store(node_id: &str, arguments: &RuntimeArguments, dir: &Path) -> anyhow::Result<()> {
    let mut arguments = arguments.clone();
    if arguments.runtime == RuntimeKind::Docker && arguments.docker_host.is_none() {
        arguments.docker_host = std::env::var("DOCKER_HOST").ok();
    }
    arguments.commands = arguments.commands.map(std::path::absolute).transpose()?;
    let last = LastRun { node_id: node_id.to_owned(), arguments };
    let json = serde_json::to_vec_pretty(&last)?;
    // A full disk does not prevent a `run` like the last one.
    if fs::read(dir.join(FILE)).is_ok_and(|stored| stored == json) {
        return Ok(());
    }
    Ok(identity::write_file(dir, FILE, &json)?)
}

/// Reads what the last `run` has stored. `None` if there was no `run`.
pub(super) fn load(dir: &Path) -> anyhow::Result<Option<LastRun>> {
    let path = dir.join(FILE);
    match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).with_context(|| {
            format!(
                "{}: it is damaged, or a newer version has written it; use that version, or `run` \
                 once, which writes the file again",
                path.display()
            )
        }),
    }
}

/// Forgets the arguments of the last `run`.
pub(super) fn forget(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(FILE);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
