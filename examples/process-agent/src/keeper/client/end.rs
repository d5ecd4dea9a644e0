use std::{
    fs::{OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::Duration,
};

use rustix::process::{Signal, getpid};
use time::UtcDateTime;
use tokio::time::{sleep, timeout};

use super::{Keeper, KeeperError, PATIENCE, POLL, Request, State, files};
use crate::keeper::{
    exit::{Exit, NotStarted},
    files::KeeperRecord,
    procfs::{self, Process},
    sweep::kill_family,
};

/// The longest time between two looks at a keeper whose directory is not there.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Keeper {
    /// Ends the task, whatever its state, and returns when nothing of it is left: stops it, or
    /// with `force` kills it; sweeps what a lost keeper has left. A task that has not been
    /// started cannot be started any more.
    ///
    /// A keeper that does not answer is woken with `CONT`; if it still does not, `force` kills it
    /// and sweeps.
    ///
    /// When the task's directory has been removed, its keeper notices within half a minute, or when
    /// this call wakes it, and stops the workload. This call then finds the keeper by the path it was started for, and waits for
    /// its end. What it cannot find is a keeper of another user or in another PID or mount namespace,
    /// one that was started for another path to the directory (a symbolic link, a rename), and what a
    /// keeper left that was killed: then nothing tells a directory that was removed from one that
    /// never was.
    ///
    /// # Errors
    ///
    /// Those of [`state`](Self::state), [`stop`](Self::stop) and [`sweep`](Self::sweep).
    ///
    /// # Cancel safety
    ///
    /// Dropped, the task still ends if it was asked to. Can be called again.
    pub async fn end(&self, force: bool) -> Result<(), KeeperError> {
        let mut silences = 0;
        loop {
            match self.come_closer(force).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(KeeperError::Silent { .. }) if silences == 0 => {
                    self.signal_keepers(Signal::CONT).await?;
                    silences = 1;
                }
                Err(KeeperError::Silent { .. }) if silences == 1 && force => {
                    self.signal_keepers(Signal::KILL).await?;
                    silences = 2;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One step towards the end. `true` if it is reached.
    async fn come_closer(&self, force: bool) -> Result<bool, KeeperError> {
        self.bar()?;
        match self.state().await? {
            State::Exited(_) => Ok(true),
            State::Lost => self.sweep().await.map(|_| true),
            State::NotStarted if self.is_prepared()? => {
                // A keeper has the lock but has not come far.
                let further = timeout(PATIENCE, self.further()).await;
                further.unwrap_or_else(|_| Err(self.silent())).map(|()| false)
            }
            State::NotStarted => self.end_without_directory(force).await.map(|()| true),
            State::Starting | State::Running { .. } => {
                match self.ask(Request { stop: !force, kill: force }).await {
                    // It has changed since; another look says how.
                    Err(KeeperError::Lost { .. } | KeeperError::NotStarted { .. }) => {
                        return Ok(false);
                    }
                    asked => asked?,
                }
                // Not for ever: the keeper may be stopped by now, or its directory be gone.
                match timeout(PATIENCE, self.wait()).await {
                    Ok(waited) => waited.map(|_| false),
                    Err(_) => Ok(false),
                }
            }
        }
    }

    /// Waits until a keeper on its way has come to its start, has failed or is barred.
    async fn further(&self) -> Result<(), KeeperError> {
        while self.is_prepared()? && self.state().await? == State::NotStarted {
            sleep(POLL).await;
            self.bar()?;
        }
        Ok(())
    }

    /// Waits for the keepers of a directory that is not there.
    async fn end_without_directory(&self, force: bool) -> Result<(), KeeperError> {
        // Only the task's own operations make and remove a directory within that of the task, and
        // they end what is in it before. So there is none to be looked for, which costs much.
        if self.is_part && self.dir.parent().is_some_and(Path::exists) {
            return Ok(());
        }
        let end = async {
            loop {
                let keepers = self.keepers().await?;
                if keepers.is_empty() {
                    return Ok(());
                }
                self.end_keepers(&keepers, force).await?;
            }
        };
        if !force {
            // As long as the grace allows.
            return end.await;
        }
        timeout(PATIENCE, end).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Waits for the end of keepers whose directory is not there.
    async fn end_keepers(&self, keepers: &[Process], force: bool) -> Result<(), KeeperError> {
        let mut pause = POLL;
        while keepers.iter().any(|keeper| keeper.is_alive()) {
            for keeper in keepers {
                // It looks whether its directory is there when it is woken.
                let done = keeper
                    .signal(Signal::CONT)
                    .and_then(|()| if force { kill_family(keeper.pid) } else { Ok(()) });
                done.map_err(|error| self.file("", error))?;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// The keepers that live and were started for this path. In a thread for blocking work: it
    /// looks at all processes.
    async fn keepers(&self) -> Result<Vec<Process>, KeeperError> {
        let dir = std::path::absolute(&self.dir);
        let found = tokio::task::spawn_blocking(move || procfs::keepers(&dir?)).await;
        let found = found.unwrap_or_else(|error| Err(io::Error::other(error)));
        found.map_err(|error| self.file("", error))
    }

    /// Sends a signal to the keeper of the record, or, where there is no record yet, to
    /// those that were started for this path.
    async fn signal_keepers(&self, signal: Signal) -> Result<(), KeeperError> {
        let record: Option<KeeperRecord> = self.read(files::KEEPER)?;
        let keepers = match record {
            Some(record) => {
                let boot_id = procfs::boot_id().map_err(|error| self.file("/proc", error))?;
                // Whoever has barred the task is in the record too, and is no keeper.
                let is_keeper = record.boot_id == boot_id
                    && procfs::keeper_argument(record.keeper.pid).is_some();
                if is_keeper { vec![record.keeper] } else { Vec::new() }
            }
            None => self.keepers().await?,
        };
        for keeper in keepers {
            // Its start time is compared there.
            keeper.signal(signal).map_err(|error| self.file(files::KEEPER, error))?;
        }
        Ok(())
    }

    /// Whether there is anything that a keeper could start.
    fn is_prepared(&self) -> Result<bool, KeeperError> {
        let spec = self.dir.join(files::SPEC).try_exists();
        spec.map_err(|error| self.file(files::SPEC, error))
    }

    /// Takes the place of the keeper where none has been: one that is on its way, because
    /// a call of [`spawn`](Self::spawn) was dropped or the agent was killed, then finds that it
    /// is too late.
    fn bar(&self) -> Result<(), KeeperError> {
        if !self.is_prepared()? {
            return Ok(());
        }
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.dir.join(files::LOCK))
            .map_err(|error| self.file(files::LOCK, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(self.file(files::LOCK, error)),
        }
        let keeper = self.dir.join(files::KEEPER).try_exists();
        if keeper.map_err(|error| self.file(files::KEEPER, error))? {
            return Ok(());
        }
        let spawn_error = "it was ended before it was started".to_owned();
        let exit = Exit::NotStarted(NotStarted { spawn_error, errno: None });
        files::open_exit(&self.dir)
            .and_then(|file| files::write_exit(&file, &exit))
            .map_err(|error| self.file(files::EXIT, error))?;
        procfs::Process::of(getpid())
            .and_then(|keeper| {
                let boot_id = procfs::boot_id()?;
                let started_at = UtcDateTime::now();
                let (cgroup, tracking) = (None, None);
                let record =
                    KeeperRecord { keeper, workload: None, cgroup, tracking, boot_id, started_at };
                files::write(&self.dir, files::KEEPER, &record)
            })
            .map_err(|error| self.file(files::KEEPER, error))
    }
}
