//! The processes of a workload: finds, signals and kills them.

use std::{collections::BTreeSet, fmt, fs::File, io, path::Path};

use rustix::process::{Pid, Signal, getpid};
use serde::{Deserialize, Serialize};

use super::{
    cgroup::{Cgroup, Place},
    complain::complain,
    procfs::{self, Stat},
    sweep::descendants,
};

/// How many times the processes are listed for the stop signal, until no new one is found. A
/// process may start, or lose its parent, while they are listed.
const MAX_PASSES: usize = 8;

/// How a keeper finds the processes of its workload. It uses the first of these that is possible,
/// and keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tracking {
    /// The workload has its own cgroup (v2).
    Cgroup,
    /// The kernel lists the children of each process (`CONFIG_PROC_CHILDREN`).
    Children,
    /// The keeper reads all processes of the machine, if some processes of the task are left after
    /// a signal to its group.
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

/// The chosen [`Tracking`] before the workload is started.
#[derive(Debug)]
pub(super) enum Choice {
    Cgroup(Place),
    Tree,
}

impl Choice {
    pub(super) fn of(token: &str) -> Self {
        Place::find(token).map_or(Self::Tree, Self::Cgroup)
    }

    /// Returns the path of the cgroup that [`start_in`](Self::start_in) will create.
    pub(super) fn cgroup(&self) -> Option<&Path> {
        match self {
            Self::Cgroup(place) => Some(&place.path),
            Self::Tree => None,
        }
    }

    /// Starts a workload so that its processes can be found. If the cgroup cannot be created, for
    /// example on a read-only file system, the workload starts without one.
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

    /// Whether the cost of a search grows with the number of processes on the machine.
    pub(super) fn is_costly(&self) -> bool {
        matches!(self, Self::Scan)
    }

    /// Returns the file to poll for `PRI`. It is ready when no process is left.
    pub(super) fn events(&self) -> Option<&File> {
        match self {
            Self::Cgroup(cgroup) => Some(cgroup.events()),
            Self::Children | Self::Scan => None,
        }
    }

    /// Whether a living process is not a descendant of this one. It was put into the cgroup from
    /// outside.
    pub(super) fn has_strangers(&self) -> bool {
        match self {
            Self::Cgroup(cgroup) => cgroup.is_empty().is_ok_and(|empty| !empty),
            Self::Children | Self::Scan => false,
        }
    }

    /// Lists the processes, including those that have just ended.
    fn list(&self) -> io::Result<Vec<Stat>> {
        Ok(match self {
            Self::Cgroup(cgroup) => {
                let pids = cgroup.pids()?;
                let found: Vec<Stat> = pids.into_iter().filter_map(Stat::read).collect();
                // A process id that is still in the cgroup does not belong to a new process.
                let still: BTreeSet<i32> = cgroup.pids()?.into_iter().collect();
                found.into_iter().filter(|stat| still.contains(&stat.process.pid)).collect()
            }
            Self::Children => procfs::listed_descendants(getpid().as_raw_nonzero().get()),
            Self::Scan => descendants(procfs::all()?, getpid().as_raw_nonzero().get()),
        })
    }

    /// Sends a signal once to each process, except for those in a process group that has already
    /// got it.
    pub(super) fn signal(&self, signal: Signal, but_group: Option<Pid>) {
        let but_group = but_group.map(|group| group.as_raw_nonzero().get());
        let mut seen: BTreeSet<i32> = BTreeSet::new();
        for _ in 0..MAX_PASSES {
            let found = match self.list() {
                Ok(found) => found,
                Err(error) => return complain(&format!("cannot list the processes: {error}")),
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
            // If the parent of a process ends during the search, the process may be in no list. The
            // next pass finds it, because this pass has found its parent.
            if known > 0 && seen.len() == known {
                return;
            }
        }
    }

    /// Kills all processes that can be killed without a search. Returns `false` if there is no such
    /// way.
    pub(super) fn kill_at_once(&self) -> bool {
        let Self::Cgroup(cgroup) = self else {
            return false;
        };
        let killed = cgroup.kill();
        if let Err(error) = &killed {
            complain(&format!("cannot kill the cgroup: {error}"));
        }
        killed.is_ok()
    }

    /// Kills all descendants of this process once. Returns `false` if some are alive and none of
    /// them may be killed, for example because they belong to another user.
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
        // Try all of them before counting.
        let refused = killed.filter(is_refused).count();
        Ok(refused == 0 || refused < found.len())
    }

    /// Removes the cgroup, if there is one. It must be empty.
    pub(super) fn remove(&self) {
        if let Self::Cgroup(cgroup) = self {
            cgroup.remove();
        }
    }
}
