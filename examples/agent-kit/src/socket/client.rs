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

/// Why an agent did not answer a request.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No agent runs on this state.
    #[error("no agent runs on {}; start one with: {run} --state {}", dir.display(), dir.display())]
    NoAgent {
        /// The command that starts one.
        run: String,
        /// The state directory.
        dir: PathBuf,
    },
    /// An agent runs on this state, but its socket is missing.
    #[error(
        "an agent runs on {}, but its socket is missing; the agent creates a new one within a second: try again",
        dir.display()
    )]
    NoSocket {
        /// The state directory.
        dir: PathBuf,
    },
    /// The agent belongs to another user.
    #[error("the agent on {} belongs to user {owner}; only that user can talk to it", dir.display())]
    NotOwner {
        /// The state directory.
        dir: PathBuf,
        /// The id of that user.
        owner: u32,
    },
    /// The agent ended before its answer was complete.
    #[error("the agent on {} ended before its answer was complete", dir.display())]
    Ended {
        /// The state directory.
        dir: PathBuf,
    },
    /// The connection failed.
    #[error("cannot talk to the agent on {}: {error}", dir.display())]
    Socket {
        /// The state directory.
        dir: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
    /// The agent refused the request.
    #[error("{0}")]
    Refused(String),
}

/// Sends a request to the agent on this state. Blocks.
///
/// # Errors
///
/// Fails if no agent runs, or if the connection fails.
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
        Err(error) => Err(unreachable(program, dir, error)),
    }
}

fn connect(dir: &Path) -> io::Result<UnixStream> {
    let (_held, path) = address(dir, NAME)?;
    UnixStream::connect(path)
}

/// Finds out why an agent cannot be reached.
fn unreachable(program: Program, dir: PathBuf, error: io::Error) -> AskError {
    // A killed agent leaves a socket that refuses connections.
    if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) {
        let is_locked = File::open(&dir).is_ok_and(|dir| state::is_locked(&dir));
        return if is_locked {
            AskError::NoSocket { dir }
        } else {
            let file = if program.demo.is_empty() { "" } else { " FILE" };
            AskError::NoAgent { run: format!("{} run{file}", program.name), dir }
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

/// The answers of an agent to a request, one after the other.
#[derive(Debug)]
pub struct Answers {
    dir: PathBuf,
    frames: Frames<UnixStream>,
}

impl Answers {
    /// Returns the text of the last answer if that was [`Answer::Said`], otherwise an empty text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.frames.text()
    }

    /// Whether the next answer can be read without waiting.
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
