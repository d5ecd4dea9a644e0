use std::{io, time::Duration};

use rustix::process::{Signal, getpid};
use time::UtcDateTime;
use tokio::time::{sleep, timeout};

use super::{Keeper, KeeperError, PATIENCE, POLL, Request, State, files};
use crate::keeper::{
    exit::{Exit, NotStarted},
    files::KeeperRecord,
    lock,
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
    /// A keeper that does not answer is woken with `CONT`, and so is a launcher; if that does not
    /// help, `force` kills it and sweeps.
    ///
    /// If the task's directory was removed, moved or replaced, this call finds the keeper by the
    /// path it was started for, asks it to stop the workload, and waits for its end. It does not
    /// find a keeper of another user, or in another PID or mount namespace. It does not find a
    /// keeper that was started for another path to the directory, such as a symbolic link. If the
    /// keeper was killed too, nothing is found: a directory that was removed looks like one that
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
        match self.state().await? {
            State::Exited(Exit::NotStarted(refused)) if refused.is_temporary() => self.bar(),
            State::Exited(_) => Ok(true),
            State::Lost => self.sweep().await.map(|_| true),
            State::NotStarted => {
                self.end_keepers(force).await?;
                self.bar()
            }
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
                    Ok(_) | Err(_) => Ok(false),
                }
            }
        }
    }

    /// Ends the keepers of this path whose directory is not there, and waits for them.
    async fn end_keepers(&self, force: bool) -> Result<(), KeeperError> {
        let end = async {
            loop {
                let keepers = self.keepers().await?;
                if keepers.is_empty() {
                    return Ok(());
                }
                self.wait_for(&keepers, force).await?;
            }
        };
        if !force {
            // As long as the grace allows.
            return end.await;
        }
        timeout(PATIENCE, end).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Asks keepers to end, and waits until they have.
    async fn wait_for(&self, keepers: &[Process], force: bool) -> Result<(), KeeperError> {
        let mut pause = POLL;
        while keepers.iter().any(|keeper| keeper.is_alive()) {
            for keeper in keepers {
                let ended = if force {
                    kill_family(keeper.pid)
                } else {
                    // For a keeper, that is the request to stop its workload.
                    keeper.signal(Signal::TERM)
                };
                // One that is stopped does not act on anything else.
                ended
                    .and_then(|()| keeper.signal(Signal::CONT))
                    .map_err(|error| self.file("", error))?;
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

    /// Sends a signal to whatever may have the lock: the keeper of the record, and the keepers and
    /// launchers that were started for this path.
    async fn signal_keepers(&self, signal: Signal) -> Result<(), KeeperError> {
        let mut keepers = self.keepers().await?;
        if let Some(record) = self.read::<KeeperRecord>(files::KEEPER)? {
            let boot_id = procfs::boot_id().map_err(|error| self.file("/proc", error))?;
            // Whoever has barred the task is in the record too, and is no keeper.
            let is_keeper =
                record.boot_id == boot_id && procfs::keeper_argument(record.keeper.pid).is_some();
            keepers.extend(is_keeper.then_some(record.keeper));
        }
        for keeper in keepers {
            // Its start time is compared there.
            keeper.signal(signal).map_err(|error| self.file(files::KEEPER, error))?;
        }
        Ok(())
    }

    /// Takes the place of the keeper if none has been there and none is on its way, so that none
    /// can start any more. `false` if there is a keeper in the meantime.
    fn bar(&self) -> Result<bool, KeeperError> {
        let locked = match lock::try_lock(&self.dir) {
            Ok(Some(locked)) => locked,
            Ok(None) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(self.file("", error)),
        };
        if !self.has(files::SPEC)? {
            // Nothing is prepared that could be started.
            return Ok(true);
        }
        if self.has(files::KEEPER)? {
            let exit = files::read_exit(&self.dir);
            let exit = exit.map_err(|error| self.file(files::EXIT, error))?;
            if !matches!(exit, Some(Exit::NotStarted(refused)) if refused.is_temporary()) {
                return Ok(false);
            }
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
            .map_err(|error| self.file(files::KEEPER, error))?;
        drop(locked);
        Ok(true)
    }
}
