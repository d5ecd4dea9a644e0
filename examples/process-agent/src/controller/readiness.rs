use onward::exec::ControllerError;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::removal::remove_dir;
use super::{ProcessController, how_it_ended, logs, prepare, spawn, wrap};
use crate::definition::{Probe, Readiness};
use crate::keeper::{End, Ended, Exit, Keeper};

impl ProcessController {
    /// Returns the keeper of the readiness probe. Each try has a new one, so that none of its
    /// processes outlives the try.
    pub(super) fn probe_command(&self) -> Keeper {
        self.keeper.beside("probe")
    }

    /// Tries the probe until it succeeds.
    ///
    /// # Errors
    ///
    /// Fails if no try succeeds within the timeout. The error contains the result of the last try.
    ///
    /// # Cancel safety
    ///
    /// If you drop the future, a probe may still run. [`end_probe`](Self::end_probe) ends it.
    pub(super) async fn until_ready(&self, readiness: &Readiness) -> Result<(), ControllerError> {
        let mut last = "no try has finished".to_owned();
        let tries = async {
            loop {
                match self.probe(&readiness.probe).await {
                    Ok(()) => return,
                    Err(why) => last = why,
                }
                sleep(readiness.interval).await;
            }
        };
        if timeout(readiness.timeout, tries).await.is_ok() {
            return Ok(());
        }
        let patience = humantime::format_duration(readiness.timeout);
        Err(ControllerError::new(format!("not ready within {patience}: {last}")))
    }

    async fn probe(&self, probe: &Probe) -> Result<(), String> {
        match probe {
            Probe::Tcp(address) => match TcpStream::connect(address).await {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("{address}: {error}")),
            },
            Probe::Command(command) => {
                let tried = self.run_probe(command).await;
                let executable = command.first().map_or("", String::as_str);
                // Include the causes, because this becomes the text of another error.
                tried.map_err(|error| format!("{executable}: {error:#}"))
            }
        }
    }

    async fn run_probe(&self, command: &[String]) -> Result<(), ControllerError> {
        let keeper = self.probe_command();
        let definition = self.beside(command.to_vec())?;
        // An earlier try may have been dropped, or could not be ended.
        self.end_probe().await?;
        prepare(&keeper, definition).await.map_err(wrap)?;
        spawn(&keeper).await?;
        let tried = match self.until_ended(&keeper).await? {
            End::Exited(Exit::Ended(Ended { code: 0, .. })) => Ok(()),
            End::Exited(Exit::Ended(ended)) => {
                let output = logs::last_line(&keeper).await;
                Err(ControllerError::new(format!("{}{output}", how_it_ended(&ended))))
            }
            End::Exited(Exit::NotStarted(refused)) => Err(ControllerError::wrap(refused)),
            End::Lost => Err(ControllerError::new("its keeper was killed")),
        };
        self.end_probe().await?;
        tried
    }

    /// Kills a running probe, and removes its directory.
    pub(super) async fn end_probe(&self) -> Result<(), ControllerError> {
        let keeper = self.probe_command();
        if keeper.dir().try_exists().is_ok_and(|there| !there) {
            return Ok(());
        }
        keeper.end(true).await.map_err(wrap)?;
        remove_dir(keeper.dir().to_owned()).await
    }
}
