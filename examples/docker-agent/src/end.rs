//! How a container has ended: success, or an error with its exit code and the reason.

use onward::exec::ControllerError;

use crate::container::Found;

/// Why a container has ended badly, if the engine knows more than the exit code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// The engine's health check has failed too often, so the container was stopped.
    #[error("dockerexec: unhealthy container")]
    Unhealthy,
    /// The kernel has killed the container or a process of it.
    #[error("out of memory: the kernel has killed it at its limit of {limit}")]
    OutOfMemory {
        /// The limit, for people.
        limit: String,
    },
    /// What the engine has recorded as the container's error.
    #[error("{0}")]
    Engine(String),
}

/// The result of a container that has ended.
///
/// # Errors
///
/// The exit code is not 0, or the container was unhealthy.
pub(crate) fn result(found: &Found) -> Result<(), ControllerError> {
    let code = found.exit_code().unwrap_or(0);
    let reason = reason(found);
    let error = match (code, reason) {
        (0, Some(unhealthy @ EndReason::Unhealthy)) => ControllerError::wrap(unhealthy),
        (0, _) => return Ok(()),
        (_, None) => ControllerError::new(format!("task: non-zero exit ({code})")),
        (_, Some(reason)) => {
            ControllerError::new(format!("task: non-zero exit ({code})")).with_source(reason)
        }
    };
    Err(error.with_exit_code(code).with_container_status(found.container_status()))
}

fn reason(found: &Found) -> Option<EndReason> {
    if found.state.oom_killed == Some(true) {
        let config = found.inspection.host_config.as_ref();
        let limit = config.and_then(|config| config.memory).filter(|limit| *limit > 0);
        let limit = limit.and_then(|limit| u64::try_from(limit).ok());
        let limit = limit
            .map_or_else(|| "the host".to_owned(), |limit| bytesize::ByteSize(limit).to_string());
        return Some(EndReason::OutOfMemory { limit });
    }
    if found.is_unhealthy() {
        return Some(EndReason::Unhealthy);
    }
    let error = found.state.error.as_ref().filter(|error| !error.is_empty());
    error.cloned().map(EndReason::Engine)
}
