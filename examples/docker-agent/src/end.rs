//! How a container has ended: success, or an error with its exit code and the reason.

use onward::exec::ControllerError;

use crate::container::Found;

/// The exit code of a container that the signal KILL has ended.
const KILLED: i32 = 137;

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
    /// It was killed, and has a limit. Some engines miss that the kernel has killed a container.
    #[error(
        "killed, perhaps out of memory: the engine does not know why, and its limit is {limit}"
    )]
    PerhapsOutOfMemory {
        /// The limit, for people.
        limit: String,
    },
    /// The error that the engine has recorded for the container.
    #[error("{0}")]
    Engine(String),
}

/// The result of a container that has ended.
///
/// # Errors
///
/// The exit code is not 0 or not known, or the container was unhealthy.
pub(crate) fn result(found: &Found) -> Result<(), ControllerError> {
    let Some(code) = found.exit_code() else {
        let told = format!("task: unknown exit code ({:?})", found.state.exit_code);
        return Err(ControllerError::new(told).with_container_status(found.container_status()));
    };
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
    let limit = memory_limit(found);
    if found.state.oom_killed == Some(true) {
        let limit = limit.unwrap_or_else(|| "the host".to_owned());
        return Some(EndReason::OutOfMemory { limit });
    }
    if found.is_unhealthy() {
        return Some(EndReason::Unhealthy);
    }
    if let Some(error) = found.state.error.as_ref().filter(|error| !error.is_empty()) {
        return Some(EndReason::Engine(error.clone()));
    }
    let limit = limit.filter(|_| found.exit_code() == Some(KILLED))?;
    Some(EndReason::PerhapsOutOfMemory { limit })
}

/// The limit of the container's memory, for people. `None` if it has none of its own.
fn memory_limit(found: &Found) -> Option<String> {
    let limit = found.inspection.host_config.as_ref()?.memory.filter(|limit| *limit > 0)?;
    Some(bytesize::ByteSize(limit.unsigned_abs()).to_string())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use bollard::models::{
        ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, HostConfig,
    };

    use super::*;

    fn ended(exit_code: Option<i64>) -> Found {
        let status = Some(ContainerStateStatusEnum::EXITED);
        let state = ContainerState { status, exit_code, ..ContainerState::default() };
        let inspection = Box::new(ContainerInspectResponse::default());
        Found { id: "x".to_owned(), state, inspection }
    }

    #[test]
    fn an_exit_code_that_is_not_known_is_no_success() {
        for unknown in [None, Some(-1), Some(i64::from(u32::MAX))] {
            let error = result(&ended(unknown)).unwrap_err();
            assert!(error.to_string().starts_with("task: unknown exit code"), "{error}");
            assert_eq!(error.exit_code(), None);
        }
        assert!(result(&ended(Some(0))).is_ok());
        assert_eq!(result(&ended(Some(255))).unwrap_err().exit_code(), Some(255));
    }

    #[test]
    fn memory_is_named_as_a_possible_reason_only_of_a_killed_container_with_a_limit() {
        let told = |code, memory, oom_killed| {
            let mut found = ended(Some(code));
            found.state.oom_killed = Some(oom_killed);
            found.inspection.host_config = Some(HostConfig { memory, ..HostConfig::default() });
            format!("{:#}", result(&found).unwrap_err())
        };
        let limit = Some(16 << 20);
        let known = "out of memory: the kernel has killed it at its limit of 16.0 MiB";
        let perhaps = "killed, perhaps out of memory: the engine does not know why, and its limit is 16.0 MiB";
        assert!(told(137, limit, true).ends_with(known));
        assert!(told(137, limit, false).ends_with(perhaps));
        assert_eq!(told(137, Some(0), false), "task: non-zero exit (137)");
        assert_eq!(told(137, None, false), "task: non-zero exit (137)");
        assert_eq!(told(1, limit, false), "task: non-zero exit (1)");
    }
}
