use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

/// The environment variable that marks every process of a task.
pub const TOKEN_VARIABLE: &str = "ONWARD_TASK";

/// The prefix of the agent's own variables. A task that runs `process-agent stop` must not stop
/// itself by accident. And if the agent is itself a task, its token does not belong to its tasks.
const OWN: &[u8] = b"ONWARD_";

/// Other variables that are meant for the agent and would mislead its tasks.
const MEANT_FOR_THE_AGENT: [&str; 9] = [
    // Set by a service manager that has started the agent: descriptors, a socket and a watchdog of
    // the agent.
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    // Set by a shell that has started the agent: its directories and its last command.
    "PWD",
    "OLDPWD",
    "_",
];

/// Returns the environment of a task, without the variables of its definition. It is the
/// environment of this process, without the variables that are meant for the agent.
///
/// `RUST_LOG` is kept, because other programs read it too.
pub(super) fn of_task() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !is_meant_for_the_agent(name))
}

fn is_meant_for_the_agent(name: &OsStr) -> bool {
    name.as_bytes().starts_with(OWN) || MEANT_FOR_THE_AGENT.iter().any(|meant| name == *meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_for_the_agent_are_not_passed_to_a_task() {
        for name in ["ONWARD_STATE", "ONWARD_INHERITED", "ONWARD_TASK", "PWD"] {
            assert!(is_meant_for_the_agent(OsStr::new(name)), "{name}");
        }
        for name in ["PATH", "HOME", "RUST_LOG", "LANG", "PROCESS", ""] {
            assert!(!is_meant_for_the_agent(OsStr::new(name)), "{name}");
        }
    }
}
