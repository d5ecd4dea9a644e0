use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::AsyncReadExt as _,
    process::Command,
    time::{sleep, timeout},
};

use super::{Keeper, KeeperError, Launched, POLL, SILENCE_LIMIT, Spawned, State, files};
use crate::{
    keeper::{exit::Exit, lock},
    process_state::{self, INHERITED_VARIABLE},
    turns::LAUNCHING,
};

/// How long a launch may take before its result is read from the directory. Many launches can run
/// at once.
const LAUNCH_TAKES: Duration = Duration::from_secs(60);

impl Keeper {
    /// Starts the keeper, and returns when the workload is running or has ended. A workload that
    /// could not be started has ended with [`Exit::NotStarted`]. If the reason is
    /// [temporary](super::super::NotStarted::is_temporary), another call tries again.
    ///
    /// If the launcher reports a failure, that may be wrong: it may have been killed after it
    /// started the keeper. So the directory's lock and the keeper's records decide.
    ///
    /// # Errors
    ///
    /// [`KeeperError::Launch`] if nothing runs and nothing will start. [`KeeperError::Lost`] if the
    /// keeper was killed. [`KeeperError::Silent`] if it is not known whether the workload runs;
    /// then call it again.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, the keeper may or may not have started. Call it again to find out. A
    /// workload is started at most once.
    pub async fn spawn(&self) -> Result<Spawned, KeeperError> {
        loop {
            if let Some(found) = self.already(true).await? {
                return Ok(found);
            }
            // Take the lock when it is this call's turn: others wait for the lock only for a
            // limited time.
            let launched = LAUNCHING.run(async {
                let Some(locked) = self.lock_for_launch()? else { return Ok(None) };
                Ok::<_, KeeperError>(Some(self.launch(locked).await))
            });
            match launched.await? {
                Some(Ok(())) => return Ok(Spawned::Started),
                Some(Err(error)) => return self.already(false).await?.ok_or(error),
                None => {}
            }
            sleep(POLL).await;
        }
    }

    /// Returns the result if no launch is needed. `None` if the task was not started. With `again`,
    /// also `None` if its start was refused for a temporary reason.
    async fn already(&self, again: bool) -> Result<Option<Spawned>, KeeperError> {
        let found = async {
            loop {
                match self.state().await? {
                    State::Starting => sleep(POLL).await,
                    State::NotStarted => return Ok(None),
                    State::Running { .. } => return Ok(Some(Spawned::AlreadyRunning)),
                    State::Exited(Exit::NotStarted(refused)) if again && refused.is_temporary() => {
                        return Ok(None);
                    }
                    State::Exited(_) => return Ok(Some(Spawned::AlreadyExited)),
                    State::Lost => return Err(self.lost()),
                }
            }
        };
        timeout(SILENCE_LIMIT, found).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// Locks the directory and restores its state after the preparation. `None` if it has another
    /// writer, or if a keeper has run there since.
    fn lock_for_launch(&self) -> Result<Option<File>, KeeperError> {
        let locked = lock::try_lock(&self.dir).map_err(|error| self.file("", error))?;
        let Some(locked) = locked else { return Ok(None) };
        let file = |name| move |error| self.file(name, error);
        let exit = files::read_exit(&self.dir).map_err(file(files::EXIT))?;
        let keeper = self.dir.join(files::KEEPER);
        if keeper.try_exists().map_err(file(files::KEEPER))? {
            let Some(Exit::NotStarted(refused)) = &exit else { return Ok(None) };
            if !refused.is_temporary() {
                return Ok(None);
            }
            fs::remove_file(keeper).map_err(file(files::KEEPER))?;
        }
        // Blank `exit.json` only after `keeper.json` is removed. Otherwise the task would look
        // lost.
        if exit.is_some() {
            files::reserve_exit(&self.dir).map_err(file(files::EXIT))?;
        }
        Ok(Some(locked))
    }

    /// Starts the launcher in its own process group, so that Ctrl-C in the terminal does not reach
    /// it.
    ///
    /// The locked directory is its standard input. This process keeps no copy. So the lock is free
    /// when the launcher and the keeper have both ended.
    async fn launch(&self, locked: File) -> Result<(), KeeperError> {
        let errors = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.dir.join(files::ERRORS))
            .map_err(|error| self.file(files::ERRORS, error))?;
        // The path is absolute, so that `procfs::keepers` can find the keeper by it.
        let dir = std::path::absolute(&self.dir).map_err(|error| self.file("", error))?;
        let mut command = Command::new(&self.program);
        command.arg0("process-agent").arg("keeper").arg(&dir);
        if let Some(inherited) = process_state::started_with() {
            command.env(INHERITED_VARIABLE, inherited.to_string());
        }
        command.stdin(locked).stdout(Stdio::piped()).stderr(errors).process_group(0);
        let started = command.spawn();
        drop(command);
        let mut launcher = started.map_err(|error| {
            let program = self.program.display();
            let reason = format!("cannot start {program}: {error}");
            self.not_launched(reason, error.raw_os_error())
        })?;
        let reading = async {
            let mut report = Vec::new();
            let read = match &mut launcher.stdout {
                Some(stdout) => stdout.read_to_end(&mut report).await.map(drop),
                None => Ok(()),
            };
            // The exit status is of no use. It may even be lost, if SIGCHLD is ignored.
            let _ = launcher.wait().await;
            read.map(|()| report)
        };
        let report = timeout(LAUNCH_TAKES, reading)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| self.not_launched(error.to_string(), error.raw_os_error()))?;
        match serde_json::from_slice(&report) {
            Ok(Launched::Started) => Ok(()),
            Ok(Launched::Failed { reason, errno }) => Err(self.not_launched(reason, errno)),
            Err(_) => {
                let what = "its launcher reported nothing; it was killed, or the program does not \
                            have the subcommand `keeper`";
                Err(self.not_launched(what.to_owned(), None))
            }
        }
    }
}
