//! Inherited process state: what the agent and its keepers change for themselves, and what a
//! workload gets.
//!
//! | inherited | the agent, a keeper | a workload |
//! |---|---|---|
//! | blocked signals | none | none |
//! | ignored signals | the agent: as inherited, except `CHLD` and `XFSZ`; a keeper: only `PIPE` | none |
//! | descriptors | the agent: as inherited; a keeper: its own | 0 (`/dev/null`), 1 and 2 (its log) |
//! | soft limits on open files and on the size of files | raised to the hard limits | as the agent was started with |
//! | other limits | as inherited | as inherited |
//! | umask | 077 | as the agent was started with |
//! | environment | as inherited; a keeper: as its workload | without the variables that are meant for the agent, with those of its definition |
//! | working directory | the agent: as inherited; a keeper: `/` | `dir`, or its own |
//!
//! The launcher gives the keeper the default dispositions, an empty signal mask and its descriptors,
//! and removes the variables. The keeper gives the workload the rest.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use nix::sys::signal::SigSet;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGCHLD, SIGXFSZ};

/// The umask of the agent and of its keepers. Only their user can read their files.
const OWN_UMASK: Mode = Mode::RWXG.union(Mode::RWXO);

/// The state that this process was started with. Set by [`take_over`].
static STARTED_WITH: OnceLock<Inherited> = OnceLock::new();

/// The variable with which the agent passes the state that it was started with to a launcher, and
/// the launcher to the keeper. No workload gets it.
pub(crate) const INHERITED_VARIABLE: &str = "ONWARD_INHERITED";

/// The inherited state that a workload gets back. Its text form is JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inherited {
    umask: u32,
    /// The soft limit on open files. `None`: no limit.
    open_files: Option<u64>,
    /// The soft limit on the size of files in bytes. `None`: no limit.
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

/// Changes inherited state that would disturb this process, and returns the original. Call it
/// first, while the process has one thread. Only the first call has an effect.
///
/// A signal that must not end the program gets a handler. It is not ignored, because a child would
/// inherit that.
pub fn take_over() -> Inherited {
    *STARTED_WITH.get_or_init(|| {
        // Each of these fails only if the system does not support it.
        _ = SigSet::empty().thread_set_mask();
        // A write beyond the limit then fails with an error.
        _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
        // If SIGCHLD is ignored, the exit status of a child is lost.
        _ = signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)));
        Inherited {
            umask: umask(OWN_UMASK).as_raw_mode(),
            open_files: raise(Resource::Nofile),
            file_size: raise(Resource::Fsize),
        }
    })
}

/// Returns the size of the largest file that this process may write.
pub(crate) fn largest_file() -> u64 {
    getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX)
}

/// Returns the result of [`take_over`]. `None` if it was not called.
pub(crate) fn started_with() -> Option<Inherited> {
    STARTED_WITH.get().copied()
}

impl Inherited {
    /// Calls `start`, which starts a child. The child gets the original umask and soft limits.
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

/// Raises a soft limit to the hard one. Returns the old soft limit.
fn raise(resource: Resource) -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(resource);
    set_soft(resource, maximum);
    current
}

/// Sets a soft limit. The system accepts it if it is not above the hard limit. Otherwise nothing
/// changes.
fn set_soft(resource: Resource, current: Option<u64>) {
    let maximum = getrlimit(resource).maximum;
    _ = setrlimit(resource, Rlimit { current, maximum });
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test fails by panicking
mod tests {
    use super::*;

    #[test]
    fn the_inherited_state_can_be_passed_to_a_keeper() {
        let inherited = Inherited { umask: 0o22, open_files: Some(1024), file_size: None };
        let text = inherited.to_string();
        assert_eq!(text, r#"{"umask":18,"open_files":1024,"file_size":null}"#);
        assert_eq!(text.parse::<Inherited>().unwrap(), inherited);
        assert!("{}".parse::<Inherited>().is_err());
    }
}
