use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::address::address;
use super::frame::Frames;
use super::protocol::{Answer, NAME, Request, VERSION, Versioned};
use crate::program::Program;
use crate::state;

/// Why an agent did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// There is none.
    #[error("no agent runs on {}; start one with: {program} run FILE --state {}", dir.display(), dir.display())]
    NoAgent {
        /// The program that would be one.
        program: &'static str,
        /// The state it would have.
        dir: PathBuf,
    },
    /// There is one, and its socket is gone.
    #[error(
        "an agent runs on {}, but its socket is missing; it makes a new one within a second: try again",
        dir.display()
    )]
    NoSocket {
        /// Its state.
        dir: PathBuf,
    },
    /// It is another user's.
    #[error("the agent on {} belongs to user {owner}; only that user can talk to it", dir.display())]
    NotOwner {
        /// Its state.
        dir: PathBuf,
        /// The user's number.
        owner: u32,
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
pub fn ask(program: Program, dir: &Path, request: &Request) -> Result<Answers, AskError> {
    let asked = connect(dir).and_then(|mut stream| {
        let mut line = serde_json::to_vec(&Versioned { version: VERSION, request })?;
        line.push(b'\n');
        stream.write_all(&line)?;
        Ok(stream)
    });
    let dir = dir.to_owned();
    match asked {
        Ok(stream) => Ok(Answers { dir, frames: Frames::new(stream) }),
        Err(error) => Err(unreachable(program.name, dir, error)),
    }
}

fn connect(dir: &Path) -> io::Result<UnixStream> {
    let (_held, path) = address(dir, NAME)?;
    UnixStream::connect(path)
}

/// Why an agent cannot be reached.
fn unreachable(program: &'static str, dir: PathBuf, error: io::Error) -> AskError {
    // Refused is what an agent leaves that is killed.
    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
        let is_locked = File::open(&dir).is_ok_and(|dir| state::is_locked(&dir));
        return if is_locked {
            AskError::NoSocket { dir }
        } else {
            AskError::NoAgent { program, dir }
        };
    }
    let me = rustix::process::geteuid().as_raw();
    let owner = fs::metadata(&dir).map(|dir| dir.uid()).ok().filter(|owner| *owner != me);
    match owner {
        Some(owner) if error.kind() == io::ErrorKind::PermissionDenied => {
            AskError::NotOwner { dir, owner }
        }
        Some(_) | None => AskError::Socket { dir, error },
    }
}

/// What an agent answers, one after the other, until it is done.
#[derive(Debug)]
pub struct Answers {
    dir: PathBuf,
    frames: Frames<UnixStream>,
}

impl Answers {
    /// The text of the last answer, if that was [`Answer::Said`]; otherwise empty.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.frames.text()
    }

    /// Whether the next answer comes without a wait.
    #[must_use]
    pub fn is_next_here(&self) -> bool {
        self.frames.is_next_here()
    }
}

impl Iterator for Answers {
    type Item = Result<Answer, AskError>;

    fn next(&mut self) -> Option<Self::Item> {
        use io::ErrorKind::{ConnectionReset, UnexpectedEof};
        match self.frames.read() {
            Ok(Answer::Done) => None,
            Ok(Answer::Refused(why)) => Some(Err(AskError::Refused(why))),
            Ok(answer) => Some(Ok(answer)),
            Err(error) => {
                let (dir, kind) = (self.dir.clone(), error.kind());
                let has_ended = matches!(kind, ConnectionReset | UnexpectedEof);
                Some(Err(if has_ended {
                    AskError::Ended { dir }
                } else {
                    AskError::Socket { dir, error }
                }))
            }
        }
    }
}
