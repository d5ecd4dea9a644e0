//! What a process inherits from the one that starts it: what the agent and its keepers change for
//! themselves, and what a workload gets.
//!
//! | inherited | the agent, a keeper | a workload |
//! |---|---|---|
//! | blocked signals | none | none |
//! | ignored signals | the agent: as inherited, except `CHLD` and `XFSZ`; a keeper: only `PIPE` | none |
//! | descriptors | the agent: as inherited; a keeper: its own | 0 (`/dev/null`), 1 and 2 (its log) |
//! | soft limits on open files and on the size of files | raised to the hard limits | as the agent was started with |
//! | other limits | as inherited | as inherited |
//! | umask | 077 | as the agent was started with |
//! | environment | as inherited; a keeper: as its workload | without the variables that were meant for the agent, with those of its definition |
//! | working directory | the agent: as inherited; a keeper: `/` | `dir`, or one of its own |
//!
//! The keeper's launcher gives the default dispositions, the empty mask and the descriptors to the
//! keeper, and removes the variables; the keeper gives the rest to the workload.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use nix::sys::signal::SigSet;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGCHLD, SIGXFSZ};

/// The umask of the agent and of its keepers: their files are for their user only.
const OWN_UMASK: Mode = Mode::RWXG.union(Mode::RWXO);

/// What this process was started with, once [`take_over`] has changed it.
static STARTED_WITH: OnceLock<Inherited> = OnceLock::new();

/// The variable by which the agent tells a launcher, and that the keeper, what the agent was
/// started with. No workload gets it.
pub(crate) const INHERITED_VARIABLE: &str = "ONWARD_INHERITED";

/// What a workload gets back of what the agent has inherited. As text, it is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inherited {
    umask: u32,
    /// The soft limit on open files; none if there is no limit.
    open_files: Option<u64>,
    /// The soft limit on the size of files in bytes; none if there is no limit.
    file_size: Option<u64>,
}

impl fmt::Display for Inherited {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Inherited {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// Changes what this process has inherited and would be disturbed by, and returns what it was.
/// The program calls it first, while it has one thread. Only the first call changes something.
///
/// A signal that must not end the program gets a handler. It is not ignored, because a child would
/// inherit that.
pub fn take_over() -> Inherited {
    *STARTED_WITH.get_or_init(|| {
        // Each of these can only fail if the system does not know it.
        _ = SigSet::empty().thread_set_mask();
        // A write beyond the limit fails then, and can be reported.
        _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
        // If it is ignored, nobody can wait for a child.
        _ = signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)));
        Inherited {
            umask: umask(OWN_UMASK).as_raw_mode(),
            open_files: raise(Resource::Nofile),
            file_size: raise(Resource::Fsize),
        }
    })
}

/// The largest file that this process may write.
pub(crate) fn largest_file() -> u64 {
    getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

/// What [`take_over`] has found; `None` if it was not called.
pub(crate) fn started_with() -> Option<Inherited> {
    STARTED_WITH.get().copied()
}

impl Inherited {
    /// Calls `start`, which starts a child: that child gets the umask and the soft limits.
    pub(crate) fn give_to<T>(&self, start: impl FnOnce() -> T) -> T {
        let own = [Resource::Nofile, Resource::Fsize].map(|resource| getrlimit(resource).current);
        let own_umask = umask(Mode::from_raw_mode(self.umask));
        set_soft(Resource::Nofile, self.open_files);
        set_soft(Resource::Fsize, self.file_size);
        let started = start();
        let [open_files, file_size] = own;
        set_soft(Resource::Nofile, open_files);
        set_soft(Resource::Fsize, file_size);
        umask(own_umask);
        started
    }
}

/// Raises a soft limit to the hard one, and returns what it was.
fn raise(resource: Resource) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(resource);
    set_soft(resource, maximum);
    current
}

/// A soft limit that is not above the hard one is never refused; another one stays as it is.
fn set_soft(resource: Resource, current: Option<u64>) {
    let maximum = getrlimit(resource).maximum;
    _ = setrlimit(resource, Rlimit { current, maximum });
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn what_is_inherited_can_be_told_to_a_keeper() {
        let inherited = Inherited { umask: 0o22, open_files: Some(1024), file_size: None };
        let text = inherited.to_string();
        assert_eq!(text, r#"{"umask":18,"open_files":1024,"file_size":null}"#);
        assert_eq!(text.parse::<Inherited>().unwrap(), inherited);
        assert!("{}".parse::<Inherited>().is_err());
    }
}
