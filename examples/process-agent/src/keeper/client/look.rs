use std::io;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{sleep, timeout},
};

use super::{Keeper, KeeperError, POLL, Reported, Request, SILENCE_LIMIT, State, files};
use crate::keeper::{control, lock, state::Report};

/// Buffer size for a report in bytes. It is small, because the agent has one for each of its tasks.
const REPORT_SIZE: usize = 512;

/// The result of one look at a task's directory.
pub(super) enum Look {
    /// The directory is not locked by a writer, so its records show the state.
    Free(State),
    /// A writer has locked the directory, but has no socket. The task is being prepared or removed,
    /// or its keeper is starting or ending.
    Busy,
    Connected(Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf),
}

/// Reads a report. `None` if the keeper has closed the connection, as it does at its end.
pub(super) async fn next_report(lines: &mut Lines<BufReader<OwnedReadHalf>>) -> Option<Report> {
    let line = lines.next_line().await.ok()??;
    serde_json::from_str(&line).ok()
}

impl Keeper {
    pub(super) async fn look(&self) -> Result<Look, KeeperError> {
        if let Ok(stream) = self.connect().await {
            let (reader, writer) = stream.into_split();
            let reader = BufReader::with_capacity(REPORT_SIZE, reader);
            return Ok(Look::Connected(reader.lines(), writer));
        }
        // No writer changes the records while this process holds the lock.
        let locked = match lock::try_lock_shared(&self.dir) {
            Ok(Some(locked)) => locked,
            Ok(None) => return Ok(Look::Busy),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Look::Free(State::NotStarted));
            }
            Err(error) => return Err(self.file("", error)),
        };
        let state = if self.has(files::KEEPER)? {
            let exit = files::read_exit(&self.dir);
            let exit = exit.map_err(|error| self.file(files::EXIT, error))?;
            exit.map_or(State::Lost, State::Exited)
        } else {
            State::NotStarted
        };
        drop(locked);
        Ok(Look::Free(state))
    }

    pub(super) fn has(&self, name: &str) -> Result<bool, KeeperError> {
        self.dir.join(name).try_exists().map_err(|error| self.file(name, error))
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        let (_held, address) = control::address(&self.dir, files::SOCKET)?;
        UnixStream::connect(address).await
    }

    pub(super) async fn ask(&self, request: Request) -> Result<(), KeeperError> {
        let asked = timeout(SILENCE_LIMIT, async {
            loop {
                match self.look().await? {
                    Look::Free(State::Lost) => return Err(self.lost()),
                    Look::Free(State::Exited(_)) => return Ok(()),
                    Look::Free(_) => return Err(self.not_started()),
                    Look::Busy => {}
                    Look::Connected(mut lines, mut writer) => {
                        let mut line = serde_json::to_vec(&request).unwrap_or_default();
                        line.push(b'\n');
                        // After a report, the keeper is certain to read this request.
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
