use std::{
    fs::{File, TryLockError},
    io,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{sleep, timeout},
};

use super::{Keeper, KeeperError, PATIENCE, POLL, Reported, Request, State, files};
use crate::keeper::{control, state::Report};

/// Bytes for a report at a time. Small, since the agent waits for each of its tasks with one.
const REPORT_SIZE: usize = 512;

/// One look at a task's directory.
pub(super) enum Look {
    /// No keeper lives there, or none has come far.
    Gone(State),
    /// A keeper holds the lock but cannot be connected to: it is ending.
    Silent,
    Connected(Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf),
}

/// `None` when the keeper has closed the connection, as it does when it ends.
pub(super) async fn next_report(lines: &mut Lines<BufReader<OwnedReadHalf>>) -> Option<Report> {
    let line = lines.next_line().await.ok()??;
    serde_json::from_str(&line).ok()
}

impl Keeper {
    pub(super) async fn look(&self) -> Result<Look, KeeperError> {
        let keeper = self.dir.join(files::KEEPER).try_exists();
        if !keeper.map_err(|error| self.file(files::KEEPER, error))? {
            return Ok(Look::Gone(State::NotStarted));
        }
        if let Ok(stream) = self.connect().await {
            let (reader, writer) = stream.into_split();
            let reader = BufReader::with_capacity(REPORT_SIZE, reader);
            return Ok(Look::Connected(reader.lines(), writer));
        }
        // The lock before the record: whoever has let go of it has written before.
        if self.is_locked()? {
            return Ok(Look::Silent);
        }
        let exit = files::read_exit(&self.dir).map_err(|error| self.file(files::EXIT, error))?;
        Ok(Look::Gone(exit.map_or(State::Lost, State::Exited)))
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        let (_held, address) = control::address(&self.dir, files::SOCKET)?;
        UnixStream::connect(address).await
    }

    /// Only asked when there is a `keeper.json`: trying takes the lock for a moment, which would be
    /// in the way of a keeper that starts.
    fn is_locked(&self) -> Result<bool, KeeperError> {
        let tried = File::open(self.dir.join(files::LOCK)).map(|lock| lock.try_lock_shared());
        match tried {
            Ok(Ok(())) => Ok(false),
            Ok(Err(TryLockError::WouldBlock)) => Ok(true),
            Ok(Err(TryLockError::Error(error))) | Err(error) => Err(self.file(files::LOCK, error)),
        }
    }

    pub(super) async fn ask(&self, request: Request) -> Result<(), KeeperError> {
        let asked = timeout(PATIENCE, async {
            loop {
                match self.look().await? {
                    Look::Gone(State::Lost) => return Err(self.lost()),
                    Look::Gone(State::Exited(_)) => return Ok(()),
                    Look::Gone(_) => return Err(self.not_started()),
                    Look::Silent => {}
                    Look::Connected(mut lines, mut writer) => {
                        let mut line = serde_json::to_vec(&request).unwrap_or_default();
                        line.push(b'\n');
                        // Having an answer first, it is known that the keeper will read this.
                        if next_report(&mut lines).await.is_some()
                            && writer.write_all(&line).await.is_ok()
                        {
                            return Ok(());
                        }
                    }
                }
                sleep(POLL).await;
            }
        });
        asked.await.unwrap_or_else(|_| Err(self.silent()))
    }
}

impl From<Report> for State {
    fn from(report: Report) -> Self {
        match report.state {
            Reported::Starting => Self::Starting,
            Reported::Running { pid, since, tracking } => {
                Self::Running { pid, since, tracking, log_error: report.log_error }
            }
            Reported::Exited { exit } => Self::Exited(exit),
        }
    }
}
