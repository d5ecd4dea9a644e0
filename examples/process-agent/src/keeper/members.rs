//! Everything that belongs to a workload: how its processes are found, signalled and killed.

use std::{collections::BTreeSet, fmt, fs::File, io, path::Path};

use rustix::process::{Pid, Signal, getpid};
use serde::{Deserialize, Serialize};

use super::{
    cgroup::{Cgroup, Place},
    complain::complain,
    procfs::{self, Stat},
    sweep::descendants,
};

/// How often the processes are listed for the stop signal, until no other one is found: some were
/// started, or lost their parents, while they were listed.
const MAX_PASSES: usize = 8;

/// How a keeper finds the processes of its workload. Chosen once per keeper: the first of these
/// that is possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tracking {
    /// The workload has a cgroup (v2) of its own.
    Cgroup,
    /// The kernel lists the children of each process (`CONFIG_PROC_CHILDREN`).
    Children,
    /// All processes of the machine are looked at, when some are left that have not ended by
    /// themselves.
    Scan,
}

impl fmt::Display for Tracking {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Cgroup => "cgroup",
            Self::Children => "children",
            Self::Scan => "scan",
        })
    }
}

/// The choice of a [`Tracking`] before the workload is started.
#[derive(Debug)]
pub(super) enum Choice {
    Cgroup(Place),
    Tree,
}

impl Choice {
    pub(super) fn of(token: &str) -> Self {
        Place::find(token).map_or(Self::Tree, Self::Cgroup)
    }

    /// The path of the cgroup that [`start_in`](Self::start_in) will make.
    pub(super) fn cgroup(&self) -> Option<&Path> {
        match self {
            Self::Cgroup(place) => Some(&place.path),
            Self::Tree => None,
        }
    }

    /// Starts a workload so that its processes can be found. A cgroup that cannot be made, for
    /// example because its file system is mounted read-only, is no reason not to start.
    pub(super) fn start_in<T>(self, mut start: impl FnMut() -> T) -> (T, Members) {
        let cgroup = match self {
            Self::Cgroup(place) => Cgroup::start_in(place, &mut start),
            Self::Tree => Err(io::ErrorKind::Unsupported.into()),
        };
        match cgroup {
            Ok((started, Some(cgroup))) => (started, Members::Cgroup(cgroup)),
            Ok((started, None)) => (started, Members::tree()),
            Err(_) => (start(), Members::tree()),
        }
    }
}

/// The processes of a workload.
#[derive(Debug)]
pub(super) enum Members {
    Cgroup(Cgroup),
    Children,
    Scan,
}

impl Members {
    fn tree() -> Self {
        if procfs::lists_children() { Self::Children } else { Self::Scan }
    }

    pub(super) fn tracking(&self) -> Tracking {
        match self {
            Self::Cgroup(_) => Tracking::Cgroup,
            Self::Children => Tracking::Children,
            Self::Scan => Tracking::Scan,
        }
    }

    /// Whether finding the processes costs more the more processes others have.
    pub(super) fn is_costly(&self) -> bool {
        matches!(self, Self::Scan)
    }

    /// The file to be polled for `PRI`, which becomes ready when no process is left.
    pub(super) fn events(&self) -> Option<&File> {
        match self {
            Self::Cgroup(cgroup) => Some(cgroup.events()),
            Self::Children | Self::Scan => None,
        }
    }

    /// Whether a process lives that is no descendant of this one: one that was put into the cgroup
    /// from outside.
    pub(super) fn has_strangers(&self) -> bool {
        match self {
            Self::Cgroup(cgroup) => cgroup.is_empty().is_ok_and(|empty| !empty),
            Self::Children | Self::Scan => false,
        }
    }

    /// The processes, those too that have just ended.
    fn list(&self) -> io::Result<Vec<Stat>> {
        Ok(match self {
            Self::Cgroup(cgroup) => {
                let pids = cgroup.pids()?;
                let found: Vec<Stat> = pids.into_iter().filter_map(Stat::read).collect();
                // A number that is still in the cgroup has not gone to another process.
                let still: BTreeSet<i32> = cgroup.pids()?.into_iter().collect();
                found.into_iter().filter(|stat| still.contains(&stat.process.pid)).collect()
            }
            Self::Children => procfs::listed_descendants(getpid().as_raw_nonzero().get()),
            Self::Scan => descendants(procfs::all()?, getpid().as_raw_nonzero().get()),
        })
    }

    /// Sends a signal to each process once, but not to those in the process group that was sent
    /// it already.
    pub(super) fn signal(&self, signal: Signal, but_group: Option<Pid>) {
        let but_group = but_group.map(|group| group.as_raw_nonzero().get());
        let mut seen: BTreeSet<i32> = BTreeSet::new();
        for _ in 0..MAX_PASSES {
            let found = match self.list() {
                Ok(found) => found,
                Err(error) => return complain(&format!("processes cannot be listed: {error}")),
            };
            let known = seen.len();
            for stat in found {
                if seen.insert(stat.process.pid)
                    && Some(stat.group) != but_group
                    && !stat.is_dead()
                    && let Err(error) = stat.process.signal(signal)
                {
                    complain(&error.to_string());
                }
            }
            // A process whose parent ends while the lists are read may be in none of them. It is
            // in the next one, and its parent was in this one.
            if known > 0 && seen.len() == known {
                return;
            }
        }
    }

    /// Kills all processes that can be killed without a look at each. `false` if that is none.
    pub(super) fn kill_at_once(&self) -> bool {
        let Self::Cgroup(cgroup) = self else {
            return false;
        };
        let killed = cgroup.kill();
        if let Err(error) = &killed {
            complain(&format!("the cgroup cannot be killed: {error}"));
        }
        killed.is_ok()
    }

    /// Kills all descendants of this process once, wherever they are. `false` if some live and
    /// none of them may be killed, for example because they are of another user.
    pub(super) fn kill_tree(&self) -> io::Result<bool> {
        let me = getpid().as_raw_nonzero().get();
        let mut found = match self {
            Self::Children => procfs::listed_descendants(me),
            Self::Cgroup(_) | Self::Scan => descendants(procfs::all()?, me),
        };
        found.retain(|stat| !stat.is_dead());
        let killed = found.iter().map(|stat| stat.process.signal(Signal::KILL));
        let is_refused = |killed: &io::Result<()>| {
            killed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        };
        // All are tried, before it is counted.
        let refused = killed.filter(is_refused).count();
        Ok(refused == 0 || refused < found.len())
    }

    /// Removes what was made to find them. There must be none left.
    pub(super) fn remove(&self) {
        if let Self::Cgroup(cgroup) = self {
            cgroup.remove();
        }
    }
}
