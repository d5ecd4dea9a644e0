use std::convert::Infallible;

use onward::ControllerError;

use super::removal::remove_dir;
use super::{ProcessController, how_it_ended, logs, not_started, prepare, spawn, wrap};
use crate::keeper::{End, Ended, Exit, Keeper, KeeperError};
use crate::log::{Follow, MAX_RECORD, Options, records};

/// The exit code of a prepare command that wants to be retried: `EX_TEMPFAIL` of `sysexits.h`.
const TRY_AGAIN: i32 = 75;

impl ProcessController {
    /// Returns the keeper of the prepare command. The command is an ordinary process: it keeps
    /// running if `prepare` is dropped, and the next call finds it.
    pub(super) fn prepare_command(&self) -> Keeper {
        self.keeper.beside("prepare")
    }

    pub(super) async fn run_prepare_command(&self) -> Result<(), ControllerError> {
        let Some(command) = self.definition.prepare.clone() else { return Ok(()) };
        let keeper = self.prepare_command();
        let definition = self.beside(command)?;
        match prepare(&keeper, definition).await {
            Ok(()) | Err(KeeperError::AlreadyStarted { .. }) => {}
            Err(error) => return Err(wrap(error)),
        }
        spawn(&keeper).await?;
        let failed = |what: String| ControllerError::new(format!("the prepare command {what}"));
        let end = tokio::select! {
            biased;
            end = self.until_ended(&keeper) => end?,
            never = self.report_lines(&keeper) => match never {},
        };
        let error = match end {
            End::Exited(Exit::Ended(Ended { code: 0, .. })) => return Ok(()),
            End::Exited(Exit::Ended(Ended { code: TRY_AGAIN, .. })) => {
                failed(format!("asks to be tried again{}", logs::last_line(&keeper).await))
                    .temporary()
            }
            End::Exited(Exit::Ended(ended)) => {
                let how = how_it_ended(&ended);
                failed(format!("{how}{}", logs::last_line(&keeper).await))
                    .with_exit_code(ended.code)
            }
            End::Exited(Exit::NotStarted(refused)) => not_started(refused),
            End::Lost => {
                keeper.sweep().await.map_err(wrap)?;
                failed("was lost: its keeper was killed".to_owned()).temporary()
            }
        };
        if error.is_temporary() {
            // The next call starts the command again, so remove what this run has left.
            remove_dir(keeper.dir().to_owned()).await?;
        }
        Err(error)
    }

    /// Reports each line of a command's output as progress. Runs until it is dropped.
    async fn report_lines(&self, command: &Keeper) -> Infallible {
        if let Some(progress) = &self.progress {
            let mut lines =
                records(command.dir(), Options { follow: Follow::Forever, ..Options::default() });
            // A log that cannot be read is no error here, because the command keeps running.
            let mut text = Vec::new();
            while let Some(Ok(line)) = lines.next().await {
                if !line.continues || text.len() > MAX_RECORD {
                    text.clear();
                }
                text.extend_from_slice(&line.bytes);
                progress.report(String::from_utf8_lossy(&text).into_owned());
            }
        }
        futures::future::pending().await
    }
}
