use std::{
    fs::OpenOptions, num::NonZero, os::unix::fs::OpenOptionsExt as _, pin::pin, process::Stdio,
    sync::LazyLock, time::Duration,
};

use tokio::{
    process::Command,
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::{Keeper, KeeperError, Launched, PATIENCE, POLL, Spawned, State, files};

/// The launches that go on at the same time: more of them would only take the processor from each
/// other, and from the agent.
static LAUNCHES: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
    Semaphore::new(8 * processors)
});

/// How long a launch holds back others. One that takes longer waits for something else than the
/// processor, such as a disk.
const HOLDS_BACK: Duration = Duration::from_secs(1);

impl Keeper {
    /// In a process group of its own, so that the terminal's `Ctrl-C` is not for it.
    pub(super) async fn launch(&self) -> Result<Launched, KeeperError> {
        let turn = LAUNCHES.acquire().await;
        let errors = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(self.dir.join(files::ERRORS))
            .map_err(|error| self.file(files::ERRORS, error))?;
        // Absolute, so that the keeper is known by it: see `procfs::keepers`.
        let dir = std::path::absolute(&self.dir).map_err(|error| self.file("", error))?;
        let launcher = Command::new(&self.program)
            .arg0("process-agent")
            .arg("keeper")
            .arg(&dir)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|error| {
                let program = self.program.display();
                let reason = format!("{program} cannot be started: {error}");
                self.not_launched(reason, error.raw_os_error())
            })?;
        let mut output = pin!(launcher.wait_with_output());
        let output = if let Ok(output) = timeout(HOLDS_BACK, &mut output).await {
            output
        } else {
            drop(turn);
            output.await
        };
        let output =
            output.map_err(|error| self.not_launched(error.to_string(), error.raw_os_error()))?;
        serde_json::from_slice(&output.stdout).map_err(|_| {
            let what = "it said nothing; does the program have the subcommand `keeper`?";
            self.not_launched(what.to_owned(), None)
        })
    }

    /// What a call finds that did not start the keeper itself.
    pub(super) async fn already(&self) -> Result<Spawned, KeeperError> {
        timeout(PATIENCE, async {
            loop {
                match self.state().await? {
                    State::Running { .. } => return Ok(Spawned::AlreadyRunning),
                    State::Exited(_) => return Ok(Spawned::AlreadyExited),
                    State::Lost => return Err(self.lost()),
                    // The other keeper has the lock and not yet come further.
                    State::NotStarted | State::Starting => sleep(POLL).await,
                }
            }
        })
        .await
        .unwrap_or_else(|_| Err(self.silent()))
    }
}
