//! What a keeper that was killed has left, and what descends from one that lives.

use std::{collections::BTreeSet, io, path::Path};

use rustix::process::Signal;

use super::{
    cgroup::Cgroup,
    environment::TOKEN_VARIABLE,
    procfs::{self, Process, Stat},
};

/// What may be left of a task whose keeper is gone.
pub(super) struct Remains<'a> {
    cgroup: Option<Cgroup>,
    token: &'a str,
    workload: Option<Process>,
}

impl<'a> Remains<'a> {
    /// Without its cgroup, because it had none or it is not to be seen from here, a task's
    /// processes are known by the token in their environment.
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

    /// Kills once what is left, and returns which processes were found alive; `None` when nothing
    /// is left. To be repeated until then: a process can start another while it is looked for.
    ///
    /// Their user does not matter: a workload that changed its user is still the task's, and
    /// nobody else can know the token.
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

/// The descendants of a process that live, among `all`.
pub(super) fn descendants(all: Vec<Stat>, pid: i32) -> Vec<Stat> {
    with_descendants(all, |stat| stat.parent == pid)
}

/// Kills once what descends from a keeper that lives.
pub(super) fn kill_family(keeper: i32) -> io::Result<()> {
    kill(&descendants(procfs::all()?, keeper))
}

/// The processes among `all` that live and for which `is_of_task` holds, and their descendants. A
/// descendant may have been looked at just before its parent ended, so parents that have ended
/// count.
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

/// All of them, before the first that could not be killed is reported.
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
    fn a_descendant_is_found_though_its_parent_has_just_ended() {
        let all = vec![stat("S", 1, 0), stat("S", 5, 1), stat("S", 6, 8), stat("Z", 8, 5)];
        let found: Vec<i32> =
            descendants(all, 5).into_iter().map(|stat| stat.process.pid).collect();
        assert_eq!(found, [6]);
    }
}
