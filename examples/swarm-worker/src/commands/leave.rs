use std::process::ExitCode;
use std::sync::Arc;

use agent_kit::board::Board;
use agent_kit::host::Host;
use agent_kit::logging;
use agent_kit::state::State;
use tokio::runtime::Builder;

use super::arguments::Leave;
use super::runtime::LastRun;
use super::shown::Shown;
use super::{LEFT, PROGRAM, runtime};
use crate::dependencies::SwarmDependencies;
use crate::description::NodeSettings;
use crate::identity;
use crate::worker::end_tasks;

/// Ends the tasks of this node, and forgets its key.
pub(super) fn leave(arguments: &Leave) -> anyhow::Result<ExitCode> {
    let is_logging = logging::start(None);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let left = runtime.block_on(end(arguments, is_logging));
    runtime.shutdown_background();
    left
}

async fn end(arguments: &Leave, is_logging: bool) -> anyhow::Result<ExitCode> {
    let dir = &arguments.state.dir;
    if !identity::exists(dir) {
        anyhow::bail!("{}: this directory belongs to no node of a swarm", dir.display());
    }
    let state = State::open(dir).await?;
    if let Some(LastRun { node_id, arguments }) = runtime::load(state.dir())? {
        let (settings, dependencies) = (NodeSettings::default(), SwarmDependencies::new());
        let executor = runtime::executor(&arguments, &state, &node_id, settings, dependencies)?;
        let board = Arc::new(Board::default());
        let shown = Shown::start(Arc::clone(&board), "Ctrl-C: leave later", is_logging);
        let mut host = Host::start(executor.clone(), state.reserved(), board, None).await?;
        let remaining = end_tasks(&host.tasks(), &executor, None).await;
        host.show_last().await;
        host.close().await;
        shown.end().await;
        for (task, reason) in &remaining {
            PROGRAM.complain(&format!("cannot end the task {task}: {reason}"));
        }
        if !remaining.is_empty() {
            PROGRAM.complain("the key of the node is kept; try again");
            return Ok(ExitCode::from(LEFT));
        }
    }
    identity::forget(state.dir())?;
    runtime::forget(state.dir())?;
    state.store.close().await?;
    Ok(ExitCode::SUCCESS)
}
