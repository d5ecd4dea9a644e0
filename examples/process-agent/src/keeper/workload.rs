use std::{
    io,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{
        Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, WaitOptions, kill_process, waitid,
        waitpid,
    },
};

use super::{TOKEN_VARIABLE, complain, executable::explain, exit::NotStarted, files::Spec, procfs};

use crate::process_state::INHERITED_VARIABLE;

/// The longest pause between two looks at children that are being killed.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// Starts the workload in a process group of its own.
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
        // The system does not say whether the directory or the executable was meant.
        let spawn_error = match work_dir.metadata() {
            Err(error) => format!("the working directory {}: {error}", work_dir.display()),
            Ok(found) if !found.is_dir() => {
                format!("the working directory {} is no directory", work_dir.display())
            }
            Ok(_) => explain(executable, definition, work_dir, &error),
        };
        NotStarted { spawn_error, errno: error.raw_os_error() }
    })
}

/// Waits until a child has ended, and leaves it a zombie, so that its number and that of its
/// group stay taken.
pub(super) fn wait(pid: Pid) -> io::Result<WaitIdStatus> {
    loop {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(pid), options) {
            Ok(Some(status)) => return Ok(status),
            Ok(None) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The exit code and the signal: 128 plus the signal is what a shell would say.
pub(super) fn code(status: &WaitIdStatus) -> (i32, Option<i32>) {
    let signal = status.terminating_signal();
    let code = signal.map_or_else(|| status.exit_status().unwrap_or(255), |n| 128 + n);
    (code, signal)
}

/// Waits for the children that have ended, except the workload: orphans of the task that
/// became ours. Nobody else may wait for children at the same time.
pub(super) fn reap_orphans(workload: Pid) {
    for child in procfs::children().unwrap_or_default() {
        let orphan = child.process.pid().filter(|pid| *pid != workload);
        if let (Some(pid), true) = (orphan, child.is_dead()) {
            reap(pid, WaitOptions::NOHANG);
        }
    }
}

/// Kills all children until there are none, which is when nothing of the task is left: what
/// a child leaves behind becomes our child as it ends.
///
/// All are killed before one is waited for, and none is waited for by blocking: a child that is
/// traced by another can be waited for only when its tracer has ended.
///
/// Nobody else may wait for children at the same time; so the numbers stay theirs.
pub(super) fn kill_all() {
    let mut immortal = Vec::new();
    let mut pause = Duration::from_millis(1);
    loop {
        let mut children = match procfs::children() {
            Ok(children) => children,
            Err(error) => return complain(&format!("/proc cannot be read: {error}")),
        };
        children.retain(|child| !immortal.contains(&child.process));
        if children.is_empty() {
            return;
        }
        for child in &children {
            let refused = child.process.pid().map(|pid| kill_process(pid, Signal::KILL));
            if refused == Some(Err(Errno::PERM)) && !child.is_dead() {
                complain(&format!("process {} may not be killed", child.process.pid));
                immortal.push(child.process);
            }
        }
        let pids = children.iter().filter_map(|child| child.process.pid());
        if pids.filter(|pid| reap(*pid, WaitOptions::NOHANG)).count() == 0 {
            thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Asks for a child's status. `true` if it was had, after which its number is free.
pub(super) fn reap(pid: Pid, options: WaitOptions) -> bool {
    loop {
        match waitpid(Some(pid), options) {
            Err(Errno::INTR) => {}
            waited => return matches!(waited, Ok(Some(_))),
        }
    }
}
