use std::{
    fs::{OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
};

use rustix::process::getpid;
use time::UtcDateTime;
use tokio::time::sleep;

use super::{Keeper, KeeperError, POLL, Request, State, files};
use crate::keeper::{
    exit::{Exit, NotStarted},
    files::KeeperRecord,
    procfs,
};

impl Keeper {
    /// Ends the task, whatever its state, and returns when nothing of it is left: stops it, or
    /// with `force` kills it; sweeps what a lost keeper has left. A task that has not been
    /// started cannot be started any more.
    ///
    /// # Errors
    ///
    /// Those of [`state`](Self::state), [`stop`](Self::stop) and [`sweep`](Self::sweep).
    ///
    /// # Cancel safety
    ///
    /// Dropped, the task still ends if it was asked to. Can be called again.
    pub async fn end(&self, force: bool) -> Result<(), KeeperError> {
        let request = Request { stop: !force, kill: force };
        loop {
            self.bar()?;
            match self.state().await? {
                State::Exited(_) => return Ok(()),
                State::Lost => return self.sweep().await.map(drop),
                State::NotStarted if !self.is_prepared()? => return Ok(()),
                // A keeper has the lock but has not come far.
                State::NotStarted => sleep(POLL).await,
                State::Starting | State::Running { .. } => {
                    self.ask(request).await?;
                    self.wait().await?;
                }
            }
        }
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
                let record = KeeperRecord { keeper, workload: None, boot_id, started_at };
                files::write(&self.dir, files::KEEPER, &record)
            })
            .map_err(|error| self.file(files::KEEPER, error))
    }
}
