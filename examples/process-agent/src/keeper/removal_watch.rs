//! Detects that a task's directory was removed.

use std::{
    fs::File,
    io,
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    fs::{AtFlags, statat},
    io::Errno,
};

use super::files;

/// Time until the first check. It is doubled for each later check, so that thousands of waiting
/// keepers cost almost nothing.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How much later the keeper checks while an agent is connected. The agent checks instead, in one
/// process for all of its tasks: see [`Keeper::wait`](super::Keeper::wait). The keeper's check is
/// for an agent that is stopped by a signal.
const DELAY: Duration = Duration::from_secs(600);

/// Checks repeatedly whether a directory was removed. It uses the open directory, so a renamed
/// directory does not count as removed.
#[derive(Debug)]
pub(super) struct RemovalWatch {
    dir: File,
    pause: Duration,
    look: Instant,
}

impl RemovalWatch {
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        let dir = File::open(dir)?;
        Ok(Self { dir, pause: FIRST_PAUSE, look: Instant::now() + FIRST_PAUSE })
    }

    /// Returns when to call [`is_removed`](Self::is_removed) again.
    pub(super) fn wakes_at(&self, has_clients: bool) -> Instant {
        if has_clients { self.look + DELAY } else { self.look }
    }

    /// Makes the next call of [`is_removed`](Self::is_removed) check at once. Later checks are more
    /// frequent for a while.
    pub(super) fn hurry(&mut self) {
        self.pause = FIRST_PAUSE;
        self.look = Instant::now();
    }

    /// Whether the directory was removed. Checks only if it is time.
    pub(super) fn is_removed(&mut self) -> bool {
        let now = Instant::now();
        if now < self.look {
            return false;
        }
        self.look = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        // Only this error means a removal. An error of the disk does not.
        let found = statat(&self.dir, files::KEEPER, AtFlags::SYMLINK_NOFOLLOW);
        matches!(found, Err(Errno::NOENT))
    }
}
