use std::{io, time::Duration};

use rustix::process::{Signal, getpid};
use time::UtcDateTime;
use tokio::time::{sleep, timeout};

use super::{Keeper, KeeperError, POLL, Request, SILENCE_LIMIT, State, files};
use crate::keeper::{
    exit::{Exit, NotStarted},
    files::KeeperRecord,
    lock,
    procfs::{self, Process},
    sweep::kill_family,
};

/// The longest time between two checks of a keeper whose directory is gone.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

impl Keeper {
    /// Ends the task in any state, and returns when no process of it is left. It stops the task, or
    /// kills it with `force`. If the keeper is lost, it kills the remaining processes. A task that
    /// was not started can no longer be started.
    ///
    /// A keeper or launcher that does not answer is woken with `CONT`. If that does not help,
    /// `force` kills it and the remaining processes.
    ///
    /// If the task's directory was removed, moved or replaced, this call finds the keeper by the
    /// path in its arguments. It asks the keeper to stop the workload, and waits for its end. It
    /// does not find a keeper of another user, or in another PID or mount namespace. It does not
    /// find a keeper that was started with another path to the directory, such as a symbolic link.
    /// If the keeper was killed too, it finds nothing: a removed directory looks like one that
    /// never existed.
    ///
    /// # Errors
    ///
    /// The errors of [`state`](Self::state), [`stop`](Self::stop) and [`sweep`](Self::sweep).
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, a task that was already asked to end still ends. You can call it
    /// again.
    pub async fn end(&self, force: bool) -> Result<(), KeeperError> {
        let mut silences = 0;
        loop {
            match self.end_step(force).await {
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

    /// Makes one step towards the end. Returns `true` when the task has ended.
    async fn end_step(&self, force: bool) -> Result<bool, KeeperError> {
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
                    // The state has changed since. Look again.
                    Err(KeeperError::Lost { .. } | KeeperError::NotStarted { .. }) => {
                        return Ok(false);
                    }
                    asked => asked?,
                }
                // Wait only for a limited time, because the keeper may be stopped or its directory
                // removed.
                match timeout(SILENCE_LIMIT, self.wait()).await {
                    Ok(_) | Err(_) => Ok(false),
                }
            }
        }
    }

    /// Ends the keepers of this path whose directory is gone, and waits for them.
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
            // The grace limits the time.
            return end.await;
        }
        timeout(SILENCE_LIMIT, end).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Asks keepers to end, and waits until they have.
    async fn wait_for(&self, keepers: &[Process], force: bool) -> Result<(), KeeperError> {
        let mut pause = POLL;
        while keepers.iter().any(|keeper| keeper.is_alive()) {
            for keeper in keepers {
                let ended = if force {
                    kill_family(keeper.pid)
                } else {
                    // For a keeper, this is the request to stop its workload.
                    keeper.signal(Signal::TERM)
                };
                // A stopped process reacts to no other signal.
                ended
                    .and_then(|()| keeper.signal(Signal::CONT))
                    .map_err(|error| self.file("", error))?;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// Returns the living keepers that were started for this path. Runs in a thread for blocking
    /// work, because it reads all processes.
    async fn keepers(&self) -> Result<Vec<Process>, KeeperError> {
        let dir = std::path::absolute(&self.dir);
        let found = tokio::task::spawn_blocking(move || procfs::keepers(&dir?)).await;
        let found = found.unwrap_or_else(|error| Err(io::Error::other(error)));
        found.map_err(|error| self.file("", error))
    }

    /// Sends a signal to each process that may have the lock: the keeper in the record, and all
    /// keepers and launchers that were started for this path.
    async fn signal_keepers(&self, signal: Signal) -> Result<(), KeeperError> {
        let mut keepers = self.keepers().await?;
        if let Some(record) = self.read::<KeeperRecord>(files::KEEPER)? {
            let boot_id = procfs::boot_id().map_err(|error| self.file("/proc", error))?;
            // The record may also name the process that barred the task, which is not a keeper.
            let is_keeper =
                record.boot_id == boot_id && procfs::keeper_argument(record.keeper.pid).is_some();
            keepers.extend(is_keeper.then_some(record.keeper));
        }
        for keeper in keepers {
            // `signal` compares the start time.
            keeper.signal(signal).map_err(|error| self.file(files::KEEPER, error))?;
        }
        Ok(())
    }

    /// Bars the task from starting, if it has no keeper and none is starting. Returns `false` if
    /// there is a keeper by now.
    fn bar(&self) -> Result<bool, KeeperError> {
        let locked = match lock::try_lock(&self.dir) {
            Ok(Some(locked)) => locked,
            Ok(None) => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(self.file("", error)),
        };
        if !self.has(files::SPEC)? {
            // The task is not prepared, so it cannot be started.
            return Ok(true);
        }
        if self.has(files::KEEPER)? {
            let exit = files::read_exit(&self.dir);
            let exit = exit.map_err(|error| self.file(files::EXIT, error))?;
            if !matches!(exit, Some(Exit::NotStarted(refused)) if refused.is_temporary()) {
                return Ok(false);
            }
        }
        let spawn_error = "the task was ended before it was started".to_owned();
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
