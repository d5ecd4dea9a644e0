//! Whether a task's directory is still there.

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

/// Time between the first two looks, and between two looks later on: it is doubled each time, so
/// that thousands of keepers that wait cost nothing.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How much later it looks while an agent is connected. The agent looks then, in one process for
/// all of its tasks: see [`Keeper::wait`](super::Keeper::wait). This is for an agent that is stopped.
const DELAY: Duration = Duration::from_secs(600);

/// Looks again and again. It looks at the directory that is held open, so that neither a rename
/// nor another directory in its place is taken for a removal.
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

    /// When to call [`is_removed`](Self::is_removed) again.
    pub(super) fn wakes_at(&self, has_clients: bool) -> Instant {
        if has_clients { self.look + DELAY } else { self.look }
    }

    /// Looks at once when asked next, and more often for a while.
    pub(super) fn hurry(&mut self) {
        self.pause = FIRST_PAUSE;
        self.look = Instant::now();
    }

    /// Whether it is gone, if it is time for a look.
    pub(super) fn is_removed(&mut self) -> bool {
        let now = Instant::now();
        if now < self.look {
            return false;
        }
        self.look = now + self.pause;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        // Only this error means that it is gone; a disk that fails means nothing.
        let found = statat(&self.dir, files::KEEPER, AtFlags::SYMLINK_NOFOLLOW);
        matches!(found, Err(Errno::NOENT))
    }
}
