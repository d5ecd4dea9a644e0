//! Starts a workload, and returns its exit code.

use std::{
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::WaitStatus;

use super::{environment::TOKEN_VARIABLE, executable::explain, exit::NotStarted, files::Spec};
use crate::process_state::INHERITED_VARIABLE;

/// Starts the workload in its own process group.
pub(super) fn start(dir: &Path, spec: &Spec) -> Result<Child, NotStarted> {
    let definition = &spec.definition;
    let work_dir = definition.dir.as_deref().unwrap_or(dir);
    let (executable, arguments) = definition.command.split_first().ok_or_else(|| {
        let spawn_error = "the command is empty".to_owned();
        NotStarted { spawn_error, errno: None }
    })?;
    let spawned = Command::new(executable)
        .args(arguments)
        .env_remove(INHERITED_VARIABLE)
        .envs(&definition.env)
        .env(TOKEN_VARIABLE, &spec.token)
        .current_dir(work_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    spawned.map_err(|error| {
        // The error of the system does not show whether it is about the directory or the
        // executable.
        let spawn_error = match work_dir.metadata() {
            Err(error) => format!("the working directory {}: {error}", work_dir.display()),
            Ok(found) if !found.is_dir() => {
                format!("the working directory {} is not a directory", work_dir.display())
            }
            Ok(_) => explain(executable, definition, work_dir, &error),
        };
        NotStarted { spawn_error, errno: error.raw_os_error() }
    })
}

/// Returns the exit code and the signal. For a signal, the code is 128 plus its number, as in a
/// shell.
pub(super) fn code(status: WaitStatus) -> (i32, Option<i32>) {
    let signal = status.terminating_signal();
    let code = signal.map_or_else(|| status.exit_status().unwrap_or(255), |n| 128 + n);
    (code, signal)
}
