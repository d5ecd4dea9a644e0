use std::{collections::BTreeSet, io};

use rustix::process::Signal;

use super::{
    TOKEN_VARIABLE,
    procfs::{self, Process, Stat},
};

/// Kills once what is left of a task whose keeper is gone, and returns how many processes
/// were found alive. To be repeated until there are none: a process can start another while
/// it is looked for.
///
/// It is not asked whose they are: a workload that changed its user is still the task's, and
/// nobody else can know the token.
pub(super) fn sweep_once(token: &str, workload: Option<Process>) -> io::Result<Vec<Process>> {
    let entry = entry(token);
    let found = find(|stat| {
        Some(stat.process) == workload || procfs::has_variable(stat.process.pid, &entry)
    })?;
    kill(&found)?;
    Ok(found)
}

/// Kills once what descends from a keeper that lives, and what carries its task's token, if that
/// is known.
pub(super) fn kill_family(keeper: i32, token: Option<&str>) -> io::Result<()> {
    let entry = token.map(entry);
    let found = find(|stat| {
        let pid = stat.process.pid;
        stat.parent == keeper
            || entry.as_ref().is_some_and(|entry| procfs::has_variable(pid, entry))
    })?;
    kill(&found)
}

fn entry(token: &str) -> String {
    format!("{TOKEN_VARIABLE}={token}")
}

/// What is the task's, and its descendants.
fn find(is_of_task: impl Fn(&Stat) -> bool) -> io::Result<Vec<Process>> {
    let mut alive = procfs::all()?;
    alive.retain(|stat| !stat.is_dead());
    let of_task = alive.iter().filter(|stat| is_of_task(stat));
    let mut pids: BTreeSet<i32> = of_task.map(|stat| stat.process.pid).collect();
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

/// All of them, before the first that could not be killed is told.
fn kill(found: &[Process]) -> io::Result<()> {
    let mut told = Ok(());
    for process in found {
        told = told.and(process.signal(Signal::KILL));
    }
    told
}
