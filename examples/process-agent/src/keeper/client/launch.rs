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

use super::{Keeper, KeeperError, Launched, PATIENCE, POLL, Spawned, State, files};
use crate::{
    keeper::{exit::Exit, lock},
    process_state::{self, INHERITED_VARIABLE},
    turns::TURNS,
};

/// How long a launch may take before its outcome is looked for: many can be under way at once.
const LAUNCH_TAKES: Duration = Duration::from_secs(60);

impl Keeper {
    /// Starts the keeper, and returns when the workload runs or has ended. A workload that
    /// could not be started has ended with [`Exit::NotStarted`]. If the reason for that is
    /// [temporary](super::super::NotStarted::is_temporary), another call tries again.
    ///
    /// What the launcher reports is not relied on if it is not good news: it may have been killed
    /// after it had started the keeper. The directory's lock and the keeper's records then decide.
    ///
    /// # Errors
    ///
    /// [`KeeperError::Launch`] if nothing runs and nothing will start. [`KeeperError::Lost`] if a
    /// keeper was here and was killed. [`KeeperError::Silent`] if it is not known what runs: the
    /// call is to be repeated.
    ///
    /// # Cancel safety
    ///
    /// A dropped call may or may not have started the keeper. Called again, it finds the same
    /// one: a workload is started at most once.
    pub async fn spawn(&self) -> Result<Spawned, KeeperError> {
        loop {
            if let Some(found) = self.already(true).await? {
                return Ok(found);
            }
            // Locked when it has its turn: others wait for the lock only so long.
            let launched = TURNS.run(async {
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

    /// What a call of [`spawn`](Self::spawn) finds that did not start the keeper itself. `None` if
    /// a launch is due: nothing was started, or, `again`, the start was refused for the moment.
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
        timeout(PATIENCE, found).await.unwrap_or_else(|_| Err(self.silent()))
    }

    /// The directory, locked and as it was prepared; `None` if it has another writer or a keeper
    /// has been there in the meantime.
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
        // Only after `keeper.json` is gone: what has one and no exit record is lost.
        if exit.is_some() {
            files::reserve_exit(&self.dir).map_err(file(files::EXIT))?;
        }
        Ok(Some(locked))
    }

    /// In a process group of its own, so that the terminal's `Ctrl-C` is not for it.
    ///
    /// The locked directory is its standard input. No copy of it is kept here: if the launcher and
    /// the keeper have both ended, the lock is free.
    async fn launch(&self, locked: File) -> Result<(), KeeperError> {
        let errors = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.dir.join(files::ERRORS))
            .map_err(|error| self.file(files::ERRORS, error))?;
        // Absolute, so that the keeper is known by it: see `procfs::keepers`.
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
            let reason = format!("{program} cannot be started: {error}");
            self.not_launched(reason, error.raw_os_error())
        })?;
        let reading = async {
            let mut said = Vec::new();
            let read = match &mut launcher.stdout {
                Some(stdout) => stdout.read_to_end(&mut said).await.map(drop),
                None => Ok(()),
            };
            // Its status says nothing. The system may not have kept it, if it was told to.
            let _ = launcher.wait().await;
            read.map(|()| said)
        };
        let said = timeout(LAUNCH_TAKES, reading)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| self.not_launched(error.to_string(), error.raw_os_error()))?;
        match serde_json::from_slice(&said) {
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
