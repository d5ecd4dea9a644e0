//! Finds and kills the processes of a killed keeper, and the descendants of a living one.

use std::{collections::BTreeSet, io, path::Path};

use rustix::process::Signal;

use super::{
    cgroup::Cgroup,
    environment::TOKEN_VARIABLE,
    procfs::{self, Process, Stat},
};

/// The remaining processes of a task whose keeper was killed.
pub(super) struct Remains<'a> {
    cgroup: Option<Cgroup>,
    token: &'a str,
    workload: Option<Process>,
}

impl<'a> Remains<'a> {
    /// Finds the cgroup of the task. Without a visible cgroup, its processes are found by the token
    /// in their environment.
    pub(super) fn of(
        token: &'a str,
        cgroup: Option<&Path>,
        workload: Option<Process>,
    ) -> io::Result<Self> {
        let cgroup = match cgroup {
            Some(path) => Cgroup::open(path, token)?,
            None => None,
        };
        Ok(Self { cgroup, token, workload })
    }

    /// Kills the remaining processes once. Returns those that were alive; `None` if there are none.
    /// Repeat it until it returns `None`, because a process can start another one during the
    /// search.
    ///
    /// It kills processes of any user. A process that has changed its user still belongs to the
    /// task, and no other process can know the token.
    pub(super) fn kill_once(&self) -> io::Result<Option<Vec<Process>>> {
        if let Some(cgroup) = &self.cgroup {
            if cgroup.is_empty()? {
                cgroup.remove();
                return Ok(None);
            }
            let found = cgroup.pids()?.into_iter().filter_map(Stat::read);
            let found = found.filter(|stat| !stat.is_dead()).map(|stat| stat.process).collect();
            cgroup.kill()?;
            return Ok(Some(found));
        }
        let entry = format!("{TOKEN_VARIABLE}={}", self.token);
        let found = with_descendants(procfs::all()?, |stat| {
            Some(stat.process) == self.workload || procfs::has_variable(stat.process.pid, &entry)
        });
        if found.is_empty() {
            return Ok(None);
        }
        kill(&found)?;
        Ok(Some(found.into_iter().map(|stat| stat.process).collect()))
    }
}

/// Returns the living descendants of a process, among `all`.
pub(super) fn descendants(all: Vec<Stat>, pid: i32) -> Vec<Stat> {
    with_descendants(all, |stat| stat.parent == pid)
}

/// Kills the descendants of a living keeper once.
pub(super) fn kill_family(keeper: i32) -> io::Result<()> {
    kill(&descendants(procfs::all()?, keeper))
}

/// Returns the living processes for which `is_of_task` holds, and their living descendants, among
/// `all`. It follows parents that have ended, because a child may have been read just before its
/// parent ended.
fn with_descendants(mut all: Vec<Stat>, is_of_task: impl Fn(&Stat) -> bool) -> Vec<Stat> {
    let of_task = all.iter().filter(|stat| is_of_task(stat));
    let mut pids: BTreeSet<i32> = of_task.map(|stat| stat.process.pid).collect();
    loop {
        let known = pids.len();
        let children = all.iter().filter(|stat| pids.contains(&stat.parent));
        let children: Vec<i32> = children.map(|stat| stat.process.pid).collect();
        pids.extend(children);
        if pids.len() == known {
            break;
        }
    }
    all.retain(|stat| !stat.is_dead() && pids.contains(&stat.process.pid));
    all
}

/// Kills all of them, and returns the first error.
fn kill(found: &[Stat]) -> io::Result<()> {
    let mut killed = Ok(());
    for stat in found {
        killed = killed.and(stat.process.signal(Signal::KILL));
    }
    killed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keeper::procfs::tests::stat;

    #[test]
    fn a_descendant_is_found_if_its_parent_has_just_ended() {
        let all = vec![stat("S", 1, 0), stat("S", 5, 1), stat("S", 6, 8), stat("Z", 8, 5)];
        let found: Vec<i32> =
            descendants(all, 5).into_iter().map(|stat| stat.process.pid).collect();
        assert_eq!(found, [6]);
    }
}
