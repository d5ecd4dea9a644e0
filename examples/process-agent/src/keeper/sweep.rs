use std::{collections::BTreeSet, io};

use rustix::{
    io::Errno,
    process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use super::{
    TOKEN_VARIABLE,
    procfs::{self, Process, Stat},
};

/// Kills once what is left of a task whose keeper is gone, and returns how many processes
/// were found alive. To be repeated until there are none: a process can start another while
/// it is looked for.
pub(super) fn sweep_once(token: &str, workload: Option<Process>) -> io::Result<Vec<Process>> {
    let found = find(token, workload)?;
    for process in &found {
        kill(*process)?;
    }
    Ok(found)
}

/// What carries the token, the workload itself, and their descendants.
///
/// It is not asked whose they are: a workload that changed its user is still the task's, and
/// nobody else can know the token.
fn find(token: &str, workload: Option<Process>) -> io::Result<Vec<Process>> {
    let entry = format!("{TOKEN_VARIABLE}={token}");
    let mut alive = procfs::all()?;
    alive.retain(|stat| !stat.is_dead());
    let of_task = |stat: &&Stat| {
        Some(stat.process) == workload || procfs::has_variable(stat.process.pid, &entry)
    };
    let mut pids: BTreeSet<i32> = alive.iter().filter(of_task).map(|s| s.process.pid).collect();
    loop {
        let known = pids.len();
        let children = alive.iter().filter(|stat| pids.contains(&stat.parent));
        let children: Vec<i32> = children.map(|stat| stat.process.pid).collect();
        pids.extend(children);
        if pids.len() == known {
            break;
        }
    }
    alive.retain(|stat| pids.contains(&stat.process.pid));
    Ok(alive.into_iter().map(|stat| stat.process).collect())
}

/// The descriptor is taken first and the process looked at again then: should the number
/// have gone to another process in between, the start time tells.
fn kill(process: Process) -> io::Result<()> {
    let Some(pid) = process.pid() else {
        return Ok(());
    };
    let sent = pidfd_open(pid, PidfdFlags::empty()).and_then(|descriptor| {
        if process.is_alive() { pidfd_send_signal(&descriptor, Signal::KILL) } else { Ok(()) }
    });
    match sent {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(io::Error::new(
            io::Error::from(error).kind(),
            format!("process {} cannot be killed: {error}", process.pid),
        )),
    }
}
