use std::process::ExitCode;

use agent_kit::logging;
use time::OffsetDateTime;
use tokio::runtime::Builder;

use super::PROGRAM;
use super::arguments::Join;
use crate::join;
use crate::text::seconds;

/// Makes this machine a node of a swarm.
pub(super) fn join(arguments: &Join) -> anyhow::Result<ExitCode> {
    logging::start(None);
    let token = arguments.token()?;
    let Join { manager, availability, state, .. } = arguments;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let joining = join::join(manager, &token, &state.dir, (*availability).into());
    let identity = runtime.block_on(joining)?;
    let now = OffsetDateTime::now_utc();
    if let Some(issued) = join::time_behind(identity.certificate(), now) {
        PROGRAM.complain(&format!(
            "the clock of this machine shows {}, and the manager's about {}: set the clock",
            seconds(now),
            seconds(issued)
        ));
    }
    PROGRAM.complain(&format!(
        "this machine is the node {} of the swarm {}; start it with: {} run --state {}",
        identity.node_id(),
        identity.cluster(),
        PROGRAM.name,
        state.dir.display()
    ));
    Ok(ExitCode::SUCCESS)
}
