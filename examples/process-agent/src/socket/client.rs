use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{Answer, NAME, Request, VERSION, Versioned};
use crate::keeper::address;

/// Why an agent did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is none.
    #[error("no agent runs on {}; start one with: process-agent run FILE --state {}", dir.display(), dir.display())]
    NoAgent {
        /// The state it would have.
        dir: PathBuf,
    },
    /// It has ended before it has said all.
    #[error("the agent on {} has ended", dir.display())]
    Ended {
        /// Its state.
        dir: PathBuf,
    },
    /// It cannot be talked to.
    #[error("the agent on {} cannot be talked to: {error}", dir.display())]
    Socket {
        /// Its state.
        dir: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It does not want to.
    #[error("{0}")]
    Refused(String),
}

/// Asks the agent on this state for something. Blocks.
///
/// # Errors
///
/// There is no agent, or it cannot be talked to.
pub fn ask(dir: &Path, request: &Request) -> Result<Answers, AskError> {
    let asked = connect(dir).and_then(|mut stream| {
        let mut line = serde_json::to_vec(&Versioned { version: VERSION, request })?;
        line.push(b'\n');
        stream.write_all(&line)?;
        Ok(stream)
    });
    match asked {
        Ok(stream) => Ok(Answers { dir: dir.to_owned(), lines: BufReader::new(stream) }),
        // The second one is what an agent leaves that is killed.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            Err(AskError::NoAgent { dir: dir.to_owned() })
        }
        Err(error) => Err(AskError::Socket { dir: dir.to_owned(), error }),
    }
}

fn connect(dir: &Path) -> io::Result<UnixStream> {
    let (_held, path) = address(dir, NAME)?;
    UnixStream::connect(path)
}

/// What an agent answers, one after the other, until it is done.
#[derive(Debug)]
pub struct Answers {
    dir: PathBuf,
    lines: BufReader<UnixStream>,
}

impl Iterator for Answers {
    type Item = Result<Answer, AskError>;

    fn next(&mut self) -> Option<Self::Item> {
        let dir = self.dir.clone();
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(_) if line.ends_with('\n') => {}
            Ok(_) => return Some(Err(AskError::Ended { dir })),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                return Some(Err(AskError::Ended { dir }));
            }
            Err(error) => return Some(Err(AskError::Socket { dir, error })),
        }
        match serde_json::from_str(&line) {
            Ok(Answer::Done) => None,
            Ok(Answer::Refused(why)) => Some(Err(AskError::Refused(why))),
            Ok(answer) => Some(Ok(answer)),
            Err(error) => {
                let error = io::Error::new(io::ErrorKind::InvalidData, error);
                Some(Err(AskError::Socket { dir, error }))
            }
        }
    }
}
